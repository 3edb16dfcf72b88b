"""The spiking model: a sealed ONNX model with typed access to its neurons and its manifest."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from pydantic import ValidationError

from onnx2snn.ir import stored_weights
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.manifest import FORMAT_VERSION, MANIFEST_KEY, Manifest
from onnx2snn.ir.ops import DOMAIN, Neuron, spiking_op
from onnx2snn.ir.ops.graded_integrate_fire import GradedIntegrateFire
from onnx2snn.ir.stored_weights import WeightFile, tensor_values, whole
from onnx2snn.ir.types import Alphabet, Array
from onnx2snn.ir.wire import Buffer, pieces, read_light

STIMULUS = "onnx2snn/stimulus"


@dataclass(frozen=True)
class NeuronLayer:
    """One layer of neurons.

    Attributes:
        name: name of the activation it replaced, or of the encoder.
        op: the operator, with its equation and numpy step.
        input: name of the stream it receives.
        output: name of the stream it emits.
        quantum: threshold theta, float32, broadcastable to the layer.
        current: constant input current c, float32, broadcastable to the layer.
        n_min: lower bound on the count.
        n_max: upper bound on the count.
    """

    name: str
    op: Neuron
    input: str
    output: str
    quantum: Array
    current: Array
    n_min: float
    n_max: float

    @property
    def alphabet(self) -> Alphabet:
        """Return what one emission may be: binary, ternary or graded."""
        return self.op.alphabet

    @property
    def digits(self) -> int:
        """Return the digits one emission may have."""
        return self.op.digits if isinstance(self.op, GradedIntegrateFire) else 1


@dataclass(frozen=True)
class SpikingModel:
    """A spiking neural network in one ordinary ONNX file.

    Attributes:
        light: the sealed model (docs/ir.md specifies it), treated as read-only. Large weights may
            be references to a file (:mod:`onnx2snn.ir.stored_weights`).
        weights: that file, which lives as long as this object; None if another owns it.
    """

    light: onnx.ModelProto
    weights: WeightFile | None = field(default=None, repr=False, compare=False)

    @property
    def proto(self) -> onnx.ModelProto:
        """Return the sealed model with all weights in it: a copy if they lie in a file."""
        return whole(self.light)

    def __reduce__(self) -> tuple[type[SpikingModel], tuple[onnx.ModelProto]]:
        """Copy and pickle with the weights."""
        return SpikingModel, (self.proto,)

    @cached_property
    def manifest(self) -> Manifest:
        """Return the manifest stored in the file's metadata."""
        for entry in self.light.metadata_props:
            if entry.key == MANIFEST_KEY:
                _refuse_other_format(entry.value)
                try:
                    return Manifest.model_validate_json(entry.value)
                except ValidationError as error:
                    raise InvalidModelError(
                        f"the manifest of the spiking model cannot be read: {error}",
                        remedy="the file was changed, or written by another version; convert again",
                    ) from error
        raise InvalidModelError(
            f"the model has no '{MANIFEST_KEY}' metadata: it is not a spiking model",
            remedy="convert the ANN first: onnx2snn convert MODEL.onnx",
        )

    @cached_property
    def plain(self) -> onnx.ModelProto:
        """Return the folded model, whatever the layout of the file: X nodes, never X_Step.

        Large weights may be references, as in ``light``.
        """
        from onnx2snn.ir.derive.unscan import unscan

        return unscan(self.light)

    @cached_property
    def initializers(self) -> Mapping[str, NDArray[np.generic]]:
        """Return all constants of the graph by name."""
        return _Constants(self.light.graph)

    @cached_property
    def neurons(self) -> tuple[NeuronLayer, ...]:
        """Return the neuron layers in topological order."""
        layers = []
        for node in self.plain.graph.node:
            if node.domain != DOMAIN:
                continue
            op = spiking_op(node)
            if isinstance(op, Neuron):
                named = dict(zip(op.inputs, node.input, strict=True))
                values = self.initializers
                layers.append(
                    NeuronLayer(
                        name=node.name,
                        op=op,
                        input=node.input[0],
                        output=node.output[0],
                        quantum=values[named["quantum"]].astype(np.float32),
                        current=values[named["current"]].astype(np.float32),
                        n_min=float(values[named["n_min"]]),
                        n_max=float(values[named["n_max"]]),
                    )
                )
        return tuple(layers)

    @property
    def timesteps_input(self) -> str:
        """Return the name of the optional input that sets T: the last graph input."""
        return str(self.light.graph.input[-1].name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the ANN's inputs."""
        return tuple(i.name for i in self.light.graph.input[:-1])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the ANN's outputs."""
        return tuple(o.name for o in self.light.graph.output)

    def stimulus_steps(self, timesteps: int) -> int:
        """Return S for a run of T timesteps."""
        stimulus = self.manifest.stimulus
        return timesteps if stimulus is None else min(stimulus, timesteps)

    def to_bytes(self) -> bytes:
        """Serialise deterministically: equal models give equal bytes."""
        return b"".join(pieces(self.light))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file: whole or not at all (a temporary file, then a rename)."""
        return write_atomically(path, *pieces(self.light))

    @classmethod
    def from_bytes(cls, content: bytes) -> SpikingModel:
        """Read a spiking model and check it against the grammar.

        Raises:
            InvalidModelError: the bytes are no ONNX model or no spiking model.
            InvariantError: the model breaks the grammar.
        """
        proto = onnx.ModelProto()
        try:
            proto.ParseFromString(content)
        except DecodeError as error:
            raise InvalidModelError(
                "the file is not an ONNX model (it cannot be parsed as protobuf)",
                remedy="check that the file is complete",
            ) from error
        return _checked(cls(proto))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SpikingModel:
        """Read a ``.snn.onnx`` file; see :meth:`from_bytes`. Large weights stay in a file."""
        try:
            if os.path.getsize(path) >= stored_weights.LEAST_TOTAL:
                weights = WeightFile()
                with contextlib.suppress(DecodeError):  # told below
                    return _checked(cls(_mapped(path, weights), weights))
            content = Path(path).read_bytes()
        except OSError as error:
            raise InvalidModelError(
                f"cannot read {os.fspath(path)}: {error.strerror}", remedy="check the path"
            ) from error
        return cls.from_bytes(content)


def stored_model(model: SpikingModel, weights: WeightFile) -> SpikingModel:
    """Return a model with its large weights in a file; itself if it has too few to store."""
    light = weights.store(model.light)
    return model if light is model.light else SpikingModel(light, weights)


def _mapped(path: str | os.PathLike[str], weights: WeightFile) -> onnx.ModelProto:
    """Return the model of a file, its large weights moved from there into another."""
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as data,
    ):
        return read_light(data, weights)


def _checked(model: SpikingModel) -> SpikingModel:
    """Return a model that has been read, checked against the grammar and its manifest."""
    from onnx2snn.ir.grammar import check_grammar

    manifest = model.manifest
    check_grammar(model.light)
    default = int(model.initializers[model.timesteps_input])
    if default != manifest.timesteps:
        raise InvalidModelError(
            f"the file runs T = {default} timesteps by default, its manifest says "
            f"{manifest.timesteps}",
            remedy="the file was changed by another program; convert again",
        )
    return model


class _Constants(Mapping[str, NDArray[np.generic]]):
    """Constants that are read from the protobuf when they are looked at: large ones are copies."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return tensor_values(self._tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _refuse_other_format(manifest: str) -> None:
    """Tell a file of another format from a damaged one.

    Raises:
        InvalidModelError: the manifest states a format other than ``FORMAT_VERSION``.
    """
    try:
        stated = json.loads(manifest)
    except ValueError:
        return  # no JSON at all: the manifest says so itself
    found = stated.get("format", FORMAT_VERSION) if isinstance(stated, dict) else FORMAT_VERSION
    if found != FORMAT_VERSION or isinstance(found, bool):
        raise InvalidModelError(
            f"the file has format {found!r}; this version of onnx2snn reads {FORMAT_VERSION}",
            remedy="read it with the version of onnx2snn that wrote it, or convert again",
        )


def write_atomically(path: str | os.PathLike[str], *content: Buffer) -> Path:
    """Write pieces of ``content`` to ``path`` through a temporary file in the same folder."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target

"""The support table: for every ONNX operator what a conversion makes of it, read from the code.

A line tells the fate of an operator that stands in the middle of a network, on a tensor that became
a stream. Before the first encoder and behind the read-out every operator runs as it is, and what
depends on shapes and constants alone is computed at conversion.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

import onnx
from pydantic import BaseModel, ConfigDict

from onnx2snn.converter.activations import ACTIVATIONS
from onnx2snn.converter.ann_functions import ANN_DOMAIN, ANN_FUNCTIONS
from onnx2snn.converter.canonicalise import PASSES
from onnx2snn.converter.formats.dequantise_weights import DYNAMIC, PACKED
from onnx2snn.converter.formats.expand_attention import ATTENTION
from onnx2snn.converter.formats.expand_fused import FUSED
from onnx2snn.converter.formats.expand_integer import INTEGER, MICROSOFT_INTEGER
from onnx2snn.converter.formats.expand_ml import LINEAR_MODELS
from onnx2snn.converter.formats.expand_qlinear import (
    MICROSOFT,
    MICROSOFT_QUANTISED,
    QUANTISED,
)
from onnx2snn.converter.planning.plan import UNLIFTABLE
from onnx2snn.converter.source.content import RANDOM_OPS
from onnx2snn.converter.source.functions import LOSSES
from onnx2snn.converter.source.opset import TARGET_OPSET
from onnx2snn.ir.grammar import SHAPE_OPS
from onnx2snn.ir.linear import LINEAR_OPS
from onnx2snn.ir.manifest import Fate

ML = "ai.onnx.ml"
ANALOG: Fate = "lift"
LIFTED = "on running estimates"
DECODED = "on decoded values"
PRODUCT = "by a constant; of two activations: analog"
PARTS = "standard operators: see those"

_FLOAT = "tensor(float)"
_SEQUENCES = ("seq(", "optional(", "map(")
_UNROLLED = ("LSTM", "GRU", "RNN")
_FOLDED: Mapping[str, str] = {
    "BatchNormalization": "part of the weights beside it",
    "Constant": "a stored constant",
    "Dropout": "nothing; training is refused",
    "If": "the branch taken, if that is known at conversion; else refused: " + UNLIFTABLE["If"],
}
_INTO_WEIGHTS = ("BatchNormalization", "Dropout")
_QUANTISERS: Mapping[str, str] = {
    "QuantizeLinear": "with DequantizeLinear: a staircase neuron on the same grid, exact",
    "DequantizeLinear": "behind QuantizeLinear: a staircase neuron, exact; of weights: constants",
    "DynamicQuantizeLinear": "left out: the neurons round instead; the report says by how much "
    "outputs move",
}


class OperatorSupport(BaseModel):
    """What a conversion makes of one operator.

    Attributes:
        operator: its name.
        domain: its domain; empty for standard operators.
        fate: the kind of treatment, as in the manifest.
        spiking: True for what fires or works on spikes; False for what works on analog
            estimates; None for what is taken apart, decoded, computed once or refused.
        treatment: the treatment in words, with the reason of a refusal.
    """

    model_config = ConfigDict(frozen=True)

    operator: str
    domain: str
    fate: Fate
    spiking: bool | None
    treatment: str


class Rewriting(BaseModel):
    """One pass that runs before operators are looked at.

    Attributes:
        name: of the pass.
        effect: what it does.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    effect: str


def operator_support() -> tuple[OperatorSupport, ...]:
    """Return a line for every operator of the installed ONNX and for ONNX Runtime's that are read.

    What exporters write with several operators and is recognised as one has a line, too.
    """
    neurons = dict(_neurons())
    lines = [
        _standard(schema, neurons)
        for schema in onnx.defs.get_all_schemas()
        if schema.domain in ("", ML) and not schema.deprecated
    ]
    known = {line.operator for line in lines}
    lines += [
        _line(name, MICROSOFT, "folded", PARTS)
        for name in (
            *(*FUSED, *ATTENTION, *MICROSOFT_QUANTISED, *MICROSOFT_INTEGER, *PACKED, *DYNAMIC),
        )
    ]
    lines.append(
        _line("any other", MICROSOFT, "refused", "there is no way back to what it was fused from")
    )
    recognised = [name for name in neurons if name not in known]
    lines += [
        _line(name, ANN_DOMAIN, "neuron", neurons[name])
        for name in recognised
        if all(line.operator != name for line in lines)
    ]
    others = [function.name for function in ANN_FUNCTIONS if function.name not in neurons]
    lines += [
        _line(name, ANN_DOMAIN, *_other_function(name)) for name in others if name not in known
    ]
    return tuple(sorted(lines, key=lambda line: (_DOMAINS.index(line.domain), line.operator)))


def rewritings() -> tuple[Rewriting, ...]:
    """Return the passes, in the order in which they run."""
    return tuple(
        Rewriting(name=step.__name__.replace("_", " "), effect=_sentence(step))
        for step in dict.fromkeys(PASSES)
    )


_DOMAINS = ("", ML, MICROSOFT, ANN_DOMAIN)


def _standard(schema: onnx.defs.OpSchema, neurons: Mapping[str, str]) -> OperatorSupport:
    """Return the line of an operator that the ONNX specification defines."""
    name, domain = str(schema.name), str(schema.domain)
    if domain == ML:
        return _line(name, domain, *_classical(name, schema))
    for table in (_refused, _rewritten, _spiking):
        found = table(name, schema, neurons)
        if found is not None:
            return _line(name, domain, *found)
    return _line(name, domain, *_lifted(schema))


Told = tuple[Fate, str]


def _refused(name: str, schema: onnx.defs.OpSchema, _neurons: Mapping[str, str]) -> Told | None:
    if name in RANDOM_OPS:
        return "refused", "its result differs from run to run"
    if name in ("Loop", "Scan"):
        return "refused", f"{UNLIFTABLE[name]}; export it unrolled, for a fixed length"
    if name in UNLIFTABLE and name not in (*_UNROLLED, *_FOLDED):
        told = UNLIFTABLE[name]
        return "refused", told
    if _is_newer(schema) and not _has_body(schema):
        return "refused", f"newer than opset {TARGET_OPSET}, and no definition in older operators"
    return None


def _rewritten(name: str, schema: onnx.defs.OpSchema, neurons: Mapping[str, str]) -> Told | None:
    if name in neurons:
        return None
    if name in _UNROLLED:
        return "folded", "unrolled, if its length is fixed"
    if name in _FOLDED:
        return "folded", _FOLDED[name]
    if name in _QUANTISERS:
        fate: Fate = "folded" if name.startswith("Dynamic") else "neuron"
        return fate, _QUANTISERS[name]
    if name in (*QUANTISED, *INTEGER):
        return "folded", "the float operator and quantisers"
    if name in LOSSES or (_is_newer(schema) and _has_body(schema)):
        return "folded", "its ONNX definition: see its parts"
    return None


def _spiking(name: str, _schema: onnx.defs.OpSchema, neurons: Mapping[str, str]) -> Told | None:
    if name in neurons:
        return "neuron", neurons[name]
    if name == "MaxPool":
        return "spiking-pool", "on membranes or counts, exact"
    if name in SHAPE_OPS:
        return "prologue", "shapes hold no activations"
    linear = LINEAR_OPS.get(name)
    if linear is None:
        return None
    if linear.exactly_one:
        return "linear", PRODUCT
    if linear.synapse:
        return "linear", "synapses, without bias"
    return "linear", "acts on spikes as it is"


def _classical(name: str, schema: onnx.defs.OpSchema) -> Told:
    if name in LINEAR_MODELS:
        return "folded", PARTS
    kinds = [kind for output in schema.outputs for kind in output.types]
    if any(kind.startswith(_SEQUENCES) for kind in kinds):
        return "refused", "its result is no tensor; export with tensors as outputs"
    return _lifted(schema)


def _lifted(schema: onnx.defs.OpSchema) -> Told:
    """Return what becomes of an operator that has no form of its own."""
    results = [kind for output in schema.outputs for kind in output.types]
    return (ANALOG, LIFTED) if _FLOAT in results else ("read-out", DECODED)


def _other_function(name: str) -> Told:
    return ANALOG, f"{name} written with other operators: {LIFTED}"


def _line(name: str, domain: str, fate: Fate, treatment: str) -> OperatorSupport:
    plain = fate in ("neuron", "linear", "spiking-pool") or name in _INTO_WEIGHTS
    spiking = True if plain else False if fate == ANALOG else None
    return OperatorSupport(
        operator=name, domain=domain, fate=fate, spiking=spiking, treatment=treatment
    )


def _neurons() -> Iterator[tuple[str, str]]:
    """Yield the operators that activation rules match, as their docstrings name them.

    What they compute is the first line of the rule's file, unless the rule has conditions to tell.
    """
    for rule in ACTIVATIONS:
        told = _sentence(rule).removeprefix("Match ")
        bare = re.sub(r"``\w+``|\band\b|,", "", told).strip()
        text = told if bare else _sentence(sys.modules[rule.__module__])
        for name in re.findall(r"``(\w+)``", told):
            yield name, text.replace("``", "")


def _sentence(told: object) -> str:
    """Return the first paragraph of a docstring."""
    lines = (told.__doc__ or "").strip().split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines).rstrip(".")


def _is_newer(schema: onnx.defs.OpSchema) -> bool:
    try:
        onnx.defs.get_schema(schema.name, TARGET_OPSET, schema.domain)
    except onnx.defs.SchemaError:
        return True
    return False


def _has_body(schema: onnx.defs.OpSchema) -> bool:
    # The typing stubs of onnx do not name these two.
    traits = ("has_function", "has_context_dependent_function")
    return any(bool(getattr(schema, trait)) for trait in traits)

"""A unit network as a graph of the package ``nir``, and the proof that its file says the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx2snn.converter.exporters.unit_network import Part, UnitNetwork
from onnx2snn.ir.errors import ExportError, InvariantError

if TYPE_CHECKING:
    import nir

_REMEDY = "install it: pip install 'onnx2snn[nir]'"


def nir_graph(network: UnitNetwork, metadata: dict[str, Any]) -> nir.NIRGraph:
    """Return the graph; its types are inferred and checked by ``nir``.

    Raises:
        ExportError: the package ``nir`` is not installed.
    """
    nir = _nir()
    nodes = {name: _node(nir, network, part) for name, part in network.parts.items()}
    return nir.NIRGraph(nodes=nodes, edges=list(network.edges), metadata=metadata)


def nir_bytes(graph: nir.NIRGraph) -> bytes:
    """Write a graph and read it back.

    Raises:
        InvariantError: what was read is not what was written.
    """
    nir = _nir()
    stream = io.BytesIO()
    nir.write(stream, graph)
    content = stream.getvalue()
    differences = compare(graph, nir.read(io.BytesIO(content)))
    if differences:
        raise InvariantError("the NIR file is not the graph: " + "; ".join(differences))
    return content


def compare(first: nir.NIRGraph, second: nir.NIRGraph) -> list[str]:
    """Return how two graphs differ: nodes, edges, parameters."""
    found = []
    if list(map(tuple, first.edges)) != list(map(tuple, second.edges)):
        found.append("other edges")
    if set(first.nodes) != set(second.nodes):
        return [*found, "other nodes"]
    for name, node in first.nodes.items():
        ours, theirs = node.to_dict(), second.nodes[name].to_dict()
        wrong = [key for key in ours if not _equal(ours[key], theirs.get(key))]
        found += [f"{name}.{key} differs" for key in wrong]
    return found


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, str) or isinstance(second, str):
        return bool(first == second)
    if isinstance(first, dict):
        return True
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


def _nir() -> Any:
    try:
        import nir
    except ImportError as error:
        raise ExportError("the package 'nir' is not installed", remedy=_REMEDY) from error
    return nir


def _node(nir: Any, network: UnitNetwork, part: Part) -> Any:
    if part.kind == "input":
        return nir.Input(input_type={"input": np.array(part.shape)})
    if part.kind == "output":
        return nir.Output(output_type={"output": np.array(part.shape)})
    if part.kind == "neuron":
        ones = np.ones(part.shape, np.float32)
        return nir.IF(r=ones, v_threshold=ones.copy(), v_reset=np.zeros(part.shape, np.float32))
    before = network.before(part.name)[0].shape
    if part.kind == "flatten":
        return nir.Flatten(input_type={"input": np.array(before)}, start_dim=0, end_dim=-1)
    if part.kind in ("sum-pool", "mean-pool"):
        pool = nir.SumPool2d if part.kind == "sum-pool" else nir.AvgPool2d
        return pool(
            kernel_size=np.array(part.kernel),
            stride=np.array(part.stride),
            padding=np.array(part.padding),
        )
    return _synapse(nir, part, before)


def _synapse(nir: Any, part: Part, before: tuple[int, ...]) -> Any:
    assert part.weight is not None
    assert part.bias is not None
    weight, bias = part.weight.astype(np.float32), part.bias.astype(np.float32)
    if part.kind == "dense":
        return nir.Affine(weight=weight, bias=bias)
    if len(part.stride) == 1:
        return nir.Conv1d(
            input_shape=before[1],
            weight=weight,
            stride=part.stride[0],
            padding=part.padding[0],
            dilation=part.dilation[0],
            groups=1,
            bias=bias,
        )
    return nir.Conv2d(
        input_shape=tuple(before[1:]),
        weight=weight,
        stride=part.stride,
        padding=part.padding,
        dilation=part.dilation,
        groups=1,
        bias=bias,
    )

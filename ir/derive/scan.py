"""The scan layout: a drop-in model whose time is a Scan over the step graph.

For networks whose batch axis is not free (folding time into it would mix samples or timesteps).
Inputs, outputs and the optional ``timesteps`` are those of the folded file. Around the Scan:

* the prologue (work on raw inputs) runs once, before it;
* the settled graph runs once, only to give the states their shapes;
* every state enters as zeros, flattened to float[n] (older onnxruntime needs known ranks);
* read-outs hand their latest value on as one more state; the head runs once, after it.

:func:`onnx2snn.ir.derive.unscan.unscan` gives the folded graph back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.ir.derive.parts import Parts, assemble, float_tensor, split_parts
from onnx2snn.ir.derive.settle import settled_bodies, settled_node
from onnx2snn.ir.derive.step import clock_name, step_bodies, step_node, step_states
from onnx2snn.ir.derive.unscan import GLUE, SCAN, scan_node
from onnx2snn.ir.grammar import check_grammar
from onnx2snn.ir.manifest import MANIFEST_KEY
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, RunningReadOut, spiking_op

_MINUS_ONE = GLUE + "minus_one"
_ONE = GLUE + "one"


@dataclass(frozen=True)
class _Carried:
    """A tensor handed from one timestep to the next.

    Attributes:
        before: its name at the start of the timestep, [N, *F]; empty if the step ignores it.
        after: its name at the end of the timestep.
        like: stream whose one-timestep shape it has.
    """

    before: str
    after: str
    like: str

    @property
    def key(self) -> str:
        return GLUE + self.after.removeprefix(GLUE)


def to_scan(model: SpikingModel) -> SpikingModel:
    """Return the same spiking model in the scan layout.

    Raises:
        InvariantError: the model breaks the grammar.
    """
    if scan_node(model.light) is not None:
        return model
    graph = model.light.graph
    parts = split_parts(graph)
    clock = clock_name(graph)
    values = [node.output[0] for node in parts.body if _is_read_out(node)]
    carried = [_Carried(s.input, s.output, s.like) for s in step_states(parts.body)]
    carried += [_Carried("", GLUE + value, value) for value in values]
    nodes = [
        *parts.prologue,
        *_settled_pass(parts),
        *_start(carried, model.timesteps_input),
        _scan(parts, carried, model.timesteps_input, clock),
        *_finish(values),
        *parts.head,
    ]
    constants = [
        numpy_helper.from_array(np.array([-1], np.int64), _MINUS_ONE),
        numpy_helper.from_array(np.array(1, np.int64), _ONE),
    ]
    functions = [*step_bodies(parts.body), *settled_bodies(parts.body)]
    proto = assemble(model.light, nodes, graph.input, graph.output, functions, constants)
    proto.doc_string = model.light.doc_string
    proto.producer_version = model.light.producer_version
    manifest = model.manifest.model_copy(update={"layout": "scan"})
    helper.set_model_props(proto, {MANIFEST_KEY: manifest.model_dump_json()})
    check_grammar(proto)
    return SpikingModel(proto, model.weights)


def _is_read_out(node: onnx.NodeProto) -> bool:
    return node.domain == DOMAIN and isinstance(spiking_op(node), RunningReadOut)


def _settled_pass(parts: Parts) -> list[onnx.NodeProto]:
    """Return the body once more, settled and under other names: it gives the shapes."""
    made = {name for node in parts.body for name in node.output}
    nodes = []
    for node in map(settled_node, parts.body):
        inputs = [_settled(name) if name in made else name for name in node.input]
        outputs = [_settled(name) for name in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = _settled(node.name) or outputs[0]
        nodes.append(node)
    return nodes


def _settled(name: str) -> str:
    return f"{GLUE}settled/{name}" if name else ""


def _start(carried: Sequence[_Carried], timesteps: str) -> list[onnx.NodeProto]:
    """Return the nodes that make the clock and the initial states: zeros, flat."""
    nodes = [
        _glue("Add", [timesteps, _ONE], GLUE + "end"),
        _glue("Range", [_ONE, GLUE + "end", _ONE], GLUE + "clock"),
    ]
    for tensor in carried:
        key = tensor.key
        nodes += [
            _glue("Shape", [_settled(tensor.like)], key + "/shape"),
            _glue("Size", [_settled(tensor.like)], key + "/size"),
            _glue("Reshape", [key + "/size", _MINUS_ONE], key + "/length"),
            _glue("ConstantOfShape", [key + "/length"], key + "/start"),
        ]
    return nodes


def _scan(parts: Parts, carried: Sequence[_Carried], timesteps: str, clock: str) -> onnx.NodeProto:
    nodes = [
        _glue("Reshape", [c.key + "/before", c.key + "/shape"], c.before)
        for c in carried
        if c.before
    ]
    for node in parts.body:
        step = step_node(node, timesteps, clock)
        if _is_read_out(node):
            step.output[0] = GLUE + step.output[0]
        nodes.append(step)
    nodes += [_glue("Reshape", [c.after, _MINUS_ONE], c.key + "/after") for c in carried]
    body = helper.make_graph(
        nodes,
        "timestep",
        [float_tensor(c.key + "/before", [c.key]) for c in carried]
        + [helper.make_tensor_value_info(clock, onnx.TensorProto.INT64, [])],
        [float_tensor(c.key + "/after", [c.key]) for c in carried],
    )
    return helper.make_node(
        "Scan",
        [*(c.key + "/start" for c in carried), GLUE + "clock"],
        [c.key + "/last" for c in carried],
        name=SCAN,
        num_scan_inputs=1,
        body=body,
    )


def _finish(values: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the nodes that give the last decoded values their shapes and names."""
    return [
        _glue("Reshape", [f"{GLUE}{value}/last", f"{GLUE}{value}/shape"], value) for value in values
    ]


def _glue(op_type: str, inputs: Sequence[str], output: str) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, [output], f"{GLUE}{output.removeprefix(GLUE)}")

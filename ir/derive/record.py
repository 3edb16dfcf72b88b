"""Recording: what neurons emitted, as further outputs of a body or step model.

An *event* is one digit of one emission: a unit spike is one event, a graded emission of k powers
of two is k events. Digits are counted as the neuron makes them, largest first
(:mod:`onnx2snn.ir.ops.graded_integrate_fire`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import DOMAIN, MAX_DIGITS, DirectCurrent, Neuron, RunningReadOut, spiking_op
from onnx2snn.ir.ops.graded_integrate_fire import GradedIntegrateFire
from onnx2snn.ir.ops.max_pool import IncrementMaxPool, MembraneMaxPool

_ONE_STEP = "onnx2snn/record/one"
_COUNT_DIGIT = """
  scaled_{k} = Mul (gap_{k}, four_thirds)
  split_{k} = Mul (scaled_{k}, split_factor)
  tail_{k} = Mul (split_{k}, below_one)
  digit_{k} = Sub (split_{k}, tail_{k})
  gap_{next} = Sub (gap_{k}, digit_{k})
  is_{next} = Cast <to = 9> (gap_{next})
  one_{next} = Cast <to = 1> (is_{next})
  sum_{next} = Add (sum_{k}, one_{next})
"""


@dataclass(frozen=True)
class Source:
    """One operator whose emissions are events.

    Attributes:
        name: name of the layer: its node's.
        stream: the stream it emits.
        op: its operator.
        quantum: name of its quantum; empty if an emission has no unit.
        digits: most digits one emission has.
        spiking: whether the emissions are spikes; those of ``MembraneMaxPool`` are currents.
    """

    name: str
    stream: str
    op: str
    quantum: str
    digits: int
    spiking: bool

    @property
    def events(self) -> str:
        """Return the output with the events per timestep and unit, [T, 1, *F] or [T, N, *F]."""
        return f"onnx2snn/record/{self.stream}/events"

    @property
    def negative(self) -> str:
        """Return the output with the negative events per timestep and sample, [T, N]."""
        return f"onnx2snn/record/{self.stream}/negative"

    @property
    def count(self) -> str:
        """Return the output with the signed sum of emissions in quanta, [N, *F]."""
        return f"onnx2snn/record/{self.stream}/count"

    @property
    def outputs(self) -> tuple[str, str, str]:
        """Return the names of the three outputs."""
        return (self.events, self.negative, self.count)


def sources(model: SpikingModel) -> tuple[Source, ...]:
    """Return the operators of a spiking model that emit events: neurons and max-pools."""
    return tuple(_sources(model.plain.graph.node))


def _sources(nodes: Sequence[onnx.NodeProto]) -> Iterator[Source]:
    for node in nodes:
        if node.domain != DOMAIN:
            continue
        op = spiking_op(node)
        if isinstance(op, (DirectCurrent, RunningReadOut)):
            continue
        named = dict(zip(op.inputs, node.input, strict=True))
        digits = 1
        if isinstance(op, GradedIntegrateFire):
            digits = op.digits
        elif isinstance(op, IncrementMaxPool):
            digits = MAX_DIGITS
        quantum = named.get("quantum", "") if isinstance(op, (Neuron, IncrementMaxPool)) else ""
        yield Source(
            name=node.name or node.output[0],
            stream=node.output[0],
            op=op.name,
            quantum=quantum,
            digits=digits,
            spiking=not isinstance(op, MembraneMaxPool),
        )


def record(
    body: onnx.ModelProto,
    recorded: Sequence[Source],
    *,
    timesteps: str | None,
    sum_batch: bool = True,
    streams: bool = False,
) -> onnx.ModelProto:
    """Add the outputs of every source to a body or step model.

    Args:
        body: a running body (streams [T*N, *F]) or a step model (T = 1).
        recorded: the sources, see :func:`sources`.
        timesteps: name of the input T of the body; None for a step model.
        sum_batch: sum events over the batch; else keep [T, N, *F].
        streams: whether the emissions themselves, in quanta, become outputs as well, under the
            stream's own name.
    """
    model = onnx.ModelProto()
    model.CopyFrom(body)
    if not recorded:
        return model
    graph = model.graph
    if timesteps is None:
        timesteps = _ONE_STEP
        graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), _ONE_STEP))
    for source in recorded:
        name = f"Events_x{source.digits}" + ("" if source.quantum else "_Unitless")
        name += "" if sum_batch else "_PerSample"
        inputs = [source.stream, timesteps, *([source.quantum] if source.quantum else [])]
        graph.node.append(helper.make_node(name, inputs, list(source.outputs), domain=DOMAIN))
        if name not in {function.name for function in model.functions}:
            model.functions.append(_events_body(name, source, sum_batch))
        wanted = [*source.outputs, *([source.stream] if streams else [])]
        graph.output.extend(
            helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None) for output in wanted
        )
    return model


def _events_body(name: str, source: Source, sum_batch: bool) -> onnx.FunctionProto:
    """Return the function that counts events of a stream; see :class:`Source`."""
    digits, has_quantum = source.digits, bool(source.quantum)
    per_unit = "ReduceSum <keepdims = 1> (unfolded_events, one)"
    split = "\n".join(_COUNT_DIGIT.format(k=k, next=k + 1) for k in range(1, digits))
    emission = "ratio = Div (x, quantum)\n  gap_1 = Round (ratio)"
    signature = "x, timesteps, quantum" if has_quantum else "x, timesteps"
    return parser.parse_function(f"""<domain: "{DOMAIN}", opset_import: ["": 21]>
{name} ({signature}) => (events, negative, count) {{
  four_thirds = Constant <value_float = {float(np.float32(4.0 / 3.0))!r}> ()
  split_factor = Constant <value_float = {2.0**23 + 1.0!r}> ()
  below_one = Constant <value_float = {1.0 - 2.0**-24!r}> ()
  {emission if has_quantum else "gap_1 = Identity (x)"}
  is_1 = Cast <to = 9> (gap_1)
  sum_1 = Cast <to = 1> (is_1)
{split}
  one = Constant <value_ints = [1]> ()
  steps = Reshape (timesteps, one)
  rows = Shape <start = 0, end = 1> (x)
  batch = Div (rows, steps)
  features = Shape <start = 1> (x)
  unfolded = Concat <axis = 0> (steps, batch, features)
  unfolded_events = Reshape (sum_{digits}, unfolded)
  events = {per_unit if sum_batch else "Identity (unfolded_events)"}
  nothing = Constant <value_float = 0.0> ()
  is_negative = Less (gap_1, nothing)
  negative_unit = Where (is_negative, sum_{digits}, nothing)
  rest = Constant <value_ints = [-1]> ()
  by_sample = Concat <axis = 0> (steps, batch, rest)
  negative_rows = Reshape (negative_unit, by_sample)
  last = Constant <value_ints = [2]> ()
  negative = ReduceSum <keepdims = 0> (negative_rows, last)
  emitted = Reshape (gap_1, unfolded)
  zero = Constant <value_ints = [0]> ()
  count = ReduceSum <keepdims = 0> (emitted, zero)
}}""")

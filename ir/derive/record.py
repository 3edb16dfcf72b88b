"""Recording: what neurons emitted, as further outputs of a body or step model.

An *event* is one digit of one emission: a unit spike is one event, a graded emission of k powers
of two is k events. Digits are counted as the neuron makes them, largest first
(:mod:`onnx2snn.ir.ops.graded_integrate_fire`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from onnx2snn.ir.derive.parts import float_tensor
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import (
    DOMAIN,
    MAX_DIGITS,
    DirectCurrent,
    Estimate,
    Hold,
    Increment,
    RunningReadOut,
    TemporalBias,
    spiking_op,
)
from onnx2snn.ir.ops.graded_integrate_fire import BELOW_ONE, SPLIT_FACTOR, GradedIntegrateFire
from onnx2snn.ir.ops.max_pool import IncrementMaxPool, MembraneMaxPool
from onnx2snn.ir.types import Array

SEGMENTS = "onnx2snn/record/segments"
_ONE_STEP = "onnx2snn/record/one"
_COUNT_DIGIT = """
  split_{k} = Mul (gap_{k}, split_factor)
  tail_{k} = Mul (split_{k}, below_one)
  digit_{k} = Sub (split_{k}, tail_{k})
  gap_{next} = Sub (gap_{k}, digit_{k})
  sign_{next} = Sign (gap_{next})
  one_{next} = Abs (sign_{next})
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
        spiking: whether the emissions are spikes; those of ``MembraneMaxPool`` and ``Increment``
            are currents.
    """

    name: str
    stream: str
    op: str
    quantum: str
    digits: int
    spiking: bool

    @property
    def events(self) -> str:
        """Return the output with the events per timestep and sample, [T, N]."""
        return f"onnx2snn/record/{self.stream}/events"

    @property
    def maps(self) -> str:
        """Return the output with the events per segment and unit, [K, 1, *F] or [K, N, *F]."""
        return f"onnx2snn/record/{self.stream}/maps"

    @property
    def negative(self) -> str:
        """Return the output with the negative events per timestep and sample, [T, N]."""
        return f"onnx2snn/record/{self.stream}/negative"

    @property
    def count(self) -> str:
        """Return the output with the signed sum of emissions in quanta, [N, *F]."""
        return f"onnx2snn/record/{self.stream}/count"

    @property
    def outputs(self) -> tuple[str, str, str, str]:
        """Return the names of the four outputs."""
        return (self.maps, self.events, self.negative, self.count)


@dataclass(frozen=True)
class Counter:
    """What a node that counts events is told by its name.

    Attributes:
        digits: most digits one emission has.
        unitless: whether emissions have no quantum.
        per_sample: whether the maps of the samples are kept apart.
    """

    digits: int
    unitless: bool
    per_sample: bool

    @property
    def name(self) -> str:
        """Return the operator's name."""
        name = f"Events_x{self.digits}" + ("_Unitless" if self.unitless else "")
        return name + ("_PerSample" if self.per_sample else "")


_COUNTERS = {
    counter.name: counter
    for counter in (
        Counter(digits, unitless, per_sample)
        for digits in range(1, MAX_DIGITS + 1)
        for unitless in (False, True)
        for per_sample in (False, True)
    )
}


def counter_of(node: onnx.NodeProto) -> Counter | None:
    """Return what a node counts; None if it is no counter of events."""
    return _COUNTERS.get(node.op_type) if node.domain == DOMAIN else None


def sources(model: SpikingModel) -> tuple[Source, ...]:
    """Return the operators of a spiking model that emit: neurons, max-pools, lifts."""
    return tuple(_sources(model.plain.graph.node))


def _sources(nodes: Sequence[onnx.NodeProto]) -> Iterator[Source]:
    for node in nodes:
        if node.domain != DOMAIN:
            continue
        op = spiking_op(node)
        if isinstance(op, (DirectCurrent, RunningReadOut, Estimate, Hold, TemporalBias)):
            continue
        named = dict(zip(op.inputs, node.input, strict=True))
        digits = 1
        if isinstance(op, GradedIntegrateFire):
            digits = op.digits
        elif isinstance(op, IncrementMaxPool):
            digits = MAX_DIGITS
        yield Source(
            name=node.name or node.output[0],
            stream=node.output[0],
            op=op.name,
            quantum=named.get("quantum", ""),
            digits=digits,
            spiking=not isinstance(op, (MembraneMaxPool, Increment)),
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
        timesteps: name of the input T of the body; None for a step model. A body gets one more
            input, :data:`SEGMENTS`; see :func:`segments`.
        sum_batch: sum maps over the batch; else keep [K, N, *F].
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
        graph.initializer.append(numpy_helper.from_array(np.ones((1, 1), np.float32), SEGMENTS))
    else:
        graph.input.append(float_tensor(SEGMENTS, ["K", "T"]))
    counters = {}
    for source in recorded:
        name = Counter(source.digits, not source.quantum, not sum_batch).name
        inputs = [source.stream, timesteps, SEGMENTS]
        inputs += [source.quantum] if source.quantum else []
        counters[source.stream] = helper.make_node(
            name, inputs, list(source.outputs), domain=DOMAIN
        )
        if name not in {function.name for function in model.functions}:
            model.functions.append(_events_body(name, source, sum_batch))
        wanted = [*source.outputs, *([source.stream] if streams else [])]
        graph.output.extend(
            helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None) for output in wanted
        )
    nodes = [following for node in graph.node for following in _followed(node, counters)]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def segments(timesteps: int, at: Sequence[int]) -> Array:
    """Return the value of the input :data:`SEGMENTS`, float32 [K, T].

    Row k selects the timesteps after the k-1st point up to the kth.

    Args:
        timesteps: T.
        at: K ascending points, each in 1..T.
    """
    clock = np.arange(1, timesteps + 1)
    starts = (0, *at[:-1])
    rows = [(clock > start) & (clock <= end) for start, end in zip(starts, at, strict=True)]
    return np.asarray(rows, dtype=np.float32)


def _followed(
    node: onnx.NodeProto, counters: Mapping[str, onnx.NodeProto]
) -> Iterator[onnx.NodeProto]:
    """Yield a node and, right behind it, what counts its events: so streams need not wait."""
    yield node
    yield from (counters[name] for name in node.output if name in counters)


def _events_body(name: str, source: Source, sum_batch: bool) -> onnx.FunctionProto:
    """Return the function that counts events of a stream; see :class:`Source`."""
    inputs = "x, timesteps, segments" + (", quantum" if source.quantum else "")
    summed = "ReduceSum <keepdims = 1> (unfolded_events, one)"
    in_quanta = "ratio = Div (charge, quantum)\n  count = Round (ratio)"
    return parser.parse_function(f"""<domain: "{DOMAIN}", opset_import: ["": 21]>
{name} ({inputs}) => (maps, events, negative, count) {{
  sign = Sign (x)
  {_digits(source.digits)}
  one = Constant <value_ints = [1]> ()
  steps = Reshape (timesteps, one)
  rows = Shape <start = 0, end = 1> (x)
  batch = Div (rows, steps)
  features = Shape <start = 1> (x)
  unfolded = Concat <axis = 0> (steps, batch, features)
  unfolded_events = Reshape (digits, unfolded)
  by_step = {summed if sum_batch else "Identity (unfolded_events)"}
  flat = Flatten <axis = 1> (by_step)
  by_segment = MatMul (segments, flat)
  one_step = Shape <start = 1> (by_step)
  rest = Constant <value_ints = [-1]> ()
  segment_shape = Concat <axis = 0> (rest, one_step)
  maps = Reshape (by_segment, segment_shape)
  by_sample = Concat <axis = 0> (steps, batch, rest)
  last = Constant <value_ints = [2]> ()
  signed = {"Mul (digits, sign)" if source.digits > 1 else "Identity (sign)"}
  signed_rows = Reshape (signed, by_sample)
  difference = ReduceSum <keepdims = 0> (signed_rows, last)
  digit_rows = Reshape (digits, by_sample)
  events = ReduceSum <keepdims = 0> (digit_rows, last)
  twice = Sub (events, difference)
  half = Constant <value_float = 0.5> ()
  negative = Mul (twice, half)
  emitted = Reshape (x, unfolded)
  zero = Constant <value_ints = [0]> ()
  charge = ReduceSum <keepdims = 0> (emitted, zero)
  {in_quanta if source.quantum else "count = Identity (charge)"}
}}""")


def _digits(most: int) -> str:
    """Return ONNX text for ``digits``, the events of every emission, from x, quantum and sign."""
    if most == 1:
        return "digits = Abs (sign)"
    lines = f"""ratio_x = Div (x, quantum)
  gap_1 = Round (ratio_x)
  sum_1 = Abs (sign)
  split_factor = Constant <value_float = {float(SPLIT_FACTOR)!r}> ()
  below_one = Constant <value_float = {float(BELOW_ONE)!r}> ()
"""
    lines += "\n".join(_COUNT_DIGIT.format(k=k, next=k + 1) for k in range(1, most))
    return f"{lines}\n  digits = Identity (sum_{most})"

"""The corrected network: the spiking network with a switch for every error of every layer.

Behind each neuron and each gated max-pool stands a correction. It sums the stream over the T
timesteps, compares the count with the count that the charge justifies, and adds the difference,
error by error, to the last timestep, where its switch is on. With all switches off it is the
spiking network; with all on every layer is its continuous activation, whatever it received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.ir.derive.parts import assemble, float_tensor
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.ops import (
    DOMAIN,
    GatedMaxPool,
    HardResetIntegrateFire,
    IncrementMaxPool,
    IntegrateFire,
    Neuron,
    Scheduled,
    SignedIntegrateFire,
    SpikingOp,
    spiking_op,
)
from onnx2snn.ir.ops.base import function
from onnx2snn.ir.ops.max_pool import POOL_ATTRIBUTES
from onnx2snn.runtime.diagnose.kinds import KINDS

PREFIX = "onnx2snn/diagnose"
SWITCHES = f"{PREFIX}/switches"
UNLIMITED = float(2**22)

_SUM = """
  one = Constant <value_ints = [1]> ()
  steps = Reshape (timesteps, one)
  rows = Shape <start = 0, end = 1> (emitted)
  features = Shape <start = 1> (emitted)
  batch = Div (rows, steps)
  unfolded = Concat <axis = 0> (steps, batch, features)
  by_step = Reshape (emitted, unfolded)
  axes = Constant <value_ints = [0]> ()
  sum = ReduceSum <keepdims = 0> (by_step, axes)
"""
_ADD_AT_THE_END = """
  final = Add (sum, extra)
  begin = Constant <value_ints = [0]> ()
  end = Constant <value_ints = [-1]> ()
  far = Constant <value_ints = [9223372036854775807]> ()
  early = Slice (by_step, begin, end, axes)
  last = Slice (by_step, end, far, axes)
  extra_step = Unsqueeze (extra, axes)
  ended = Add (last, extra_step)
  corrected = Concat <axis = 0> (early, ended)
  folded = Concat <axis = 0> (rows, features)
  y = Reshape (corrected, folded)
"""
_ORDER = (
    *("clipped", "rounding", "missing_kept", "taken_back", "premature", "missing_lost"),
    "gate_error",
)


def _switch(name: str, index: int) -> str:
    return f"""
  at_{name} = Constant <value_int = {index}> ()
  on_{name} = Gather <axis = 0> (on, at_{name})
  term_{name} = Mul ({name}, on_{name})
"""


def _squares(names: Sequence[str], unit: str) -> str:
    """Return ONNX text of ``parts``: the squared norm of every error."""
    lines = ["  flat_shape = Constant <value_ints = [1]> ()"]
    for name in names:
        lines.append(f"  charge_{name} = Mul ({name}, {unit})")
        lines.append(f"  square_{name} = ReduceSumSquare <keepdims = 0> (charge_{name})")
        lines.append(f"  flat_{name} = Reshape (square_{name}, flat_shape)")
    lines.append(f"  parts = Concat <axis = 0> ({', '.join(f'flat_{name}' for name in names)})")
    return "\n".join(lines)


_NEURON_ERRORS = _ORDER[:6]

CORRECT_NEURON = function(f"""
Diagnose_Neuron (emitted, level, quantum, low, high, free, steps_own, start, below, retracts,
                 loses, on, timesteps) => (y, final, parts) {{
{_SUM}
  zero = Constant <value_float = 0.0> ()
  exact_count = Div (sum, quantum)
  count = Round (exact_count)
  floored = Floor (level)
  capped = Min (floored, high)
  justified = Max (capped, low)
  missing = Sub (justified, count)
  short = Max (missing, zero)
  missing_lost = Mul (short, loses)
  missing_kept = Sub (short, missing_lost)
  excess = Min (missing, zero)
  potential = Sub (level, count)
  is_pending = Less (potential, below)
  pending_one = Cast <to = 1> (is_pending)
  pending = Mul (pending_one, retracts)
  taken_back = Mul (excess, pending)
  premature = Sub (excess, taken_back)
  unlimited = Constant <value_float = {UNLIMITED}> ()
  open_high = Where (free, unlimited, high)
  below_all = Neg (unlimited)
  signed = Less (low, zero)
  goes_lower = And (free, signed)
  open_low = Where (goes_lower, below_all, low)
  wide_capped = Min (floored, open_high)
  wide = Max (wide_capped, open_low)
  clipped = Sub (wide, justified)
  at_open = Constant <value_int = 0> ()
  on_open = Gather <axis = 0> (on, at_open)
  is_open = Greater (on_open, zero)
  top = Where (is_open, open_high, high)
  bottom = Where (is_open, open_low, low)
  smooth_level = Sub (level, start)
  smooth_capped = Min (smooth_level, top)
  smooth = Max (smooth_capped, bottom)
  stair = Where (is_open, wide, justified)
  between = Sub (smooth, stair)
  unit = Constant <value_float = 1.0> ()
  not_own = Sub (unit, steps_own)
  rounding = Mul (between, not_own)
{"".join(_switch(name, index) for index, name in enumerate(_NEURON_ERRORS))}
  correction = Sum ({", ".join(f"term_{name}" for name in _NEURON_ERRORS)})
  extra = Mul (correction, quantum)
{_ADD_AT_THE_END}
{_squares(_NEURON_ERRORS, "quantum")}
}}""")

CORRECT_GATE = function(f"""
Diagnose_Gate <kernel_shape, strides, pads, dilations, ceil_mode> (x, emitted, on, timesteps)
=> (y, final, parts) {{
{_SUM}
  x_rows = Shape <start = 0, end = 1> (x)
  x_features = Shape <start = 1> (x)
  x_unfolded = Concat <axis = 0> (steps, batch, x_features)
  x_steps = Reshape (x, x_unfolded)
  x_sum = ReduceSum <keepdims = 0> (x_steps, axes)
  highest = MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides,
    pads: ints = @pads, dilations: ints = @dilations, ceil_mode: int = @ceil_mode> (x_sum)
  gate_error = Sub (highest, sum)
  unit = Constant <value_float = 1.0> ()
{_switch("gate_error", 6)}
  extra = Identity (term_gate_error)
{_ADD_AT_THE_END}
{_squares(("gate_error",), "unit")}
}}""")


@dataclass(frozen=True)
class Part:
    """One layer of neurons, or one gated max-pool, with its switches.

    Attributes:
        name: of the node.
        op: its operator.
        row: its row of the switches.
        quantum: its threshold; None for a pool.
        low: lower bound on the count.
        high: upper bound on the count after T timesteps.
    """

    name: str
    op: SpikingOp
    row: int
    quantum: np.ndarray | None
    low: float
    high: float

    @property
    def final(self) -> str:
        """Return the output with the sum of its stream, [N, *F]."""
        return f"{PREFIX}/final/{self.row}"

    @property
    def parts(self) -> str:
        """Return the output with the squared norm of each of its errors."""
        return f"{PREFIX}/parts/{self.row}"

    @property
    def free(self) -> str:
        """Return the input that says where the bounds are no bounds of the ANN."""
        return f"{PREFIX}/free/{self.row}"

    @property
    def steps_own(self) -> str:
        """Return the input that is 1 if the ANN's activation has the same steps."""
        return f"{PREFIX}/steps_own/{self.row}"

    @property
    def kinds(self) -> tuple[int, ...]:
        """Return the errors it can make, as indices of KINDS in the order of ``parts``."""
        return tuple(range(6)) if isinstance(self.op, Neuron) else (6,)


@dataclass(frozen=True)
class CorrectedNetwork:
    """The network with switches.

    Attributes:
        proto: inputs are those of the spiking network, SWITCHES (float [parts, kinds]), and
            ``free`` and ``steps_own`` of every layer of neurons; outputs are the ANN's, and
            ``final`` and ``parts`` of every part.
        parts: layers and gated pools in topological order.
    """

    proto: onnx.ModelProto
    parts: tuple[Part, ...]


def correct(model: SpikingModel, timesteps: int) -> CorrectedNetwork:
    """Build the network with switches for a run of T timesteps."""
    builder = _Builder(model, timesteps)
    plain = model.plain
    for node in plain.graph.node:
        builder.take(node)
    ops = {n.op_type: spiking_op(n) for n in plain.graph.node if n.domain == DOMAIN}
    neurons = [op for op in ops.values() if isinstance(op, Neuron)]
    bodies = [op.sequence_body() for op in ops.values()]
    bodies += [op.level_body() for op in neurons]
    bodies += [CORRECT_NEURON] if neurons else []
    bodies += [CORRECT_GATE] if {GatedMaxPool.name, IncrementMaxPool.name} & set(ops) else []
    inputs = [*plain.graph.input, float_tensor(SWITCHES, [None, len(KINDS)]), *builder.inputs]
    outputs = [*plain.graph.output, *builder.outputs]
    proto = assemble(plain, builder.nodes, inputs, outputs, bodies, builder.constants)
    return CorrectedNetwork(proto, tuple(builder.parts))


class _Builder:
    """Walks the graph once and puts a correction behind every neuron and gated pool."""

    def __init__(self, model: SpikingModel, timesteps: int) -> None:
        self._timesteps = timesteps
        self._clock = model.timesteps_input
        self._any_on = ""
        self._layers = {layer.output: layer for layer in model.neurons}
        self.nodes: list[onnx.NodeProto] = []
        self.parts: list[Part] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []

    def take(self, node: onnx.NodeProto) -> None:
        op = spiking_op(node) if node.domain == DOMAIN else None
        if isinstance(op, IncrementMaxPool):
            self._complete_pool(self._renamed(node), node.output[0])
            return
        if not isinstance(op, Neuron | GatedMaxPool):
            self.nodes.append(node)
            return
        layer = self._layers.get(node.output[0])
        bounds = (0.0, 0.0) if layer is None else (layer.n_min, layer.n_max)
        low, high = _bounds(op, *bounds, self._timesteps)
        part = Part(
            name=node.name or node.output[0],
            op=op,
            row=len(self.parts),
            quantum=None if layer is None else layer.quantum,
            low=low,
            high=high,
        )
        self.parts.append(part)
        self.outputs += [float_tensor(part.final), float_tensor(part.parts)]
        raw = self._renamed(node)
        row = self._row(part)
        if isinstance(op, Neuron):
            self._correct_neuron(raw, node.output[0], op, part, row)
        else:
            self._correct_gate(raw, node.output[0], part, row)

    def _renamed(self, node: onnx.NodeProto) -> onnx.NodeProto:
        raw = onnx.NodeProto()
        raw.CopyFrom(node)
        raw.output[0] = f"{node.output[0]}/emitted"
        self.nodes.append(raw)
        return raw

    def _row(self, part: Part) -> str:
        index = self._constant(f"row/{part.row}", np.asarray(part.row, np.int64))
        row = f"{PREFIX}/on/{part.row}"
        self.nodes.append(helper.make_node("Gather", [SWITCHES, index], [row], axis=0))
        return row

    def _correct_neuron(
        self, raw: onnx.NodeProto, output: str, op: Neuron, part: Part, row: str
    ) -> None:
        level = onnx.NodeProto()
        level.CopyFrom(raw)
        level.op_type, level.name = f"{op.name}_Level", f"{PREFIX}/level/{part.row}"
        level.output[0] = level.name
        given = {a.name: a.f for a in raw.attribute}
        start = given.get("initial_potential", op.attributes.get("initial_potential", 0.5))
        below = given.get("negative_threshold", op.attributes.get("negative_threshold", 0.0))
        retracts = float(not isinstance(op, IntegrateFire))
        loses = float(isinstance(op, HardResetIntegrateFire))
        scalars = {
            "low": part.low,
            "high": part.high,
            "start": start,
            "below": below,
            "retracts": retracts,
            "loses": loses,
        }
        named = {
            name: self._constant(f"{name}/{part.row}", np.asarray(value, np.float32))
            for name, value in scalars.items()
        }
        bools = helper.make_tensor_value_info(part.free, onnx.TensorProto.BOOL, None)
        self.inputs += [bools, float_tensor(part.steps_own, [])]
        inputs = [
            raw.output[0],
            level.output[0],
            raw.input[op.inputs.index("quantum")],
            named["low"],
            named["high"],
            part.free,
            part.steps_own,
            *(named[name] for name in ("start", "below", "retracts", "loses")),
            row,
            self._clock,
        ]
        outputs = [output, part.final, part.parts]
        self.nodes += [
            level,
            helper.make_node(CORRECT_NEURON.name, inputs, outputs, domain=DOMAIN),
        ]

    def _correct_gate(self, raw: onnx.NodeProto, output: str, part: Part, row: str) -> None:
        self._pool_correction(raw, row, [output, part.final, part.parts])

    def _complete_pool(self, raw: onnx.NodeProto, output: str) -> None:
        """Let parts of a quantum through a pool of counts, which would round them away.

        Without corrections there are none, and the pool stays as it is.
        """
        if not self._any_on:
            self._any_on = f"{PREFIX}/any_on"
            size = self._constant("one_row", np.asarray([len(KINDS)], np.int64))
            total, zero = f"{PREFIX}/total_on", self._constant("none_on", np.zeros((), np.float32))
            self.nodes += [
                helper.make_node("ReduceSum", [SWITCHES], [total], keepdims=0),
                helper.make_node("Greater", [total, zero], [f"{total}/is"]),
                helper.make_node("Cast", [f"{total}/is"], [f"{total}/one"], to=1),
                helper.make_node("Expand", [f"{total}/one", size], [self._any_on]),
            ]
        ends = [output, f"{output}/completed", f"{output}/completed_parts"]
        self._pool_correction(raw, self._any_on, ends)

    def _pool_correction(self, raw: onnx.NodeProto, on: str, outputs: list[str]) -> None:
        given = {a.name: helper.get_attribute_value(a) for a in raw.attribute}
        self.nodes.append(
            helper.make_node(
                CORRECT_GATE.name,
                [raw.input[0], raw.output[0], on, self._clock],
                outputs,
                domain=DOMAIN,
                **{name: given[name] for name in POOL_ATTRIBUTES},
            )
        )

    def _constant(self, name: str, value: np.ndarray) -> str:
        full = f"{PREFIX}/{name}"
        self.constants.append(numpy_helper.from_array(value, full))
        return full


def _bounds(op: SpikingOp, n_min: float, n_max: float, timesteps: int) -> tuple[float, float]:
    """Return the least and the greatest count that the operator's law allows.

    A count without a bound of its own is bounded by one spike a timestep: the range of rate coding.
    """
    binary = isinstance(op, IntegrateFire)
    unit = binary or isinstance(op, SignedIntegrateFire)
    free = n_max >= UNLIMITED or (binary and not isinstance(op, Scheduled))
    high = float(timesteps) if unit and free else n_max
    low = -float(timesteps) if unit and n_min <= -UNLIMITED else n_min
    return 0.0 if binary else low, high

"""What all integrate-and-fire neurons share: parameters, layout and the outer bodies.

A neuron receives charge from its synapses and a constant input current c during the S stimulus
steps. It emits ``n`` signed quanta of size ``quantum`` (its threshold theta), so the stream it
emits sums to ``n * quantum``. Kinds differ only in how many quanta one timestep may emit.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import onnx

from onnx2snn.ir.ops.base import GAINS, STEP_GAIN, UNFOLD, SpikingOp, function, gain
from onnx2snn.ir.somas import Soma
from onnx2snn.ir.types import Alphabet, Array, Parameters, State

_ROWS = """
  quantum_full = Expand (quantum, sample)
  quantum_row = Reshape (quantum_full, row)
  current_full = Expand (current, sample)
  current_row = Reshape (current_full, row)
"""


_CLOCKS = """
  clock_flat = Cast <to = 1> (clock)
  clocks = Reshape (clock_flat, column)
"""
_NOW = """
  now = Cast <to = 1> (t)
"""


class Neuron(SpikingOp):
    """An integrate-and-fire neuron with soft reset and soma f.

    Inputs of the sequence body: the stream x [T*N, *F]; ``quantum`` > 0, ``current`` and the
    soma's parameters, all broadcastable to [1, *F]; the scalar bounds ``n_min`` <= n <= ``n_max``
    on the count; int64 scalars ``timesteps`` T and ``stimulus`` S.

    Attributes:
        kind: first part of the ``op_type``.
        alphabet: what one emission may be.
        next_state: names that the bodies give to the states after a timestep, as ``state``.
        emitted: name of what the bodies emit, in quanta.
        uses_clock: whether the bodies read ``now``, the timestep as a float.
    """

    state: ClassVar[tuple[str, ...]] = ("charge", "count")
    kind: ClassVar[str]
    alphabet: ClassVar[Alphabet]
    next_state: ClassVar[tuple[str, ...]] = ("integrated", "counted")
    emitted: ClassVar[str] = "emission"
    uses_clock: ClassVar[bool] = False

    def __init__(self, soma: Soma, suffix: str = "") -> None:
        self.soma = soma
        self.name = self.kind + (f"_{soma.name}" if soma.name else "") + suffix
        self.inputs = (
            "x",
            "quantum",
            "current",
            *soma.parameters,
            "n_min",
            "n_max",
            "timesteps",
            "stimulus",
        )

    @abstractmethod
    def emit_nodes(self) -> str:
        """Return ONNX text that computes ``emission`` (in quanta) from ``level`` and ``count``.

        ``level`` is f(charge + g c) / quantum + v_0, with v_0 the initial potential.
        """

    @abstractmethod
    def emit(self, level: Array, count: Array, parameters: Parameters) -> Array:
        """Return the emission in quanta; the numpy form of ``emit_nodes``."""

    def update_nodes(self) -> str:
        """Return ONNX text of the next states but the charge, from what ``emit_nodes`` made."""
        return "counted = Add (count, emission)"

    @property
    def constants(self) -> str:
        """Return ONNX text of the constants that ``emit_nodes`` needs."""
        return "half = Constant <value_float = 0.5> ()\n"

    def settle_nodes(self) -> str:
        """Return ONNX text that computes the settled ``total`` (in quanta) from ``level``."""
        return "floored = Floor (level)\n total = Clip (floored, n_min, n_max)"

    def initial_state(self, x: Array, parameters: Parameters) -> State:
        """Return zeros: no charge, no spike yet."""
        return (np.zeros_like(x),) * len(self.state)

    def level(self, charge: Array, g: np.float32, parameters: Parameters) -> Array:
        """Return f(charge + g c) / quantum + v_0 in the very order of the ONNX body."""
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        current = np.asarray(parameters["current"], dtype=np.float32)
        start = np.float32(parameters.get("initial_potential", np.float32(0.5)))
        inverse = np.float32(1) / quantum
        if not self.soma.name:
            return np.asarray(charge * inverse + (g * (current * inverse) + start), np.float32)
        z = charge + g * current
        if not self.soma.homogeneous:
            z = z / g
        value = self.soma.evaluate(z, parameters)
        if not self.soma.homogeneous:
            value = value * g
        return np.asarray(value * inverse + start, dtype=np.float32)

    def _level_nodes(self) -> str:
        """Return ONNX text for ``level`` from ``integrated``, ``g`` and the parameter rows."""
        if not self.soma.name:
            return """
  scaled = Mul (integrated, inverse_row)
  drive = Mul (g, drive_row)
  offset = Add (drive, half)
  level = Add (scaled, offset)
"""
        into = "total_charge" if not self.soma.homogeneous else "z"
        divide = "" if self.soma.homogeneous else "z = Div (total_charge, g)\n"
        multiply = "" if self.soma.homogeneous else "z_gained = Mul (z_soma, g)\n"
        out = "z_soma" if self.soma.homogeneous else "z_gained"
        return f"""
  drive = Mul (g, current_row)
  {into} = Add (integrated, drive)
  {divide}{self.soma.nodes}
  {multiply}scaled = Mul ({out}, inverse_row)
  level = Add (scaled, half)
"""

    def _signature(self, names: tuple[str, ...], name: str, outputs: str) -> str:
        attributes = ", ".join(f"{key}: float = {value}" for key, value in self.attributes.items())
        declared = f"<{attributes}>" if attributes else ""
        return f"{name} {declared} ({', '.join(names)}) => ({outputs})"

    def _rows(self) -> str:
        rows = _ROWS + "  unit = Constant <value_float = 1.0> ()\n"
        rows += "  inverse_row = Div (unit, quantum_row)\n"
        rows += "  drive_row = Mul (current_row, inverse_row)\n"
        for parameter in self.soma.parameters:
            rows += f"  {parameter}_full = Expand ({parameter}, sample)\n"
            rows += f"  {parameter}_row = Reshape ({parameter}_full, row)\n"
        return rows

    def _plain_rows(self) -> str:
        """Return the parameter rows of bodies that keep the natural layout."""
        rows = "  quantum_row = Identity (quantum)\n  current_row = Identity (current)\n"
        rows += "  unit = Constant <value_float = 1.0> ()\n"
        rows += "  inverse_row = Div (unit, quantum_row)\n"
        rows += "  drive_row = Mul (current_row, inverse_row)\n"
        for parameter in self.soma.parameters:
            rows += f"  {parameter}_row = Identity ({parameter})\n"
        return rows

    def sequence_body(self) -> onnx.FunctionProto:
        """Scan the neuron over the T timesteps of the stream."""
        blanks = ", ".join(["blank"] * len(self.state))
        lasts = ", ".join(f"last_{name}" for name in self.state)
        states = ", ".join(f"float[b, n] {name}" for name in self.state)
        following = ", ".join(f"float[b, n] {name}" for name in self.next_state)
        now, clocks = (", float[1, 1] now", ", clocks") if self.uses_clock else ("", "")
        return function(f"""{self._signature(self.inputs, self.name, "y")} {{
{UNFOLD}{GAINS}{_CLOCKS if self.uses_clock else ""}{self._rows()}{self.constants}
  currents = Reshape (x, unfolded)
  flat_shape = Shape <start = 1> (currents)
  blank = ConstantOfShape (flat_shape)
  {lasts}, emitted = Scan <num_scan_inputs = {3 if self.uses_clock else 2}, body = neuron
    ({states}, float[b, n] i, float[1, 1] g{now})
    => ({following}, float[b, n] spikes) {{
      integrated = Add (charge, i)
      {self._level_nodes()}
      {self.emit_nodes()}
      {self.update_nodes()}
      spikes = Mul ({self.emitted}, quantum_row)
    }}> ({blanks}, currents, gains{clocks})
  y = Reshape (emitted, shape)
}}""")

    def step_body(self) -> onnx.FunctionProto:
        """Advance one timestep with explicit states."""
        outputs = ", ".join(("y", *self.next_state))
        return function(f"""{self._signature(self.step_inputs, self.step_name, outputs)} {{
{STEP_GAIN}{_NOW if self.uses_clock else ""}{self._plain_rows()}{self.constants}
  integrated = Add (charge, x)
  {self._level_nodes()}
  {self.emit_nodes()}
  {self.update_nodes()}
  y = Mul ({self.emitted}, quantum_row)
}}""")

    def settled_body(self) -> onnx.FunctionProto:
        """Return quantum / S * clip(floor(S f(x + c) / quantum + v_0), n_min, n_max)."""
        return function(f"""{self._signature(self.inputs, self.name, "y")} {{
{self._plain_rows()}{self.constants}
  g = Cast <to = 1> (stimulus)
  integrated = Mul (x, g)
  {self._level_nodes()}
  {self.settle_nodes()}
  charge = Mul (total, quantum_row)
  y = Div (charge, g)
}}""")

    def level_body(self) -> onnx.FunctionProto:
        """Return the function X_Level: the level [N, *F] that all T timesteps of a stream give.

        What the charge received justifies, whatever the neuron made of it; the signature is that
        of the sequence body.
        """
        return function(f"""{self._signature(self.inputs, self.name + "_Level", "level")} {{
  one = Constant <value_ints = [1]> ()
  steps = Reshape (timesteps, one)
  rows = Shape <start = 0, end = 1> (x)
  features = Shape <start = 1> (x)
  batch = Div (rows, steps)
  unfolded = Concat <axis = 0> (steps, batch, features)
  currents = Reshape (x, unfolded)
  axes = Constant <value_ints = [0]> ()
  integrated = ReduceSum <keepdims = 0> (currents, axes)
  capped = Min (timesteps, stimulus)
  g = Cast <to = 1> (capped)
{self._plain_rows()}{self.constants}
  {self._level_nodes()}
}}""")

    def settle(self, level: Array, parameters: Parameters) -> Array:
        """Return the settled count; the numpy form of ``settle_nodes``."""
        low, high = np.float32(parameters["n_min"]), np.float32(parameters["n_max"])
        return np.asarray(np.clip(np.floor(level), low, high), dtype=np.float32)

    def settled(self, x: Array, parameters: Parameters) -> Array:
        """Return the quantised activation of the value x; the numpy form of ``settled_body``."""
        g = np.float32(parameters["stimulus"])
        level = self.level(np.asarray(x * g, dtype=np.float32), g, parameters)
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        return np.asarray(self.settle(level, parameters) * quantum / g, dtype=np.float32)

    def receive(
        self, x: Array, charge: Array, t: int, parameters: Parameters
    ) -> tuple[Array, Array]:
        """Return the charge after the input of timestep t, and the level it stands for."""
        integrated = charge + x
        return integrated, self.level(integrated, gain(t, parameters), parameters)

    def step(self, x: Array, state: State, t: int, parameters: Parameters) -> tuple[Array, State]:
        """Integrate, compare, emit, count."""
        charge, count = state
        integrated, level = self.receive(x, charge, t, parameters)
        emission = self.emit(level, count, parameters)
        quantum = np.asarray(parameters["quantum"], dtype=np.float32)
        return emission * quantum, (integrated, count + emission)

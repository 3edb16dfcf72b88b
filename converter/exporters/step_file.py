"""The step model: one timestep as an ordinary ONNX file, its states as inputs and outputs."""

from __future__ import annotations

from typing import ClassVar

from onnx import helper

from onnx2snn.converter.exporters.base import Exported, Exporter
from onnx2snn.converter.judging.stream_sizes import stream_sizes
from onnx2snn.ir.derive.step import StepModel, to_step
from onnx2snn.ir.errors import ExportError
from onnx2snn.ir.manifest import MANIFEST_KEY
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.wire import pieces


class StepFile(Exporter):
    """For streams, event cameras and small devices; runs in stock ONNX Runtime."""

    name: ClassVar[str] = "step"
    suffix: ClassVar[str] = ".step.onnx"
    summary: ClassVar[str] = "one timestep, states explicit: streams in stock ONNX Runtime"

    def export(self, model: SpikingModel, target: str | None) -> Exported:
        """Return the step model.

        Raises:
            ExportError: a target was named; there are none.
        """
        if target:
            raise ExportError("the step model has no targets", remedy="leave --target out")
        step = to_step(model)
        step.proto.doc_string = usage(model, step)
        helper.set_model_props(step.proto, {MANIFEST_KEY: model.manifest.model_dump_json()})
        sizes = stream_sizes(model, [state.like for state in step.states])
        return Exported(
            content=b"".join(pieces(step.proto)),
            layers=tuple((state.input, "state", sizes[state.like]) for state in step.states),
        )


def usage(model: SpikingModel, step: StepModel) -> str:
    """Return how to run the file, in a few lines."""
    manifest = model.manifest
    stimulus = "T" if manifest.stimulus is None else str(manifest.stimulus)
    shown = (
        "the input is added at every timestep"
        if manifest.stimulus is None
        else f"the input counts at timesteps 1 .. {stimulus} only"
    )
    states = len(step.states)
    return f"""One timestep of a spiking network converted from {manifest.source.name} by onnx2snn.

Inputs: {", ".join(model.inputs)}; '{step.clock}', the timestep (int64 scalar), counted from 1;
and {states} states.
Outputs: {", ".join(model.outputs)}, decoded after this timestep; the next states.
Before timestep 1 every state is zero. An input NAME/charge goes on as output NAME/charge/next.
The network was calibrated for T = {manifest.timesteps} timesteps; {shown}.

  feeds = {{state: zeros for state in states}}
  for t in 1 .. {manifest.timesteps}:
    outputs = session.run(None, {{**inputs, '{step.clock}': t, **feeds}})
    feeds = {{state: outputs[state + '/next'] for state in states}}
"""

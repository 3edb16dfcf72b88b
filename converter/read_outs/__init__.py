"""Read-outs: how the outputs of a spiking network are decoded.

* ``current``: the accumulated input current of the output units (:mod:`onnx2snn.ir.ops.read_out`);
* ``spike-count``: a layer of output neurons, whose spikes are counted
  (:mod:`onnx2snn.converter.rewrites.insert_count_neurons`);
* ``lif-stdp``: a leaky layer behind these, trained without labels, whose spikes are counted
  (:mod:`onnx2snn.converter.read_outs.leaky`).

All classes of a counted layer share one threshold, so the decoded value theta n / g is the spike
count up to one factor: the class with the most spikes is the top-1.
"""

from __future__ import annotations

from onnx2snn.converter.presets import Preset


def describe_read_out(preset: Preset) -> str:
    """Return the read-out in words, for the manifest."""
    if preset.read_out == "lif-stdp":  # once trained, it is told on how many samples
        return "spike count of a leaky layer"
    if preset.read_out == "spike-count":
        return f"spike count of {preset.alphabet} output neurons"
    return "accumulated current"


__all__ = ["describe_read_out"]

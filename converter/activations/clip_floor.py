"""ClipFloor and LeakyClipFloor: staircases whose steps become the neuron's quanta.

theta = lambda and L levels are read from the graph, so the neuron is exact at rest.
Source: Bu et al., ICLR 2022 (QCFS); LeakyClipFloor: Yu et al. 2022 (double thresholds).
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.converter.activations.base import Activation
from onnx2snn.converter.ann_functions import is_ann
from onnx2snn.converter.graph.rewiring import scalar_value
from onnx2snn.ir.somas import PRELU


def match_clip_floor(node: gs.Node) -> Activation | None:
    """Match ``ClipFloor``, the staircase of QCFS, with a constant threshold."""
    if not is_ann(node, "ClipFloor"):
        return None
    threshold = scalar_value(node.inputs[1])
    if threshold is None:
        return None
    return Activation(lower=0.0, upper=threshold, levels=int(node.attrs["levels"]))


def match_leaky_clip_floor(node: gs.Node) -> Activation | None:
    """Match ``LeakyClipFloor``, its two-sided form, with a constant threshold."""
    if not is_ann(node, "LeakyClipFloor"):
        return None
    threshold = scalar_value(node.inputs[1])
    if threshold is None:
        return None
    levels = int(node.attrs["levels"])
    slope = np.asarray(node.attrs["alpha"], dtype=np.float32)
    return Activation(
        soma=PRELU,
        lower=-threshold * int(node.attrs["negative_levels"]) / levels,
        upper=threshold,
        parameters={"slope": slope},
        levels=levels,
    )

"""The tuned network as ONNX: the canonical ANN with trained weights and the new activations.

The activations are written in standard operators, in the form that the converter reads as a
staircase (``converter/passes/recognise_clip_floor.py``), so any runtime runs the file and a
conversion takes thresholds and levels over exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.converter.ann_functions import ANN_DOMAIN, ANN_FUNCTIONS, inline
from onnx2snn.converter.finetuning.activations import TRAINED_ACTIVATIONS
from onnx2snn.converter.finetuning.settings import FinetuneReport
from onnx2snn.converter.finetuning.sites import TrainedSite
from onnx2snn.converter.finetuning.training import THRESHOLD_PREFIX
from onnx2snn.ir.ops import IR_VERSION, OPSET

METADATA_KEY = "onnx2snn.finetune"


def write_back(
    model: onnx.ModelProto,
    parameters: Mapping[str, Any],
    sites: tuple[TrainedSite, ...],
    report: FinetuneReport,
) -> onnx.ModelProto:
    """Return the tuned network.

    Args:
        model: the canonical ANN.
        parameters: trained tensors by initializer name, and logarithms of thresholds.
        sites: the activations to replace.
        report: stored in the file's metadata.
    """
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    for tensor in graph.initializer:
        if tensor.name in parameters:
            values = parameters[tensor.name].detach().cpu().numpy()
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    replaced = {site.node: site for site in sites}
    kind = TRAINED_ACTIVATIONS[report.settings.activation]
    for node in graph.node:
        site = replaced.get(node.name)
        if site is None:
            continue
        theta = f"{site.target}.threshold"
        learned = np.exp(parameters[THRESHOLD_PREFIX + site.node].detach().cpu().numpy())
        for name, value in ((theta, learned), (f"{theta}.zero", 0)):
            graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        levels, alpha = report.settings.levels, site.alpha
        node.CopyFrom(kind.node(node.name, site.source, site.target, theta, levels, alpha))
    return _model(_without_unused(inline(graph, ANN_FUNCTIONS)), model, report)


def _without_unused(graph: onnx.GraphProto) -> onnx.GraphProto:
    """Drop initializers that nothing reads (slopes of replaced activations, spare zeros)."""
    read = {name for node in graph.node for name in node.input}
    read.update(output.name for output in graph.output)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return graph


def _model(
    graph: onnx.GraphProto, source: onnx.ModelProto, report: FinetuneReport
) -> onnx.ModelProto:
    foreign = [
        entry for entry in source.opset_import if entry.domain not in ("", "ai.onnx", ANN_DOMAIN)
    ]
    tuned = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), *foreign],
        ir_version=IR_VERSION,
        producer_name="onnx2snn finetune",
    )
    helper.set_model_props(tuned, {METADATA_KEY: report.model_dump_json()})
    return tuned

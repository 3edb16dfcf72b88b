"""From a source model to the canonical ANN: the same function without the exporter's noise.

First the format is settled (float32, standard operators); then PASSES run in the order they stand
in. After each pass that changed something, ONNX Runtime runs source and result on the same seeded
inputs; a difference is a bug of that pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.settle_format import settle_format
from onnx2snn.converter.graph.import_graph import import_graph
from onnx2snn.converter.graph.input_shapes import fix_input_shapes
from onnx2snn.converter.graph.observed_shapes import settle_symbols
from onnx2snn.converter.graph.shapes import annotate_shapes, to_model
from onnx2snn.converter.judging.batching import is_batch_free
from onnx2snn.converter.passes.cancel_transposes import cancel_transposes
from onnx2snn.converter.passes.fold_channel_affine import fold_channel_affine
from onnx2snn.converter.passes.fold_constants import fold_constants
from onnx2snn.converter.passes.fold_pad import fold_pad
from onnx2snn.converter.passes.fold_shapes import fold_shapes
from onnx2snn.converter.passes.inline_constant_if import inline_constant_if
from onnx2snn.converter.passes.make_batch_free import make_batch_free
from onnx2snn.converter.passes.merge_duplicates import merge_duplicates
from onnx2snn.converter.passes.merge_matmul_add import merge_matmul_add
from onnx2snn.converter.passes.merge_slices import merge_slices
from onnx2snn.converter.passes.recognise_activation_functions import (
    recognise_activation_functions,
)
from onnx2snn.converter.passes.recognise_clip_floor import recognise_clip_floor
from onnx2snn.converter.passes.recognise_global_average_pool import recognise_global_average_pool
from onnx2snn.converter.passes.recognise_group_normalisation import (
    recognise_group_normalisation,
)
from onnx2snn.converter.passes.recognise_leaky_relu import recognise_leaky_relu
from onnx2snn.converter.passes.recognise_normalisation import recognise_normalisation
from onnx2snn.converter.passes.recognise_relu import recognise_relu
from onnx2snn.converter.passes.remove_no_ops import remove_no_ops
from onnx2snn.converter.passes.resolve_auto_pad import resolve_auto_pad
from onnx2snn.converter.passes.split_batch_norm import split_batch_norm
from onnx2snn.converter.passes.unroll_recurrent import unroll_recurrent
from onnx2snn.converter.source.read import Source
from onnx2snn.ir.findings import Change, Finding

Pass = Callable[[gs.Graph], list[Change]]

PASSES: tuple[Pass, ...] = (
    fold_constants,  # Constant nodes: all others look for constants
    make_batch_free,  # before shapes are settled, else the fixed batch is settled with them
    fold_shapes,
    fold_constants,  # conditions that were shapes
    inline_constant_if,
    fold_shapes,  # in the branches
    remove_no_ops,
    fold_constants,  # what fold_shapes and remove_no_ops left of constant arithmetic
    remove_no_ops,
    unroll_recurrent,  # where the number of steps is known
    merge_duplicates,
    merge_slices,
    cancel_transposes,  # before anything that looks for neighbours
    resolve_auto_pad,
    fold_pad,
    recognise_leaky_relu,  # before recognise_relu, which rewrites the Max it is made of
    recognise_relu,
    recognise_clip_floor,  # after the passes that write its Clip and LeakyRelu; before folding
    recognise_activation_functions,  # after recognise_clip_floor: its Clip is no HardSigmoid
    recognise_normalisation,  # before its means become pools and its scale is folded
    recognise_group_normalisation,  # likewise; after the one over the last axis, which is narrower
    recognise_global_average_pool,
    merge_matmul_add,  # gives a place to the shifts that follow
    split_batch_norm,
    fold_channel_affine,
    merge_matmul_add,  # a MatMul, its scale gone into it, may now stand beside its bias
    fold_channel_affine,
)


@dataclass(frozen=True)
class Canonical:
    """The canonical ANN.

    Attributes:
        model: computes what the source computes, in float32 between Casts at inputs and outputs
            of other types; opset 21, with shapes for all tensors known.
        changes: what became of the nodes that are gone or rewritten, in order.
        findings: what the caller should know.
        batch_free: the first axis of all inputs is symbolic, and its entries are independent.
    """

    model: onnx.ModelProto
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    batch_free: bool


def canonicalise(
    source: Source,
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    passes: tuple[Pass, ...] = PASSES,
) -> Canonical:
    """Rewrite a model into its canonical form.

    Args:
        source: the model, as read.
        input_shapes: shapes of inputs whose lengths the model leaves open. The first entry of
            a batched input is ignored.
        passes: what to do, in order.

    Raises:
        InvalidModelError: ONNX Runtime cannot run the source, or input shapes are missing.
        UnsupportedOpError: a pass met a node that cannot be converted.
        InvariantError: a pass changed what the model computes.
    """
    settled = settle_format(fix_input_shapes(source.model, input_shapes or {}))
    judge, changes = settled.judge, settled.changes
    graph = import_graph(settled.model)
    annotate_shapes(graph)
    for step in passes:
        made = step(graph)
        if made:
            judge.check(to_model(graph), step.__name__)
            annotate_shapes(graph)
            settle_symbols(graph)
            changes += made
    result = to_model(graph)
    free = is_batch_free(result)
    findings = [*source.findings, *settled.findings] + ([] if free else [_not_batch_free()])
    return Canonical(result, tuple(changes), tuple(findings), free)


def _not_batch_free() -> Finding:
    return Finding(
        code="not-batch-free",
        message="the samples of a batch cannot be separated: the model runs at its own batch size",
        severity="warning",
        remedy="export the model with a dynamic batch axis, if it has independent samples",
    )

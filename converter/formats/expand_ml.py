"""Linear operators of ai.onnx.ml become standard operators.

    Scaler(x; offset, scale)             →  Mul(Sub(x, offset), scale)
    Imputer(x; missing, value)           →  Where(x = missing, value, x)   or IsNaN(x)
    LinearRegressor(x; W, b, post)       →  post(MatMul(x, Wᵀ) + b)
    LinearClassifier(x; W, b, post)      →  scores = post(MatMul(x, Wᵀ) + b), label of the largest

post is NONE, SOFTMAX or LOGISTIC. Integer and double inputs are cast to float32, as the operators
do. Normalizer, ZipMap, LabelEncoder, ArrayFeatureExtractor and trees stay: they work on decoded
values. Source: ONNX operator specification, ai.onnx.ml.

Refuses: classifiers with one row of weights for two classes, and other transforms: they stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from onnx2snn.converter.formats.builder import Builder
from onnx2snn.converter.graph.rewiring import Names
from onnx2snn.ir.findings import Change

ML = "ai.onnx.ml"


def expand_ml(graph: gs.Graph) -> list[Change]:
    """Writes scalers, imputers and linear models as standard operators."""
    names = Names(graph)
    changes = []
    for node in list(graph.nodes):
        write = LINEAR_MODELS.get(node.op) if node.domain == ML else None
        if write is not None and write(Builder(graph, node, names), node):
            changes.append(Change(node=node.name, op=node.op, became="standard operators"))
    return changes


def _floats(values: object) -> np.ndarray:
    return np.asarray(values, np.float32)


def _float_input(builder: Builder, node: gs.Node) -> gs.Tensor:
    x = node.inputs[0]
    if x.dtype == np.float32:
        return x
    return builder.op("Cast", x, to=onnx.TensorProto.FLOAT)


def _scaler(builder: Builder, node: gs.Node) -> bool:
    x = _float_input(builder, node)
    offset = builder.op("Sub", x, _floats(node.attrs.get("offset", [0.0])))
    builder.replace(builder.op("Mul", offset, _floats(node.attrs.get("scale", [1.0])), main=True))
    return True


def _imputer(builder: Builder, node: gs.Node) -> bool:
    values = node.attrs.get("imputed_value_floats")
    if values is None or node.inputs[0].dtype != np.float32:
        return False
    x, missing = node.inputs[0], float(node.attrs.get("replaced_value_float", 0.0))
    found = builder.op("IsNaN", x) if np.isnan(missing) else builder.op("Equal", x, missing)
    builder.replace(builder.op("Where", found, _floats(values), x, main=True))
    return True


def _regressor(builder: Builder, node: gs.Node) -> bool:
    scores = _scores(builder, node, int(node.attrs.get("targets", 1)))
    if scores is None:
        return False
    builder.replace(scores)
    return True


def _classifier(builder: Builder, node: gs.Node) -> bool:
    labels = node.attrs.get("classlabels_ints") or node.attrs.get("classlabels_strings")
    if not labels:
        return False
    scores = _scores(builder, node, len(labels))
    if scores is None:
        return False
    best = builder.op("ArgMax", scores, axis=1, keepdims=0)
    if node.attrs.get("classlabels_ints"):
        label = builder.op("Gather", np.asarray(labels, np.int64), best, axis=0)
    else:
        keys = list(range(len(labels)))
        label = builder.op("LabelEncoder", best, keys_int64s=keys, values_strings=list(labels))
        label.inputs[0].domain = ML  # constants of graph-surgeon hold no text
    builder.replace(label, scores)
    return True


def _scores(builder: Builder, node: gs.Node, rows: int) -> gs.Variable | None:
    post = node.attrs.get("post_transform", "NONE")
    weights = _floats(node.attrs.get("coefficients", ()))
    if post not in ("NONE", "SOFTMAX", "LOGISTIC") or rows == 0 or weights.size % rows:
        return None
    intercepts = _floats(node.attrs.get("intercepts") or [0.0] * rows)
    if intercepts.size != rows or weights.size == 0:
        return None
    columns = weights.reshape(rows, -1).T
    scores = builder.op("Gemm", _float_input(builder, node), columns, intercepts, main=True)
    if post == "SOFTMAX":
        scores = builder.op("Softmax", scores, axis=1)
    elif post == "LOGISTIC":
        scores = builder.op("Sigmoid", scores)
    return scores


LINEAR_MODELS: dict[str, Callable[[Builder, gs.Node], bool]] = {
    "Scaler": _scaler,
    "Imputer": _imputer,
    "LinearRegressor": _regressor,
    "LinearClassifier": _classifier,
}

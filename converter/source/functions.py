"""Operators newer than opset 21 are replaced by their official definition in older ones.

    Swish(x)  →  Mul(x, Sigmoid(Mul(x, alpha)))        and likewise RMSNormalization, Attention,
                                                       RotaryEmbedding, SwiGLU ...

The definition is the function body that the operator's ONNX schema carries (ONNX specification,
"Functions"); onnx.inliner puts it in the operator's place. A body may itself use newer operators
(SwiGLU is written with Swish), so this is repeated until none is left that has a body.
"""

from __future__ import annotations

import onnx
import onnx.inliner

from onnx2snn.converter.source.content import STANDARD
from onnx2snn.converter.source.limits import all_nodes
from onnx2snn.converter.source.opset import TARGET_OPSET, schema_of, standard_opset
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.findings import Finding

LOSSES = frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})
"""Older than opset 21, but onnxruntime 1.31 cannot load them in a Scan: "graph is not acyclic"."""

_MOST_ROUNDS = 8  # bodies within bodies; the specification needs two


def expand_newer_functions(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[Finding]]:
    """The model without operators that opset 21 lacks but can express.

    Args:
        model: in any opset; left as it is if nothing is newer than 21.

    Raises:
        InvalidModelError: an operator does not fit its own definition.
    """
    opset = standard_opset(model)
    findings: list[Finding] = []
    if any(_has_newer_body(node, opset) for node in all_nodes(model)):
        _declare_constants(model)
    for _ in range(_MOST_ROUNDS):
        nodes = [node for node in all_nodes(model) if _has_newer_body(node, opset)]
        if not nodes:
            break
        findings += [_expanded(node, opset) for node in nodes]
        for node in nodes:
            _write_defaults(node, opset)
        ids = sorted({("", node.op_type) for node in nodes})
        try:
            model = onnx.inliner.inline_selected_functions(model, ids, inline_schema_functions=True)
        except (RuntimeError, ValueError) as error:
            raise InvalidModelError(
                f"{', '.join(name for _, name in ids)} does not fit its own definition: {error}",
                remedy=f"export the model with opset {TARGET_OPSET} or older",
            ) from error
        if any(_has_newer_body(node, opset) and node in nodes for node in all_nodes(model)):
            break  # its types are unknown, so it has no body here: refused by name later
    return model, findings


def _has_newer_body(node: onnx.NodeProto, opset: int) -> bool:
    if node.domain in STANDARD and node.op_type in LOSSES:
        return True
    if node.domain not in STANDARD or opset <= TARGET_OPSET:
        return False
    schema = schema_of(node.op_type, opset)
    if schema is None or schema_of(node.op_type, TARGET_OPSET) is not None:
        return False
    # The typing stubs of onnx do not name these two.
    traits = ("has_function", "has_context_dependent_function")
    return any(getattr(schema, trait) for trait in traits)


def _declare_constants(model: onnx.ModelProto) -> None:
    """The inliner looks for types of stored tensors among the declared ones only."""
    known = {item.name for item in (*model.graph.value_info, *model.graph.input)}
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
        if tensor.name not in known
    )


def _write_defaults(node: onnx.NodeProto, opset: int) -> None:
    """Bodies refer to attributes by name, and the inliner knows no defaults."""
    given = {attribute.name for attribute in node.attribute}
    schema = schema_of(node.op_type, opset)
    for name, attribute in schema.attributes.items() if schema is not None else ():
        if name not in given and attribute.default_value.name:
            node.attribute.append(attribute.default_value)


def _expanded(node: onnx.NodeProto, opset: int) -> Finding:
    return Finding(
        code="expanded-operator",
        message="it is read as its official definition in operators of opset 21",
        node=node.name,
        op=node.op_type,
        opset=opset,
    )

"""Models that parse as protobuf and mean harm: made by hypothesis, each of another shape."""

from __future__ import annotations

from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

OPS = (
    *("Relu", "Add", "MatMul", "Conv", "Gemm", "Reshape", "Concat", "If", "Loop", "Scan", "Expand"),
    *("ConstantOfShape", "Range", "Tile", "Pad", "MaxPool", "AveragePool", "Softmax", "Transpose"),
    *("Gather", "Slice", "Split", "Cast", "Resize", "BatchNormalization", "LSTM", "Einsum", "TopK"),
    *("Constant", "Identity", "Shape", "QuantizeLinear", "LayerNormalization", "f", "NoSuchOp"),
)
DOMAINS = ("", "", "", "", "ai.onnx", "local", "onnx2snn", "com.microsoft", "../", "ai.onnx.ml")
SIZES = (-(2**63), -(2**31), -1, 0, 1, 2, 3, 4, 7, 255, 2**16, 2**31, 2**40, 2**62, 2**63 - 1)
TEXTS = (
    *("x", "y", "w", "a", "b", "", "../../etc/passwd", "<script>alert(1)</script>"),
    *("\x00", "x" * 5000),
    *("\u202e", "{{7*7}}", "%s%n", "'; DROP TABLE jobs;--", "/dev/zero", "input", "timesteps"),
)  # fmt: skip
NESTED = 2
names = st.sampled_from(TEXTS)
sizes = st.sampled_from(SIZES)


@st.composite
def tensors(draw: st.DrawFn) -> TensorProto:
    """Dims, types and content need not fit one another."""
    tensor = TensorProto(name=draw(names), data_type=draw(st.integers(-1, 30)))
    tensor.dims.extend(draw(st.lists(sizes, max_size=5)))
    tensor.raw_data = draw(st.binary(max_size=64))
    if draw(st.integers(0, 9)) == 0:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key=draw(names), value=draw(names))
        tensor.external_data.add(key="location", value=draw(names))
    if draw(st.integers(0, 9)) == 0:
        tensor.float_data.extend([float("nan"), float("inf")])
    return tensor


@st.composite
def attributes(draw: st.DrawFn, depth: int) -> AttributeProto:
    """Attributes of any name and type, graphs among them."""
    known = ("axis", "axes", "kernel_shape", "pads", "strides", "group", "value", "to", "body")
    kinds = ("i", "ints", "f", "s", "t", "g") if depth else ("i", "ints", "s")
    made = AttributeProto(
        name=draw(st.sampled_from((*known, "then_branch", "else_branch", "\x01")))
    )
    kind = draw(st.sampled_from(kinds))
    if kind == "i":
        made.i, made.type = draw(sizes), AttributeProto.INT
    elif kind == "ints":
        made.ints.extend(draw(st.lists(sizes, max_size=6)))
        made.type = AttributeProto.INTS
    elif kind == "f":
        made.f, made.type = draw(st.floats(width=32)), AttributeProto.FLOAT
    elif kind == "s":
        made.s, made.type = draw(st.binary(max_size=20)), AttributeProto.STRING
    elif kind == "t":
        made.t.CopyFrom(draw(tensors()))
        made.type = AttributeProto.TENSOR
    else:
        made.g.CopyFrom(draw(graphs(depth - 1)))
        made.type = AttributeProto.GRAPH
    return made


@st.composite
def nodes(draw: st.DrawFn, depth: int) -> NodeProto:
    """Nodes that read and write names of all others: cycles and doubles happen."""
    made = NodeProto(
        op_type=draw(st.sampled_from(OPS)), domain=draw(st.sampled_from(DOMAINS)), name=draw(names)
    )
    made.input.extend(draw(st.lists(names, max_size=4)))
    made.output.extend(draw(st.lists(names, max_size=3)))
    made.attribute.extend(draw(st.lists(attributes(depth), max_size=3)))
    return made


@st.composite
def graphs(draw: st.DrawFn, depth: int = NESTED) -> GraphProto:
    """A graph, sometimes nested far deeper than any exporter nests them."""
    graph = GraphProto(name=draw(names))
    graph.node.extend(draw(st.lists(nodes(depth), min_size=1, max_size=6)))
    graph.initializer.extend(draw(st.lists(tensors(), max_size=4)))
    for values in (graph.input, graph.output):
        for name in draw(st.lists(names, max_size=3)):
            value = values.add(name=name)
            if draw(st.booleans()):
                value.type.tensor_type.elem_type = draw(st.integers(0, 20))
                for size in draw(st.lists(sizes, max_size=4)):
                    value.type.tensor_type.shape.dim.add().dim_value = size
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 12, 24))) if depth == NESTED else 0):
        outer = GraphProto(name="outer")
        node = outer.node.add(op_type="If", input=["x"], output=["y"])
        node.attribute.add(name="then_branch", type=AttributeProto.GRAPH).g.CopyFrom(graph)
        graph = outer
    return graph


def _wire(graph: GraphProto) -> None:
    """Connect the nodes into a chain from a plain input, so that shapes and values matter."""
    del graph.input[:]
    del graph.output[:]
    value = graph.input.add(name="x").type.tensor_type
    value.elem_type = TensorProto.FLOAT
    value.shape.dim.add().dim_param = "N"
    value.shape.dim.add().dim_value = 4
    for index, tensor in enumerate(graph.initializer):
        tensor.name = f"w{index}"
    weights = [tensor.name for tensor in graph.initializer]
    last = "x"
    for index, node in enumerate(graph.node):
        node.name, node.domain = f"n{index}", ""
        inputs = [last, *weights[: max(0, len(node.input) - 1)]]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.append(f"v{index}")
        last = f"v{index}"
    graph.output.add(name=last)


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """A model file; one in five has some of its bytes changed afterwards."""
    model = ModelProto(ir_version=draw(st.sampled_from((0, 3, 8, 8, 10, 99, 2**40))))
    model.graph.CopyFrom(draw(graphs()))
    if draw(st.booleans()):
        _wire(model.graph)
    for domain in draw(st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=3)):
        versions = st.sampled_from((-1, 0, 1, 9, 17, 17, 21, 2**50))
        model.opset_import.add(domain=domain, version=draw(versions))
    for name in draw(st.lists(st.sampled_from(("f", "g", "f", "Relu")), max_size=3)):
        function = model.functions.add(name=name, domain=draw(st.sampled_from(("local", ""))))
        function.input.extend(["a"])
        function.output.extend(["b"])
        function.node.extend(draw(st.lists(nodes(1), max_size=3)))
    model.metadata_props.add(key=draw(names), value=draw(names))
    content = bytearray(model.SerializeToString())
    if draw(st.integers(0, 4)) == 0 and content:
        for _ in range(draw(st.integers(1, 8))):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)

"""Hostile files, each with the problem that the service must tell of."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def model(nodes: list[onnx.NodeProto], **parts: object) -> bytes:
    graph = helper.make_graph(
        nodes,
        "attack",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", FLOAT, ["M", "K"])],
        list(parts.get("initializers", ())),  # type: ignore[call-overload]
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        functions=list(parts.get("functions", ())),  # type: ignore[call-overload]
        ir_version=8,
    )
    return bytes(made.SerializeToString())


def external(**entries: str) -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4, 4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], initializers=[tensor])


def function(name: str, calls: list[str]) -> onnx.FunctionProto:
    domain = "local"
    nodes, last = [], "a"
    for index, called in enumerate(calls):
        nodes.append(helper.make_node(called, [last], [f"t{index}"], domain=domain))
        last = f"t{index}"
    nodes.append(helper.make_node("Relu", [last], ["b"]))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    return helper.make_function(domain, name, ["a"], ["b"], nodes, opsets)


def doubling_functions(depth: int = 30) -> bytes:
    made = [function(f"f{i}", [f"f{i + 1}"] * 2) for i in range(depth)] + [
        function(f"f{depth}", [])
    ]
    return model([helper.make_node("f0", ["x"], ["y"], domain="local")], functions=made)


def function_chain(length: int = 3000) -> bytes:
    made = [function(f"f{i}", [f"f{i + 1}"]) for i in range(length)] + [function(f"f{length}", [])]
    return model([helper.make_node("f0", ["x"], ["y"], domain="local")], functions=made)


def recursive_function() -> bytes:
    call = helper.make_node("f", ["x"], ["y"], domain="local")
    return model([call], functions=[function("f", ["f"])])


def huge_constant_of_shape() -> bytes:
    shape = numpy_helper.from_array(np.array([2**20, 2**20]), "s")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    return model(nodes, initializers=[shape])


def huge_expand() -> bytes:
    shape = numpy_helper.from_array(np.array([2**40, 4]), "s")
    one = numpy_helper.from_array(np.ones((1, 4), np.float32), "one")
    nodes = [
        helper.make_node("Expand", ["one", "s"], ["e"]),
        helper.make_node("ReduceSum", ["e"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    return model(nodes, initializers=[shape, one])


def huge_range() -> bytes:
    bounds = [
        numpy_helper.from_array(np.array(v, np.float32), n)
        for n, v in (("a", 0), ("b", 2**38), ("c", 1))
    ]
    nodes = [
        helper.make_node("Range", ["a", "b", "c"], ["l"]),
        helper.make_node("ReduceSum", ["l"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    return model(nodes, initializers=bounds)


def odd_dims(dims: list[int]) -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=b"\0" * 16)
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], initializers=[tensor])


def concat_bomb(times: int = 40) -> bytes:
    nodes = [helper.make_node("Concat", ["x", "x"], ["c0"], axis=1)]
    for i in range(1, times):
        nodes.append(helper.make_node("Concat", [f"c{i - 1}"] * 2, [f"c{i}"], axis=1))
    nodes.append(helper.make_node("ReduceSum", [f"c{times - 1}"], ["y"]))
    return model(nodes)


def endless_loop() -> bytes:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["going_on"]),
            helper.make_node("Identity", ["v"], ["w"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("going_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, None),
        ],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model([helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)], initializers=[yes])


def custom_domain() -> bytes:
    return model([helper.make_node("Evil", ["x"], ["y"], domain="com.evil")])


def nested_ifs(depth: int = 25) -> bytes:
    result = helper.make_tensor_value_info("r0", FLOAT, None)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["r0"])], "g", [], [result])
    for i in range(1, depth):
        node = helper.make_node("If", ["yes"], [f"r{i}"], then_branch=graph, else_branch=graph)
        del node.attribute[1:]
        other = helper.make_graph(
            [helper.make_node("Identity", ["x"], [f"e{i}"])],
            "e", [], [helper.make_tensor_value_info(f"e{i}", FLOAT, None)],
        )  # fmt: skip
        node.attribute.append(helper.make_attribute("else_branch", other))
        value = helper.make_tensor_value_info(f"r{i}", FLOAT, None)
        graph = helper.make_graph([node], "g", [], [value])
    yes = numpy_helper.from_array(np.array(True), "yes")
    node = graph.node[0]
    node.output[0] = "y"
    return model([node], initializers=[yes])


def sparse_bomb() -> bytes:
    values = helper.make_tensor("w", FLOAT, [1], [1.0])
    indices = helper.make_tensor("w_i", TensorProto.INT64, [1], [0])
    made = onnx.ModelProto.FromString(model([helper.make_node("MatMul", ["x", "w"], ["y"])]))
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**31, 2**31]))
    return bytes(made.SerializeToString())


MODELS: dict[str, tuple[Callable[[], bytes], str]] = {
    "external parent folder": (lambda: external(location="../secret"), "external-data"),
    "external absolute": (lambda: external(location="/etc/passwd"), "external-data"),
    "external detour": (lambda: external(location="a/../../secret"), "external-data"),
    "external in the working folder": (lambda: external(location="request.json"), "external-data"),
    "external memory address": (
        lambda: external(location="*/_ORT_MEM_ADDR_/*", offset="4096", length="64"),
        "external-data",
    ),
    "external attribute injection": (
        lambda: external(location="w", __class__="x", base_dir="/"),
        "external-data",
    ),
    "functions doubling": (doubling_functions, "model-too-large"),
    "function chain": (function_chain, "model-too-large"),
    "recursive function": (recursive_function, "recursive-function"),
    "ConstantOfShape 2^40": (huge_constant_of_shape, "out-of-memory"),
    "Expand 2^42": (huge_expand, "out-of-memory"),
    "Range 2^38": (huge_range, "out-of-memory"),
    "huge dims": (lambda: odd_dims([2**40, 2**20]), "model-too-large"),
    "negative dims": (lambda: odd_dims([-4, 4]), "bad-dims"),
    "sparse bomb": (sparse_bomb, "model-too-large"),
    "concat bomb": (concat_bomb, "out-of-memory"),
    "endless loop": (endless_loop, "time-limit"),
    "custom domain": (custom_domain, "foreign-domain"),
    "nested ifs": (nested_ifs, "model-too-large"),
    "random bytes": (lambda: bytes(np.random.default_rng(0).bytes(4096)), "invalid-model"),
    "text": (lambda: b"<!DOCTYPE html><script>alert(1)</script>", "invalid-model"),
    "truncated": (lambda: custom_domain()[:-20], "invalid-model"),
}


def npz_bomb(gib: int = 4) -> bytes:
    header = io.BytesIO()
    count = gib * 2**30 // 4
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (count,)}
    )
    made = io.BytesIO()
    zeros = b"\0" * 2**20
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(gib * 16):  # a sixteenth of what it claims
            member.write(zeros * 4)
    return made.getvalue()


def npy_of_terabytes() -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        made, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    )
    return made.getvalue() + b"\0" * 64


class _Explosive:
    def __reduce__(self) -> tuple[object, ...]:
        import os

        return (os.system, ("touch /tmp/onnx2snn-was-here",))


def pickled_npy() -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        made, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    return made.getvalue() + pickle.dumps([_Explosive()])


def pickled_npz() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("x.npy", pickled_npy())
    return made.getvalue()


DATA: dict[str, Callable[[], bytes]] = {
    "npz bomb": npz_bomb,
    "npy of terabytes": npy_of_terabytes,
    "pickled npy": pickled_npy,
    "pickled npz": pickled_npz,
    "plain pickle": lambda: pickle.dumps([_Explosive()]),
    "damaged zip": lambda: b"PK\x03\x04" + b"\xff" * 200,
    "npy with an evil header": lambda: (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 60) + b"__import__('os').system('id')".ljust(60)
    ),
}

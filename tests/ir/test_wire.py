"""Files of models with large weights: bytes in, references, the same bytes out."""

from __future__ import annotations

import copy
import gc
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from spiking_nets import conv_net

from onnx2snn.ir import stored_weights
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.stored_weights import WeightFile, has_stored, is_stored
from onnx2snn.ir.wire import pieces, read_light


def model_of(sizes: list[int], seed: int = 0) -> onnx.ModelProto:
    """A model whose tensors say all that a tensor can, in every form."""
    rng = np.random.default_rng(seed)
    model = helper.make_model(helper.make_graph([], "g", [], []), producer_name="p" * 200)
    for i, size in enumerate(sizes):
        values = rng.normal(size=(size,)).astype((np.float32, np.int64)[i % 4 == 3])
        tensor = numpy_helper.from_array(values, f"w{i}")
        if i % 3 == 1:
            tensor.doc_string = "said behind the values"
        if i % 4 == 2:
            tensor.ClearField("raw_data")
            tensor.float_data.extend(values)
        model.graph.initializer.append(tensor)
    model.metadata_props.add(key="said", value="at the end")
    return model


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=9), st.integers(0, 3))
def test_bytes_come_back_as_they_were(sizes: list[int], seed: int) -> None:
    """The oracle is protobuf's own deterministic serialisation."""
    model = model_of(sizes, seed)
    content = bytes(model.SerializeToString(deterministic=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_weights, "LEAST_TOTAL", 1)
        patch.setattr(stored_weights, "LEAST_TENSOR", 64)
        weights = WeightFile()
        light = read_light(memoryview(content), weights)
        large = [
            t.name
            for t in model.graph.initializer
            if t.data_type == onnx.TensorProto.FLOAT and t.raw_data and t.dims[0] >= 16
        ]
        assert [t.name for t in light.graph.initializer if is_stored(t)] == large
        assert b"".join(pieces(light)) == content


def test_unknown_fields_and_a_second_graph_are_kept(store_all: Path) -> None:
    """Protobuf merges fields of one number; what it does not know it keeps at the end."""
    unknown = bytes([0xFA, 0x3F, 3]) + b"abc"  # field 1023
    content = model_of([100]).SerializeToString() + unknown + model_of([50]).SerializeToString()
    expected = onnx.ModelProto.FromString(content)
    weights = WeightFile()
    light = read_light(memoryview(content), weights)
    assert sum(is_stored(t) for t in light.graph.initializer) == 2
    assert b"".join(pieces(light)) == expected.SerializeToString(deterministic=True)


@pytest.mark.parametrize("cut", [1, 5, 200, 300, 420, 600])
def test_a_truncated_model_is_refused_as_protobuf_refuses_it(cut: int, store_all: Path) -> None:
    content = model_of([100, 50]).SerializeToString()[:-cut]
    with pytest.raises(DecodeError):
        onnx.ModelProto.FromString(content)
    with pytest.raises(DecodeError):
        read_light(memoryview(content), WeightFile())


def test_a_file_is_loaded_by_reference_and_saved_as_it_was(store_all: Path, tmp_path: Path) -> None:
    usual = conv_net()
    path = usual.save(tmp_path / "net.snn.onnx")
    model = SpikingModel.load(path)
    assert has_stored(model.light)
    assert not has_stored(usual.light)
    assert len(os.listdir(store_all)) == 1
    assert model.proto == usual.proto
    assert model.to_bytes() == usual.to_bytes() == path.read_bytes()
    assert model.save(tmp_path / "again.snn.onnx").read_bytes() == path.read_bytes()
    others = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    del model
    gc.collect()
    assert not os.listdir(store_all)
    assert all(other.to_bytes() == path.read_bytes() for other in others)


def test_without_a_disk_a_file_is_loaded_whole(
    store_all: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = conv_net().save(tmp_path / "net.snn.onnx")
    monkeypatch.setattr("tempfile.tempdir", str(store_all / "missing"))
    model = SpikingModel.load(path)
    assert not has_stored(model.light)
    assert model.to_bytes() == path.read_bytes()


def test_a_damaged_large_file_is_refused(store_all: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.snn.onnx"
    path.write_bytes(conv_net().to_bytes()[:-7])
    with pytest.raises(InvalidModelError, match="cannot be parsed"):
        SpikingModel.load(path)
    assert not os.listdir(store_all)

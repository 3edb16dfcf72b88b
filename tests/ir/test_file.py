"""The file: same bytes back, and a drop-in wherever onnxruntime is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import checker
from spiking_nets import conv_net, images

from onnx2snn.ir.derive.scan import to_scan
from onnx2snn.ir.errors import InvalidModelError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session

LAYOUTS = pytest.mark.parametrize(
    "model", [conv_net(), conv_net(stimulus=None), to_scan(conv_net())], ids=["S=1", "S=T", "scan"]
)


@LAYOUTS
def test_load_gives_the_saved_model_byte_for_byte(model: SpikingModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "net.snn.onnx")
    again = SpikingModel.load(path)
    assert again.proto == model.proto
    assert again.save(tmp_path / "again.snn.onnx").read_bytes() == path.read_bytes()
    assert again.manifest == model.manifest
    assert len(list(tmp_path.iterdir())) == 2  # no temporary file stays


@LAYOUTS
def test_onnx_accepts_the_file(model: SpikingModel) -> None:
    checker.check_model(model.proto, full_check=True)


@LAYOUTS
def test_typed_access(model: SpikingModel) -> None:
    assert [layer.name for layer in model.neurons] == ["encoder", "relu1", "relu2"]
    assert {layer.alphabet for layer in model.neurons} == {"graded"}
    assert model.inputs == ("image",)
    assert model.outputs == ("probabilities", "label")
    assert model.timesteps_input == "timesteps"
    assert model.neurons[0].quantum.dtype == np.float32


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="cannot read"):
        SpikingModel.load(tmp_path / "none.onnx")


STRANGER = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("onnx", "onnx2snn", "pydantic"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
sys.path.append(sys.argv[1])
import numpy as np
import onnxruntime as ort

session = ort.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
samples = np.load(sys.argv[3])
assert [i.name for i in session.get_inputs()] == ["image"]
results = {"default": session.run(None, {"image": samples})[0]}
for t in (1, 5):
    feeds = {"image": samples, "timesteps": np.array(t, np.int64)}
    results[str(t)] = session.run(None, feeds)[0]
np.savez(sys.argv[4], **results)
"""


@LAYOUTS
def test_runs_where_only_onnxruntime_and_numpy_are(model: SpikingModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "net.snn.onnx")
    np.save(tmp_path / "x.npy", images(3)["image"])
    site = Path(onnxruntime.__file__).parents[1]
    arguments = [site, path, tmp_path / "x.npy", tmp_path / "y.npz"]
    subprocess.run([sys.executable, "-I", "-c", STRANGER, *map(str, arguments)], check=True)
    results = np.load(tmp_path / "y.npz")
    session = Session(model.proto)
    default = model.manifest.timesteps
    for key, t in (("default", default), ("1", 1), ("5", 5)):
        feeds = {**images(3), "timesteps": np.array(t, np.int64)}
        np.testing.assert_array_equal(results[key], session.run(feeds)["probabilities"])


def test_the_file_names_its_meaning() -> None:
    """One node per neuron layer, named after it; versions that old runtimes load."""
    proto = conv_net().proto
    assert proto.ir_version == 10
    assert {e.domain: e.version for e in proto.opset_import} == {"": 21, "onnx2snn": 1}
    assert isinstance(proto, onnx.ModelProto)
    assert "timesteps" in proto.doc_string

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from PIL import Image

from onnx2snn.converter.calibration.samples import given_samples
from onnx2snn.ir.errors import DataError, InvalidModelError
from onnx2snn.runtime.data.array_files import read_npy, read_npz, write_npz
from onnx2snn.runtime.data.dataset import load_data
from onnx2snn.runtime.data.image_folder import ImageOptions
from onnx2snn.runtime.data.input_spec import InputSpec, input_specs

F32 = np.dtype(np.float32)
IMAGE = (InputSpec("image", (None, 3, 4, 6), F32),)
TWO = (InputSpec("a", (1, 2), F32), InputSpec("b", (None,), np.dtype(np.int64)))


def save(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, 4, 6), np.float32)


def test_named_arrays_and_labels(tmp_path: Path) -> None:
    path = save(tmp_path, image=images(), labels=np.arange(5), other=np.zeros(3))
    data = load_data(path, IMAGE)
    np.testing.assert_array_equal(data.arrays["image"], images())
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 2, 3, 4]
    assert data.samples == 5


@pytest.mark.parametrize("labelled", [False, True])
def test_a_lone_array_goes_to_a_lone_input(tmp_path: Path, labelled: bool) -> None:
    extra = {"labels": np.arange(5)} if labelled else {}
    data = load_data(save(tmp_path, x=images(), **extra), IMAGE)
    assert list(data.arrays) == ["image"]
    assert (data.labels is not None) == labelled


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images().astype(np.float64))
    data = load_data(tmp_path / "x.npy", IMAGE)
    assert data.arrays["image"].dtype == np.float32
    assert data.labels is None


def test_an_input_may_be_called_labels(tmp_path: Path) -> None:
    spec = (InputSpec("labels", (None, 2), F32),)
    data = load_data(save(tmp_path, labels=np.zeros((4, 2), np.float32)), spec)
    assert data.labels is None
    assert list(data.arrays) == ["labels"]


def test_digest_is_the_manifests(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N,3,4,6] image) => (float[N,3,4,6] y) { y = Relu (image) }"""
    data = load_data(save(tmp_path, image=images().astype(np.float64)), IMAGE)
    samples = given_samples(onnx.parser.parse_model(text), dict(data.arrays))
    assert data.sha256 == samples.source.sha256


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": images(), "y": np.arange(5)}, ["no array named 'image'", "'x', 'y'"]),
        ({"image": images()[:, :2]}, ["[5, 2, 4, 6]", "[N, 3, 4, 6]"]),
        ({"image": images()[0]}, ["[3, 4, 6]"]),
        ({"image": images()[:0]}, ["no samples"]),
        ({"image": (images() * 255).astype(np.uint8)}, ["uint8", "astype('float32') / 255"]),
        ({"image": images().astype(np.complex64)}, ["complex64"]),
        ({"image": images() * np.nan}, ["NaN", "sample 0"]),
        ({"image": images().astype(np.float64) + 1e300}, ["infinite in float32"]),
        ({"image": images(), "labels": np.arange(4)}, ["labels", "5 samples"]),
        ({"image": images(), "labels": np.zeros(5)}, ["labels", "integer"]),
        (
            {"image": images()[:, :2].astype(np.int64), "labels": np.arange(4)},
            ["int64", "[5, 2, 4, 6]", "labels"],
        ),
    ],
)
def test_what_does_not_fit_is_told_at_once(
    tmp_path: Path, arrays: dict[str, np.ndarray], told: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        load_data(save(tmp_path, **arrays), IMAGE)
    assert all(text in str(caught.value) for text in told)
    assert "the model expects 'image' float32 [N, 3, 4, 6]" in caught.value.remedy


def test_many_inputs(tmp_path: Path) -> None:
    a, b = np.zeros((4, 2), np.float32), np.zeros(4, np.int32)
    data = load_data(save(tmp_path, a=a, b=b), TWO)
    assert data.arrays["b"].dtype == np.int64
    with pytest.raises(DataError, match="different numbers of samples"):
        load_data(save(tmp_path, a=a, b=b[:3]), TWO)
    with pytest.raises(DataError, match="no array named 'b'"):
        load_data(save(tmp_path, a=a), TWO)
    np.save(tmp_path / "x.npy", a)
    with pytest.raises(DataError, match="one input"):
        load_data(tmp_path / "x.npy", TWO)


def npy_bytes(shape: tuple[int, ...], descr: str = "<f4", body: bytes = b"") -> bytes:
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + body


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_bombs_and_pickles(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    huge = npy_bytes((2**40, 3))
    with pytest.raises(DataError, match="the limit is"):
        read_npz(zip_of(path, x=huge), lambda names: names)
    with pytest.raises(DataError, match="shorter than its header"):
        read_npz(zip_of(path, x=npy_bytes((1000,))), lambda names: names)
    zeros = npy_bytes((2**20,), body=bytes(2**22))
    with pytest.raises(DataError, match="the limit is"):
        read_npz(zip_of(path, x=zeros, y=zeros), lambda names: names, max_bytes=2**22)
    assert set(read_npz(path, lambda names: ["x"], max_bytes=2**22)) == {"x"}
    evil = npy_bytes((1,), "|O", pickle.dumps(print))
    with pytest.raises(DataError, match="Python objects"):
        read_npz(zip_of(path, x=evil), lambda names: names)
    (tmp_path / "x.npy").write_bytes(evil)
    with pytest.raises(DataError, match="Python objects"):
        read_npy(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(huge)
    with pytest.raises(DataError, match="the limit is"):
        read_npy(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(npy_bytes((1000,)))
    with pytest.raises(DataError, match="truncated"):
        read_npy(tmp_path / "x.npy")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00\xff", b"hello" * 99])
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".txt"])
def test_damaged_files(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_data(path, IMAGE)


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = save(tmp_path, image=images())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError):
        load_data(path, IMAGE)
    corrupt = bytearray(save(tmp_path, image=images()).read_bytes())
    corrupt[200] ^= 0xFF
    path.write_bytes(corrupt)
    with pytest.raises(DataError):
        load_data(path, IMAGE)


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        load_data(tmp_path / "none.npz", IMAGE)


def test_write_npz_takes_any_name(tmp_path: Path) -> None:
    arrays = {"file": np.arange(3), "/a/../b": np.ones(2, np.float32), "": np.zeros(1)}
    write_npz(tmp_path / "sub" / "o.npz", arrays)
    with np.load(tmp_path / "sub" / "o.npz") as found:
        assert {name: found[name].tolist() for name in arrays} == {
            name: array.tolist() for name, array in arrays.items()
        }
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "bad.npz", {"x": np.array([object()])})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sub"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(2):
            pixels = np.full((8, 12, 3), (10 * label, 20 * index, 255), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{index}.png")
    (tmp_path / "images" / "cat" / "notes.txt").write_text("no image")
    return tmp_path / "images"


def test_image_folder(folder: Path) -> None:
    options = ImageOptions(mean=(0.0, 0.0, 0.5), std=(1.0, 1.0, 0.5))
    seen: list[tuple[int, int]] = []
    data = load_data(folder, IMAGE, images=options, progress=lambda *at: seen.append(at))
    image = data.arrays["image"]
    assert image.shape == (4, 3, 4, 6)
    assert image.dtype == np.float32
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(image[3, :, 0, 0], [10 / 255, 20 / 255, 1.0], rtol=1e-6)
    assert seen[-1] == (4, 4)


def test_image_folder_channels_last_and_sizes(folder: Path) -> None:
    last = (InputSpec("x", (1, None, None, 3), F32),)
    data = load_data(folder, last, images=ImageOptions(size=(5, 7), scale=1.0))
    assert data.arrays["x"].shape == (4, 5, 7, 3)
    assert data.arrays["x"].max() == 255
    grey = (InputSpec("x", (None, 1, 5, 5), F32),)
    assert load_data(folder / "cat", grey).labels is None


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        (InputSpec("x", (None, 6), F32), ImageOptions(), "no image shape"),
        (InputSpec("x", (None, 3, None, None), F32), ImageOptions(), "--size"),
        (InputSpec("x", (None, 3, 8, 3), F32), ImageOptions(), "--layout"),
        (InputSpec("x", (None, 5, 8, 8), F32), ImageOptions(layout="nchw"), "5 channels"),
        (IMAGE[0], ImageOptions(mean=(1.0, 2.0)), "--mean"),
        (IMAGE[0], ImageOptions(std=(0.0,)), "--std"),
    ],
)
def test_image_options_that_do_not_fit(
    folder: Path, spec: InputSpec, options: ImageOptions, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_data(folder, (spec,), images=options)
    assert told in str(caught.value)


def test_bad_image_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_bytes(b"not a picture")
    (folder / "dog" / "bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 6 images") as caught:
        load_data(folder, IMAGE)
    assert "bad.png" in str(caught.value)
    assert "bad.jpg" in str(caught.value)
    Image.new("L", (2, 2)).save(folder / "top.png")
    with pytest.raises(DataError, match="both images and sub-folders"):
        load_data(folder, IMAGE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        load_data(tmp_path / "empty", IMAGE)
    with pytest.raises(DataError, match="the limit is"):
        load_data(folder / "dog", IMAGE, max_bytes=10)


def test_input_specs() -> None:
    text = """<ir_version: 3, opset_import: ["" : 7]>
    net (float[N,3] x, float16[2] w, int64[] k) => (float[N,3] y) <float16[2] w = {1, 2}>
    { y = Identity (x) }"""
    graph = onnx.parser.parse_model(text).graph
    told = [str(spec) for spec in input_specs(graph)]
    assert told == ["'x' float32 [N, 3]", "'k' int64 of any shape"]
    assert [spec.name for spec in input_specs(graph, ["k"])] == ["k"]
    strings = text.replace("int64[] k", "string[N] k")
    with pytest.raises(InvalidModelError, match="no tensor of numbers"):
        input_specs(onnx.parser.parse_model(strings).graph)

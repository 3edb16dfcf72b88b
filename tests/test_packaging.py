"""What is built is what is in the rooms: every module and data file, once, as a real file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.xdist_group("packaging")

ROOT = Path(__file__).resolve().parent.parent
LINKS = ROOT / "src" / "onnx2snn"
ROOMS = sorted(path.name for path in LINKS.iterdir() if path.is_symlink())
BINARIES = ("*.so", "*.pyd")
LIBRARY = "onnx2snn/runtime/native/_operators"
DEMO_DATA = ROOT / "cli" / "demo_data"


def files_in(folder: Path) -> set[str]:
    """Files under the folder, relative to it, without caches and hidden files."""
    found = set()
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and name[0] != "."]
        kept = (name for name in names if name[0] != "." and not name.endswith(".pyc"))
        found |= {(Path(parent) / name).relative_to(folder).as_posix() for name in kept}
    return found


def is_native_source(file: str) -> bool:
    """Whether the file is C++: part of the sdist, but compiled into the wheel."""
    return file.endswith((".cpp", ".h", ".inc"))


def build(source: Path, target: Path, *arguments: str) -> None:
    """Run ``python -m build`` with the build tools of this environment."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", *arguments, "-o", target, source],
        check=True,
        capture_output=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, links kept, so that nothing is written to the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*", *BINARIES)
    for name in ("src", *ROOMS):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignore)
    return copy


@pytest.fixture(scope="module")
def expected(source: Path) -> set[str]:
    """The files that the package must hold."""
    return {f"onnx2snn/{room}/{name}" for room in ROOMS for name in files_in(source / room)}


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The sdist, the wheel built from it, and the wheel built from the tree itself."""
    through_sdist = tmp_path_factory.mktemp("through_sdist")
    build(source, through_sdist)
    direct = tmp_path_factory.mktemp("direct")
    build(source, direct, "--wheel")
    return {
        "sdist": next(through_sdist.glob("*.tar.gz")),
        "wheel of sdist": next(through_sdist.glob("*.whl")),
        "wheel": next(direct.glob("*.whl")),
    }


def test_rooms_are_relative_links() -> None:
    assert {"ir", "converter", "runtime", "cli"} <= set(ROOMS)
    assert {room: os.readlink(LINKS / room) for room in ROOMS} == {
        room: f"../../{room}" for room in ROOMS
    }
    assert {path.name for path in LINKS.iterdir()} - {"__pycache__"} == set(ROOMS)


def test_every_typed_folder_is_a_room() -> None:
    assert {path.parent.name for path in ROOT.glob("*/py.typed")} == set(ROOMS)


@pytest.mark.parametrize("name", ["wheel", "wheel of sdist"])
def test_wheel_holds_every_file_once(
    name: str, built: Mapping[str, Path], expected: set[str]
) -> None:
    with zipfile.ZipFile(built[name]) as wheel:
        names = Counter(info.filename for info in wheel.infolist() if not info.is_dir())
    package = {file for file in names if ".dist-info" not in PurePosixPath(file).parts[0]}
    libraries = {file for file in package if file.startswith(LIBRARY)}
    assert len(libraries) <= 1  # none where there is no compiler
    assert package - libraries == {file for file in expected if not is_native_source(file)}
    assert set(names.values()) == {1}


def test_sdist_holds_every_file_once_and_no_link(
    built: Mapping[str, Path], expected: set[str]
) -> None:
    with tarfile.open(built["sdist"]) as sdist:
        members = [member for member in sdist.getmembers() if not member.isdir()]
    assert all(member.isreg() for member in members)
    names = [PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in members]
    package = Counter(
        name.relative_to("src").as_posix() for name in names if name.is_relative_to("src/onnx2snn")
    )
    assert set(package) == expected
    assert set(package.values()) == {1}
    assert not {name.parts[0] for name in names} & set(ROOMS)


def test_data_files_are_packaged(expected: set[str]) -> None:
    assert {f"onnx2snn/{room}/py.typed" for room in ROOMS} <= expected
    assert {
        "onnx2snn/cli/demo_data/digits.npz",
        "onnx2snn/cli/demo_data/digits_calibration.npz",
        "onnx2snn/cli/demo_data/digits_cnn.onnx",
    } <= expected


def test_wheel_metadata(built: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        texts = {
            PurePosixPath(name).name: wheel.read(name).decode()
            for name in wheel.namelist()
            if ".dist-info/" in name
        }
    assert "onnx2snn = onnx2snn.cli.app:main" in texts["entry_points.txt"]
    assert "Requires-Python: <3.14,>=3.11" in texts["METADATA"]
    assert "License-Expression: Apache-2.0" in texts["METADATA"]
    assert "Apache License" in texts["LICENSE"]


def test_demo_network_reaches_its_recorded_accuracy() -> None:
    data = np.load(DEMO_DATA / "digits.npz")
    calibration = np.load(DEMO_DATA / "digits_calibration.npz")
    session = onnxruntime.InferenceSession(
        DEMO_DATA / "digits_cnn.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"image": data["image"]})
    assert isinstance(logits, np.ndarray)
    # 535 of 540 are right; one image more or less is left to other machines' rounding.
    assert abs((logits.argmax(1) == data["labels"]).sum() - 535) <= 1
    assert calibration["image"].shape == (200, 1, 8, 8)
    shown = {image.tobytes() for image in calibration["image"]}
    assert not shown & {image.tobytes() for image in data["image"]}

"""The compiled core under sanitizers: no bad access, no undefined behaviour.

Builds the library a second time (a minute or two) and runs tests of this folder on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = Path(__file__).parents[3] / "runtime/native"
FLAGS = [
    *("-std=c++17", "-O1", "-g", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"),
]
TESTS = (
    "random_nets or chains or whole_numbers or read_out or held or threads or integer_model"
    " or long_sums or currents or pool_in_front"
)
FILES = (
    *("test_event_engine.py", "test_handing_on.py", "test_int8_weights.py", "test_held_int8.py"),
    "test_tiles.py",
)


def runtime_library(compiler: str, name: str) -> str:
    """Return the path of a library of the compiler; its bare name where it has none."""
    told = subprocess.run(
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_no_bad_access(isa: str, sanitized: tuple[Path, str]) -> None:
    library, preload = sanitized
    environment = os.environ | {
        "LD_PRELOAD": preload,
        "ONNX2SNN_OPERATORS": str(library),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves memory to the end of the process
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += [*(str(HERE / name) for name in FILES), "-k", f"({TESTS}) and {isa}"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Build with sanitizers; return the library and what must be preloaded for it."""
    compiler = shutil.which("g++")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs g++ on Linux")
    preload = [runtime_library(compiler, name) for name in ("libasan.so", "libubsan.so")]
    if not all(Path(path).is_absolute() for path in preload):
        pytest.skip("this g++ has no sanitizers")
    library = tmp_path_factory.mktemp("sanitized") / "operators.so"
    sources = sorted(str(path) for path in SOURCES.rglob("*.cpp"))
    command = [compiler, *FLAGS, f"-I{SOURCES}", "-shared", "-o", str(library), *sources]
    subprocess.run(command, check=True)
    return library, " ".join(preload)

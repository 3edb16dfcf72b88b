"""The files of ``docker/`` fit the project; building the image needs an engine and is not done."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COPIED = [
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    for source in line.split()[:-1]
]
SCRIPTS = sorted(DOCKER.glob("*.sh"))


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert (ROOT / source).exists()
    assert any(line[1:] == source for line in ignored if line.startswith("!"))


def test_every_room_is_copied() -> None:
    rooms = {path.name for path in (ROOT / "src" / "onnx2snn").iterdir() if path.is_symlink()}
    assert rooms <= set(COPIED)
    assert {"setup.py", "pyproject.toml"} <= set(COPIED)  # setup.py makes the compiled neurons


def test_compiled_libraries_of_the_host_stay_out() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert any(fnmatch.fnmatch("runtime/native/_operators.so", pattern) for pattern in patterns)


def test_requirements_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = [sys.executable, DOCKER / "requirements.py", ROOT / "pyproject.toml", "server,nir"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["server"], *extras["nir"]]
    assert [line for line in printed if line] == wanted


def test_settings_of_compose_exist() -> None:
    """A misspelt variable would be read by nobody."""
    settings = pytest.importorskip("onnx2snn.server.settings", reason="needs the extra 'server'")
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"ONNX2SNN_([A-Z0-9_]+):", compose))
    named |= set(re.findall(r"ONNX2SNN_([A-Z0-9_]+)=", DOCKERFILE))
    assert named
    assert {name.lower() for name in named} <= set(settings.Settings.model_fields)


def test_both_shapes_of_compose() -> None:
    yaml = pytest.importorskip("yaml", reason="comes with the extra 'server'")
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    shapes: dict[str, set[str]] = {profile: set() for profile in ("box", "scale")}
    for name, service in services.items():
        assert len(service["profiles"]) == 1, name
        shapes[service["profiles"][0]].add(name)
        if "build" in service:
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
    assert shapes == {"box": {"service"}, "scale": {"api", "worker", "postgres", "store"}}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse(script: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    subprocess.run([bash, "-n", script], check=True)


def test_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint")
    subprocess.run([hadolint, DOCKER / "Dockerfile"], check=True)

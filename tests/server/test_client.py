from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest
from tests.server.conftest import CALIBRATION, MODEL, ROOT, TEST_DATA, Running

from onnx2snn.server.client import Client
from onnx2snn.server.problems import Problem

pytestmark = pytest.mark.xdist_group("service")


def test_client_converts(service: Running, tmp_path: Path) -> None:
    client = Client(service.url)
    content = client.convert(MODEL, calibration=CALIBRATION, preset="fast")
    assert onnxruntime.InferenceSession(content).get_inputs()[0].name == "image"
    assert client.check(client.upload_model(MODEL).id).convertible
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("no model")
    with pytest.raises(Problem) as refused:
        client.convert(wrong)
    assert refused.value.code == "invalid-model"
    with pytest.raises(Problem) as unknown:
        client.job("0" * 32)
    assert (unknown.value.code, unknown.value.status) == ("not-found", 404)


def test_client_measures(service: Running, tmp_path: Path) -> None:
    client = Client(service.url)
    model, data = client.upload_model(MODEL), client.upload_dataset(TEST_DATA)
    job = client.create_conversion(
        model_id=model.id, calibration_id=data.id, evaluation_samples=50, preset="fast"
    )
    done = client.wait(job.id)
    assert done.snn_id is not None
    snn, curve = client.snn(done.snn_id), client.curve(done.snn_id)
    assert curve.samples == 50
    assert snn.summary["evaluation"]["snn_accuracy"] == curve.curve[-1]["accuracy"]
    client.download(snn.links["content"], tmp_path / snn.name)
    assert (tmp_path / snn.name).stat().st_size == snn.size


def test_client_needs_nothing_of_the_server() -> None:
    """A program that talks to a service does not install one."""
    code = (
        "import sys, onnx2snn.server.client\n"
        "needed = {'fastapi', 'starlette', 'sqlalchemy', 'dbos', 'obstore', 'uvicorn', 'numpy'}\n"
        "print(sorted(needed & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def readme_blocks(language: str, word: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    return [block for block in found if word in block]


@pytest.mark.parametrize("block", readme_blocks("bash", "curl"))
def test_curl_examples_of_the_readme(block: str, service: Running, tmp_path: Path) -> None:
    """Word for word; only the address is another."""
    if shutil.which("curl") is None or shutil.which("jq") is None:
        pytest.skip("needs curl and jq")
    shutil.copy(MODEL, tmp_path / "model.onnx")
    shutil.copy(CALIBRATION, tmp_path / "calibration.npz")
    script = "set -eu -o pipefail\n" + block.replace("localhost:8000", f"127.0.0.1:{service.port}")
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    converted = onnxruntime.InferenceSession((tmp_path / "model.snn.onnx").read_bytes())
    assert [value.name for value in converted.get_overridable_initializers()] == ["timesteps"]
    if "report" in block:
        assert "<!doctype html>" in (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "state" in ran.stdout


def test_python_example_of_the_readme(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = readme_blocks("python", "server.client")
    shutil.copy(MODEL, tmp_path / "model.onnx")
    shutil.copy(CALIBRATION, tmp_path / "calibration.npz")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block.replace("localhost:8000", f"127.0.0.1:{service.port}"), names)
    content = names["content"]
    assert isinstance(content, bytes)
    assert onnxruntime.InferenceSession(content).get_inputs()[0].name == "image"


def test_curl_examples_of_the_manual(service: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    manual = (ROOT / "docs" / "operations.md").read_text()
    block = next(b for b in re.findall(r"```bash\n(.*?)```", manual, re.S) if "curl" in b)
    commands = [line for line in block.replace("\\\n", " ").splitlines() if "curl" in line]
    assert len(commands) == 8
    shutil.copy(MODEL, tmp_path / "net.onnx")
    shutil.copy(CALIBRATION, tmp_path / "samples.npz")
    # What a reader copies out of one answer into the next request.
    take = "=$(grep -o '\"{}\":\"[0-9a-f]*' answer | head -1 | cut -d'\"' -f4)"
    names = {1: "MODEL", 3: "DATA", 4: "JOB"}
    script = ["set -e -o pipefail"]
    for index, command in enumerate(commands):
        plain = command.split("   #")[0].replace("localhost:8000", service.url)
        plain = plain.replace("--json", "-H 'Content-Type: application/json' --data")
        if index in names:
            plain += f" > answer; {names[index]}" + take.format("id")
        script.append(plain)
        if index == 5:
            script.append(f"curl -f {service.url}/v1/jobs/$JOB > answer")
            script.append("SNN" + take.format("snn_id"))
    ran = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "net.snn.onnx").stat().st_size > 1000
    assert (tmp_path / "net.step.onnx").stat().st_size > 1000

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import onnxruntime
import pytest
from tests.server.conftest import CALIBRATION, MODEL, ROOT, Running

from onnx2snn.server.client import Client
from onnx2snn.server.problems import Problem

pytestmark = pytest.mark.xdist_group("service")


def test_client_converts(service: Running, tmp_path: Path) -> None:
    client = Client(service.url)
    content = client.convert(MODEL, calibration=CALIBRATION, preset="fast")
    assert onnxruntime.InferenceSession(content).get_inputs()[0].name == "image"
    assert client.check(client.upload_model(MODEL)["id"])["convertible"]
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("no model")
    with pytest.raises(Problem) as refused:
        client.convert(wrong)
    assert refused.value.code == "invalid-model"
    with pytest.raises(Problem) as unknown:
        client.job("0" * 32)
    assert (unknown.value.code, unknown.value.status) == ("not-found", 404)


def test_curl_examples_of_the_manual(service: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    manual = (ROOT / "docs" / "operations.md").read_text()
    block = next(b for b in re.findall(r"```bash\n(.*?)```", manual, re.S) if "curl" in b)
    commands = [line for line in block.replace("\\\n", " ").splitlines() if "curl" in line]
    assert len(commands) == 7
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

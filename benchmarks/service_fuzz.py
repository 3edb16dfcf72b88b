"""schemathesis over the whole API of a service of its own, from its OpenAPI document."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from service_batch import perceptron
from service_process import ServiceProcess, free_port, request

SETTINGS = {
    "ONNX2SNN_WORKERS": "1",
    "ONNX2SNN_RATE_PER_MINUTE": "0",
    "ONNX2SNN_QUICK_SECONDS": "1",
    "ONNX2SNN_CHECK_SECONDS": "10",
    "ONNX2SNN_JOB_SECONDS": "20",
    "ONNX2SNN_MAX_UPLOAD_BYTES": str(2**22),
}

# A schema cannot say whether a file holds a model, a token is ours or a preset exists: such
# requests are answered with 400 or 422, in a problem.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 422, 429, "5xx"]
"""


def main() -> None:
    """Run it; the exit code is that of schemathesis, 0 without failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=30, help="per operation")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", free_port(), SETTINGS).start()
        try:
            request(f"{service.url}/v1/models", perceptron(0))
            config = Path(folder) / "schemathesis.toml"
            config.write_text(CONFIG)
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
                f"{service.url}/openapi.json",
                *("--max-examples", str(options.examples), "--seed", str(options.seed)),
                *("--checks", "all", "--workers", "1", "--request-timeout", "120"),
                *("--max-response-time", "60"),
                *("--exclude-path-regex", "/events$"),  # an open stream, tested on its own
            ]
            code = subprocess.run(command, cwd=folder).returncode
            alive = request(f"{service.url}/healthz")[0] == 200
        finally:
            service.stop()
    sys.exit(code if alive else 1)


if __name__ == "__main__":
    main()

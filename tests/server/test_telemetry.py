from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from tests.server.conftest import Launch

pytest.importorskip("opentelemetry.instrumentation.fastapi", reason="needs onnx2snn[telemetry]")


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector that keeps what it is sent."""
    got: list[bytes] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.path.encode() + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_requests_are_traced(launch: Launch, collector: tuple[str, list[bytes]]) -> None:
    endpoint, got = collector
    service = launch(workers="0", otlp_endpoint=endpoint)
    assert httpx.get(f"{service.url}/v1/jobs").status_code == 200
    deadline = time.monotonic() + 120
    while not any(b"/v1/jobs" in sent for sent in got):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert any(sent.startswith(b"/v1/traces") and b"onnx2snn" in sent for sent in got)

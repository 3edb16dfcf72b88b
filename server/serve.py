"""Run the service, or a worker, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import structlog
import uvicorn

from onnx2snn.server.app import create_app
from onnx2snn.server.context import open_context
from onnx2snn.server.logs import configure_logs
from onnx2snn.server.service import running_service
from onnx2snn.server.settings import Settings

GRACE_SECONDS = 10


def serve(settings: Settings) -> None:
    """Serve HTTP until SIGTERM or SIGINT; running jobs are resumed at the next start."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=1000,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    uvicorn.Server(config).run()


def work(settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT."""
    configure_logs(settings.log_format)
    stop = threading.Event()

    def leave(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    with running_service(open_context(settings)):
        structlog.get_logger("onnx2snn").info("worker ready", worker=settings.worker_id)
        stop.wait()

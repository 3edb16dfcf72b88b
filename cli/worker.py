"""``onnx2snn worker``: run the jobs of a service on this machine."""

from __future__ import annotations

from onnx2snn.cli.extras import need
from onnx2snn.cli.serve import SERVER_MODULES


def worker() -> None:
    """Run jobs of a service that shares its database and file store with this machine.

    Set DATABASE_URL and ONNX2SNN_STORE as for 'onnx2snn serve', and ONNX2SNN_WORKER_ID to a name
    that stays the same after a restart. Needs the extra 'server'.
    """
    need("server", SERVER_MODULES, "a worker")
    from onnx2snn.server.serve import work
    from onnx2snn.server.settings import Settings

    work(Settings())

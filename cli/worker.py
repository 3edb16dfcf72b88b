"""``onnx2snn worker``: run the jobs of a service on this machine."""

from __future__ import annotations


def worker() -> None:
    """Run jobs of a service that shares its database and file store with this machine.

    Set DATABASE_URL and ONNX2SNN_STORE as for 'onnx2snn serve', and ONNX2SNN_WORKER_ID to a name
    that stays the same after a restart. Needs the extra 'server'.
    """
    from onnx2snn.server.serve import work
    from onnx2snn.server.settings import Settings

    work(Settings())

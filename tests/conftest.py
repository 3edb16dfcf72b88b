"""Settings and fixtures shared by all tests."""

from __future__ import annotations

import os

# Read by ONNX Runtime when it is first imported, so it must be set before any test module is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

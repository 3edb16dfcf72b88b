"""The ONNX domain of the spiking operators, and the versions that files are written in."""

from __future__ import annotations

DOMAIN = "onnx2snn"
DOMAIN_VERSION = 1
OPSET = 21
IR_VERSION = 10

"""Spiking model and data in, results out."""

from onnx2snn.runtime.native.library import custom_ops_path

__all__ = ["custom_ops_path"]

"""ONNX in, spiking network out.

    model, report = convert("net.onnx", calibration=samples)

The submodules are the parts of the line; these names are what other code is meant to use.
"""

from onnx2snn.converter.catalogue import ALL_PRESETS, find_preset
from onnx2snn.converter.check import CheckReport, check
from onnx2snn.converter.convert import convert
from onnx2snn.converter.exporters import EXPORTERS, ExportReport, export
from onnx2snn.converter.presets import PRESETS, Preset
from onnx2snn.converter.read_outs.leaky import add_leaky_read_out
from onnx2snn.converter.report import ConversionReport, LayerError, SearchPoint

__all__ = [
    "ALL_PRESETS",
    "EXPORTERS",
    "PRESETS",
    "CheckReport",
    "ConversionReport",
    "ExportReport",
    "LayerError",
    "Preset",
    "SearchPoint",
    "add_leaky_read_out",
    "check",
    "convert",
    "export",
    "find_preset",
]

"""Plots as inline SVG, drawn here: no script, no font and no network is needed to see them.

Colours are classes, set by the page's style sheet, so that one drawing serves light and dark.
"""

from onnx2snn.runtime.plots.heat_map import heat_map
from onnx2snn.runtime.plots.line_plot import Level, Line, line_plot
from onnx2snn.runtime.plots.range_plot import Range, range_plot

__all__ = ["Level", "Line", "Range", "heat_map", "line_plot", "range_plot"]

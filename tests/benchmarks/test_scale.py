"""The plot of scale, and that the large nets are what their names say."""

from __future__ import annotations

from xml.etree import ElementTree

import large_nets
import pytest
import scale
from onnx import numpy_helper


def test_slopes_and_plot() -> None:
    straight = scale.Curve("T", "event", [1, 2, 4, 8], [0.01, 0.02, 0.04, 0.08])
    square = scale.Curve("synapses", "onnxruntime", [1, 2, 4], [0.01, 0.04, 0.16])
    assert straight.slope == pytest.approx(1)
    assert square.slope == pytest.approx(2)
    picture = ElementTree.fromstring(scale.draw([straight, square]))
    lines = [element for element in picture if element.tag.endswith("polyline")]
    assert len(lines) == 2
    assert "1.00" in "".join(picture.itertext())


def test_mobilenet_has_its_parameters() -> None:
    """3.5 million (Sandler et al. 2018, table 4: 3.4 M), here without the norms."""
    model = large_nets.make("mobilenetv2")
    count = sum(numpy_helper.to_array(tensor).size for tensor in model.graph.initializer)
    assert 3.4e6 < count < 3.6e6

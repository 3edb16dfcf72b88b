from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest

from onnx2snn.converter.convert import convert
from onnx2snn.converter.report import ConversionReport
from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import MANIFEST_KEY, NodeFate
from onnx2snn.ir.model import SpikingModel
from onnx2snn.runtime.evaluation.evaluate import evaluate
from onnx2snn.runtime.evaluation.results import Evaluation
from onnx2snn.runtime.plots import Level, Line, Range, heat_map, line_plot, range_plot
from onnx2snn.runtime.plots.scale import decade_ticks, round_ticks
from onnx2snn.runtime.reports import numerals
from onnx2snn.runtime.reports.report import write_report

HOSTILE = "<script>alert('x')</script>\"onload=x"
Report = tuple[SpikingModel, ConversionReport, Evaluation]


@pytest.fixture(scope="module")
def made() -> Report:
    """A network whose names attack the page, its conversion and its evaluation."""
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N,6] x) => (float[N,3] y) <float[6,3] w> { h = MatMul (x, w) r = Relu (h)
        y = Mul (r, r_scale) }"""
    text = text.replace("float[6,3] w", "float[6,3] w, float[1] r_scale = {2}")
    ann = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 3)).astype(np.float32)
    ann.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    ann.graph.node[1].name = HOSTILE
    data = rng.normal(size=(30, 6)).astype(np.float32)
    model, conversion = convert(ann, calibration=data)
    return (
        model,
        conversion,
        evaluate(model, ann, data, rng.integers(0, 3, 30), timesteps=(1, 4, 9)),
    )


class Page(HTMLParser):
    """Collects tags, attributes and shown text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_is_self_contained_and_escaped(made: Report, tmp_path: Path) -> None:
    model, conversion, evaluation = made
    path = write_report(
        tmp_path / "r.html", model=model, evaluation=evaluation, conversion=conversion
    )
    page = Page(path.read_text())
    assert not page.tags & {"script", "link", "iframe", "object", "img", "b onload"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.links == []
    assert "@import" not in path.read_text()
    assert "url(" not in path.read_text()
    assert HOSTILE in page.text
    for told in ("Accuracy", "Agreement", "Relative error", "Thresholds", "Estimated energy"):
        assert told in page.text
    for told in ("T = 9", "S = 1", "graded", "30 samples of data", "none: every operator"):
        assert told in page.text


def test_every_drawing_is_well_formed(made: Report, tmp_path: Path) -> None:
    model, _, evaluation = made
    text = write_report(tmp_path / "r.html", model=model, evaluation=evaluation).read_text()
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 5
    for drawing in drawings:
        assert "nan" not in " ".join(
            value
            for node in ElementTree.fromstring(drawing).iter()
            for value in node.attrib.values()
        )


def test_json_beside_it(made: Report, tmp_path: Path) -> None:
    model, conversion, evaluation = made
    write_report(tmp_path / "r.html", model=model, evaluation=evaluation, conversion=conversion)
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["evaluation"]["curve"][-1]["timesteps"] == 9
    assert record["manifest"] == json.loads(model.manifest.model_dump_json())
    assert record["conversion"]["neuron_layers"] == conversion.neuron_layers


def test_before_any_evaluation(made: Report, tmp_path: Path) -> None:
    text = write_report(tmp_path / "r.html", model=made[0]).read_text()
    assert "not yet evaluated" in text
    assert json.loads((tmp_path / "r.json").read_text())["evaluation"] is None


def test_without_labels_classes_or_finite_numbers(made: Report, tmp_path: Path) -> None:
    model, _, evaluation = made
    nan = float("nan")
    points = tuple(
        point.model_copy(
            update={"accuracy": None, "agreement": None, "ptq_agreement": None, "cosine": nan}
        )
        for point in evaluation.curve
    )
    bare = evaluation.model_copy(
        update={
            "curve": (points[0].model_copy(update={"relative_error": nan}), *points[1:]),
            "ann": evaluation.ann.model_copy(update={"accuracy": None}),
            "ptq": evaluation.ptq.model_copy(update={"accuracy": None, "agreement": None}),
            "layers": (),
            "energy": (),
            "silent_at": None,
        }
    )
    path = write_report(tmp_path / "r.html", model=model, evaluation=bare)
    assert path.read_text().count("<svg") == 2
    assert json.loads((tmp_path / "r.json").read_text())["evaluation"]["curve"][0]["cosine"] is None


def test_findings_analog_operators_and_fates(made: Report, tmp_path: Path) -> None:
    model = SpikingModel(onnx.ModelProto())
    model.proto.CopyFrom(made[0].proto)
    manifest = made[0].manifest.model_copy(
        update={
            "analog_ops": ("x (DirectCurrent)",),
            "findings": (
                Finding(code="odd", message="<i>odd</i>", severity="warning", remedy="mend it"),
            ),
            "nodes": (NodeFate(node="n<1>", op="Sin", fate="refused", detail="no & never"),),
        }
    )
    next(
        entry for entry in model.proto.metadata_props if entry.key == MANIFEST_KEY
    ).value = manifest.model_dump_json()
    page = Page(write_report(tmp_path / "r.html", model=model).read_text())
    for told in ("x (DirectCurrent)", "<i>odd</i>", "mend it", "n<1>", "no & never", "refused"):
        assert told in page.text
    assert "i" not in page.tags


def test_scales() -> None:
    assert round_ticks(0.977, 0.9907)[0] <= 0.977
    assert round_ticks(0.5, 0.5)[0] < 0.5 < round_ticks(0.5, 0.5)[-1]
    assert round_ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert decade_ticks(3e-5, 2.0)[0] <= 3e-5
    assert decade_ticks(3e-5, 2.0)[-1] >= 2.0
    assert decade_ticks(0.02, 0.02)[0] <= 0.02 < decade_ticks(0.02, 0.02)[-1]
    assert len(decade_ticks(1e-30, 1.0)) <= 8


def test_plots_of_extremes() -> None:
    points = [(1, 0.0), (3, 0.0)]
    for logarithmic in (False, True):
        line_plot(
            "t", Line("SNN", points), [Level("ANN", 0.0, "ann")], str, logarithmic=logarithmic
        )
    line_plot("t", Line("SNN", [(8, 1.0)]), [], str)
    assert "fill-opacity" in heat_map("t", ["1"], [("a" * 99, [0.0])], [0.0], "events")
    range_plot("t", [Range("a", 1e-9, 1.0, 1e9), Range("b", 1.0, 1.0, 1.0)], "unit")


def test_numerals() -> None:
    assert numerals.percent(0.99999) == "99.99\u00a0%"
    assert numerals.percent(1.0) == "100.00\u00a0%"
    assert numerals.percent(None) == numerals.figure(float("nan")) == "–"
    assert numerals.figure(float("inf")) == "infinite"
    assert numerals.amount(999.9) == "1\u00a0k"
    assert numerals.joules(4.1e-6) == "4.1\u00a0µJ"
    assert numerals.joules(0.0) == "0\u00a0J"
    assert numerals.seconds(185) == "3 min 05 s"
    assert numerals.size(1234567) == "1.23\u00a0MB"


def test_many_timesteps_share_columns(made: Report, tmp_path: Path) -> None:
    model, _, evaluation = made
    layers = tuple(
        layer.model_copy(update={"events_by_timestep": tuple(float(t) for t in range(130))})
        for layer in evaluation.layers
    )
    many = evaluation.model_copy(update={"layers": layers, "timesteps": 130})
    text = write_report(tmp_path / "r.html", model=model, evaluation=many).read_text()
    assert "t = 1–3: 1 events" in text
    assert "t = 130–130: 129 events" in text

"""The page in a real browser, from the choice of a file to the download."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest
from onnx import helper
from tests.server.attacks import model
from tests.server.conftest import CALIBRATION, MODEL, TEST_DATA, Running

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.xdist_group("service"),
    pytest.mark.skipif(BROWSER is None, reason="needs chromium"),
]
WIDE = {"width": 1200, "height": 900}
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        launched = tools.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


def open_page(browser: Any, service: Running, complaints: list[str], **options: Any) -> Any:
    page = browser.new_page(**options)
    page.set_default_timeout(90_000)
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else 0)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(service.url)
    page.wait_for_selector("#presets input", state="attached")
    return page


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_from_upload_to_download(
    viewport: dict[str, int],
    scheme: str,
    browser: Any,
    service: Running,
    complaints: list[str],
) -> None:
    page = open_page(browser, service, complaints, viewport=viewport, color_scheme=scheme)
    page.set_input_files("#model-file", MODEL)
    page.wait_for_selector("#verdict.good")
    page.wait_for_selector("#graph svg rect")
    page.set_input_files("#data-file", CALIBRATION)
    page.set_input_files("#test-file", TEST_DATA)
    page.wait_for_selector("#test-drop.done")
    page.click("#options button.primary")
    page.wait_for_selector("#curve canvas")
    page.get_by_text("succeeded").first.wait_for()
    assert "agreement with the ANN" in page.inner_text("#tiles")
    assert "relu1" in page.inner_text("#layers")
    with page.expect_download() as started:
        page.click("#downloads a.primary")
    content = Path(started.value.path()).read_bytes()
    assert httpx.get(f"{service.url}/v1/snns/{hashlib.sha256(content).hexdigest()}").is_success
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    page.close()


def test_by_keyboard(browser: Any, service: Running, complaints: list[str]) -> None:
    page = open_page(browser, service, complaints, viewport=WIDE)
    page.set_input_files("#model-file", MODEL)
    page.wait_for_selector("#verdict.good")
    page.focus("#show-nodes")
    page.keyboard.press("Enter")
    page.wait_for_selector("#nodes table")
    page.focus("#presets input")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('#presets input:checked').value") == "fast"
    page.focus("#options input[name=timesteps]")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#downloads a.primary")
    page.focus("#theme")
    page.keyboard.press("Space")
    assert page.evaluate("document.documentElement.dataset.theme") in ("dark", "light")
    assert complaints == []
    page.close()


def test_names_of_nodes_are_text(
    browser: Any, service: Running, complaints: list[str], tmp_path: Path
) -> None:
    name = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    node = helper.make_node("Relu", ["x"], ["y"], name=name)
    path = tmp_path / "evil.onnx"
    path.write_bytes(model([node]))
    onnx.load(path)
    page = open_page(browser, service, complaints, viewport=WIDE)
    page.set_input_files("#model-file", path)
    page.wait_for_selector("#verdict.good, #verdict.bad-text")
    page.wait_for_selector("#graph svg")
    page.click("#show-nodes")
    page.wait_for_selector("#nodes table")
    assert "<img" in page.inner_text("#nodes")
    assert page.title() == "onnx2snn"
    assert complaints == []
    page.close()


def test_what_is_refused_says_why(
    browser: Any, service: Running, complaints: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    page = open_page(browser, service, complaints, viewport=WIDE)
    page.set_input_files("#model-file", path)
    page.wait_for_selector("#findings li.error")
    assert page.is_hidden("#options-section")
    page.close()

"""The page in a real browser, from the choice of a file to the download."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import helper
from tests.server.attacks import model
from tests.server.conftest import CALIBRATION, MODEL, TEST_DATA, Launch, Running

from onnx2snn.server.api_keys import create_key
from onnx2snn.server.context import open_context
from onnx2snn.server.settings import Settings

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
def page(browser: Any, service: Running, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, freshly opened; fails if anything appears on the console."""
    options = getattr(request, "param", {"viewport": WIDE})
    opened, complaints = open_page(browser, service.url, options)
    yield opened
    opened.close()
    assert complaints == []


def open_page(browser: Any, url: str, options: dict[str, Any]) -> tuple[Any, list[str]]:
    complaints: list[str] = []
    page = browser.new_page(**options)
    page.set_default_timeout(90_000)
    page.on("console", lambda m: complaints.append(m.text) if is_complaint(m) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.wait_for_selector("#presets input", state="attached")
    return page, complaints


def is_complaint(message: Any) -> bool:
    """A browser reports every refused upload by itself; the page shows why."""
    return message.type in ("error", "warning") and "422 (Unproc" not in message.text


def choose_model(page: Any, path: Path = MODEL) -> None:
    page.set_input_files("#model-file", path)
    page.wait_for_selector("#verdict.good")


def fits(page: Any) -> bool:
    fitting: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return fitting


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": WIDE, "color_scheme": "light"},
        {"viewport": NARROW, "color_scheme": "dark"},
    ],
    indirect=True,
)
def test_from_upload_to_download(page: Any, service: Running) -> None:
    choose_model(page)
    page.wait_for_selector("#fates .graph svg rect")
    assert fits(page)
    page.set_input_files("#data-file", CALIBRATION)
    page.set_input_files("#test-file", TEST_DATA)
    page.wait_for_selector("#test-drop.done")
    assert "labels 540" in page.inner_text("#test-drop")
    page.click("#options button.primary")
    page.wait_for_selector("#job-state.succeeded")
    page.wait_for_selector(".curve canvas")
    for words in ("SNN accuracy", "PTQ accuracy", "ANN accuracy", "estimated energy"):
        assert words in page.inner_text("#tiles")
    assert fits(page)
    page.get_by_role("tab", name="Events").click()
    page.wait_for_selector(".map rect")
    assert "relu1" in page.inner_text("#details")
    page.get_by_role("tab", name="Energy").click()
    page.wait_for_selector(".energy-row .piece")
    page.get_by_role("tab", name="Nodes").click()
    page.wait_for_selector("#details .graph svg rect")
    assert fits(page)
    page.get_by_role("tab", name="Log").click()
    page.get_by_text("state state=succeeded").wait_for()
    with page.expect_download() as started:
        page.click("#downloads a.primary")
    content = Path(started.value.path()).read_bytes()
    assert httpx.get(f"{service.url}/v1/snns/{hashlib.sha256(content).hexdigest()}").is_success
    with page.expect_download() as started:
        page.get_by_text("Report, HTML").click()
    assert "<!doctype html>" in Path(started.value.path()).read_text(encoding="utf-8")


def test_other_formats_name_their_losses(page: Any) -> None:
    choose_model(page)
    page.check("#presets input[value=rate]")
    page.fill("#options input[name=timesteps]", "4")
    page.click("#options button.primary")
    page.wait_for_selector("#job-state.succeeded")
    page.get_by_role("tab", name="Other formats").click()
    nir, step = (page.locator(".format").filter(has_text=text) for text in ("sinabs", "states"))
    nir.locator("select").select_option("norse")
    nir.get_by_role("button", name="Prepare").click()
    nir.locator(".findings .warning").first.wait_for()
    assert "Loses meaning" in nir.inner_text()
    with page.expect_download() as started:
        nir.get_by_text("Download all the same").click()
    assert started.value.suggested_filename == "digits_cnn.nir"
    step.get_by_role("button", name="Prepare").click()
    with page.expect_download() as started:
        step.get_by_text("Download (").click()
    assert Path(started.value.path()).stat().st_size > 1000


def test_by_keyboard(page: Any) -> None:
    choose_model(page)
    page.focus("#fates [role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#fates .nodes")
    assert page.is_visible("#fates .nodes")
    page.focus("#fates .legend button[data-fate=neuron]")
    page.keyboard.press("Space")
    rows = page.locator("#fates .nodes tbody tr:visible")
    assert set(rows.locator(".badge").all_inner_texts()) == {"neuron"}
    page.focus("#presets input")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('#presets input:checked').value") == "fast"
    page.focus("#options input[name=timesteps]")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#downloads a.primary")
    assert "preset fast" in page.inner_text("#job-kind")
    assert "T = 2" in page.inner_text("#tiles").replace("\u00a0", " ")
    page.focus("#theme")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("Space")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_history_leads_back_and_on(page: Any) -> None:
    choose_model(page)
    page.check("#presets input[value=fast]")
    page.click("#options button.primary")
    page.wait_for_selector("#job-state.succeeded")
    address = page.url
    page.click("nav a[data-view=history]")
    page.click("#history tbody tr:first-child a")
    page.wait_for_selector("#downloads a.primary")
    assert page.url == address
    page.reload()  # the address is enough
    page.wait_for_selector("#downloads a.primary")
    page.get_by_text("Convert again …").click()
    page.wait_for_selector("#verdict.good")
    assert MODEL.name in page.inner_text("#model-drop")
    page.go_back()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    page.wait_for_selector("#history:visible")
    assert address.rsplit("/", 1)[1] not in page.inner_html("#history")


def test_names_of_nodes_are_text(page: Any, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    path = tmp_path / "<b>evil.onnx"
    path.write_bytes(model([helper.make_node("Relu", ["x"], ["y"], name=name)]))
    page.set_input_files("#model-file", path)
    page.wait_for_selector("#verdict.good, #verdict.bad-text")
    page.wait_for_selector("#fates .graph svg rect")
    page.click("#fates .graph g")
    assert "<img" in page.inner_text("#fates .hint")
    page.get_by_role("tab", name="Table").click()
    assert "<img" in page.inner_text("#fates .nodes")
    page.click("#options button.primary")
    page.wait_for_selector("#job-state.succeeded")
    page.get_by_role("tab", name="Nodes").click()
    page.wait_for_selector("#details .graph svg rect")
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_what_is_refused_says_why(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    page.set_input_files("#model-file", path)
    page.wait_for_selector("#findings li.error")
    assert page.is_hidden("#options-section")


def test_dropped_files_find_their_places(page: Any) -> None:
    """Anywhere on the page: models and data are told apart by their names."""
    page.evaluate(
        """() => {
          const files = new DataTransfer();
          files.items.add(new File(["not a model"], "net.onnx"));
          files.items.add(new File(["no data"], "samples.npz"));
          document.querySelector("h1").dispatchEvent(
            new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
        }"""
    )
    page.wait_for_selector("#model-drop.done, #model-drop.bad")
    page.wait_for_selector("#data-drop.bad")


def test_a_failed_job_tells_what_to_do(page: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.zeros((4, 3), np.float32))
    choose_model(page)
    page.set_input_files("#data-file", wrong)
    page.wait_for_selector("#data-drop.done")
    page.click("#options button.primary")
    page.wait_for_selector("#job-state.failed")
    page.wait_for_selector("#problem:visible")
    assert "What to do" in page.inner_text("#problem")
    assert page.get_by_role("button", name="Retry").is_visible()


def test_asks_for_a_key(browser: Any, launch: Launch) -> None:
    running = launch(keys="required", workers="0")
    page, _ = open_page(browser, running.url, {"viewport": WIDE})
    page.wait_for_selector("#key-form:visible")
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    page.locator("#key-problem:not(:empty)").wait_for()
    page.fill("#key", create_key(open_context(Settings(data_dir=running.folder)), "ann"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#view-new:visible")
    assert page.is_hidden("#key-section")
    page.set_input_files("#model-file", MODEL)
    page.wait_for_selector("#model-drop.done")
    page.close()

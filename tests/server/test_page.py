"""The page as files: safe to serve, complete, true to the words of the converter."""

from __future__ import annotations

import re
from typing import get_args

import httpx
import pytest
from tests.server.conftest import ROOT, Running

from onnx2snn.ir.manifest import Fate

WEB = ROOT / "server" / "web"
TEMPLATE = (WEB / "templates" / "index.html").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (WEB / "static").glob("*.js")}
STYLE = (WEB / "static" / "style.css").read_text(encoding="utf-8")


@pytest.mark.xdist_group("service")
def test_page_is_served_with_all_it_names(service: Running) -> None:
    answer = httpx.get(service.url)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert 'data-keys="no"' in answer.text
    assert "At most 8 MB each" in answer.text
    own = [f"/static/{name}" for name in SCRIPTS]
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    vendored = re.findall(r'"(/static/vendor/[^"]+)"', "".join(SCRIPTS.values()))
    assert len(named) > 4
    for path in {*own, *named, *vendored}:
        assert httpx.get(service.url + path).status_code == 200, path


def test_nothing_is_inline() -> None:
    """The policy forbids it, and a browser would say so on its console only."""
    assert not re.search(r"<script(?![^>]*\bsrc=)", TEMPLATE)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", TEMPLATE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_never_becomes_markup(name: str) -> None:
    """Names of nodes and files are text of strangers."""
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    assert not re.search(markup, SCRIPTS[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_modules_find_each_other(name: str) -> None:
    for names, target in re.findall(
        r'^import \{([^}]+)\} from "/static/([^"]+)"', SCRIPTS[name], re.M
    ):
        for imported in names.split(","):
            export = rf"^export (async )?(function|const|class) {imported.strip()}\b"
            assert re.search(export, SCRIPTS[target], re.M), f"{imported.strip()} of {target}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_elements_that_scripts_ask_for_exist(name: str) -> None:
    places = set(re.findall(r'\bid="([^"{]+)"', TEMPLATE))
    asked = re.findall(r'\b(?:byId|show|fill)\("([^"]+)"', SCRIPTS[name])
    assert set(asked) <= places


@pytest.mark.parametrize("fate", get_args(Fate))
def test_every_fate_has_a_colour_and_words(fate: str) -> None:
    assert f'[data-fate="{fate}"]' in STYLE
    assert re.search(rf'\b"?{fate}"?: "', SCRIPTS["fates.js"])


def test_every_colour_is_defined() -> None:
    used = set(re.findall(r"var\((--[a-z-]+)\)", STYLE + "".join(SCRIPTS.values())))
    used |= set(re.findall(r'"(--[a-z-]+)"', SCRIPTS["curve.js"]))
    given = {"--share", "--fate"}
    assert used - given <= set(re.findall(r"(--[a-z-]+):", STYLE))


def test_vendored_files_bring_their_licences() -> None:
    vendor = WEB / "static" / "vendor"
    for path in vendor.glob("*.js"):
        licence = vendor / f"{path.name.split('-')[0]}-LICENSE.txt"
        assert "Permission is hereby granted" in licence.read_text(encoding="utf-8"), path.name

"""A command whose extra is not installed says what to install."""

from __future__ import annotations

import sys

import pytest
from tests.cli.conftest import RunCli


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [(("serve", "--print-config"), "pydantic_settings", "server"), (("worker",), "dbos", "server")],
)
def test_a_missing_extra(
    run: RunCli,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    module: str,
    extra: str,
) -> None:
    monkeypatch.setattr(
        "onnx2snn.cli.extras.find_spec", lambda name: None if name == module else sys
    )
    ran = run(*arguments)
    assert ran.code != 0
    assert f"needs {module}: not installed" in ran.err
    assert f"pip install 'onnx2snn[{extra}]'" in ran.err


def test_an_extra_that_is_there(run: RunCli) -> None:
    assert run("serve", "--print-config").json["port"] == 8000

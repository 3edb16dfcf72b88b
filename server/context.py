"""What every part of the service works with, made once per process from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import Engine

from onnx2snn.server.database.engine import Sessions, make_engine, make_sessions, migrate
from onnx2snn.server.metrics import Metrics
from onnx2snn.server.sandbox import Sandbox
from onnx2snn.server.settings import Settings
from onnx2snn.server.store import FileStore


@dataclass(frozen=True)
class Context:
    """The parts of one process of the service."""

    settings: Settings
    engine: Engine
    sessions: Sessions
    store: FileStore
    sandbox: Sandbox
    metrics: Metrics
    version: str


def open_context(settings: Settings) -> Context:
    """Open database and files; bring the schema up to date."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database)
    migrate(engine)
    return Context(
        settings=settings,
        engine=engine,
        sessions=make_sessions(engine),
        store=FileStore(settings),
        sandbox=Sandbox(settings),
        metrics=Metrics(),
        version=package_version(),
    )


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("onnx2snn")
    except PackageNotFoundError:
        return "0"

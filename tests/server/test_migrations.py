from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from onnx2snn.server.database import engine as database
from onnx2snn.server.database.tables import Base


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = database.make_engine(f"sqlite:///{tmp_path / 'new.db'}")
    database.migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_an_old_database_keeps_its_rows(tmp_path: Path) -> None:
    engine = database.make_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = "('k', 'ann', 'd', '2026-01-01 00:00:00', NULL)"
        connection.execute(text(f"INSERT INTO api_keys VALUES {row}"))
    assert "exports" not in inspect(engine).get_table_names()
    database.migrate(engine)
    database.migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM api_keys")).scalars().all() == ["ann"]
    assert "exports" in inspect(engine).get_table_names()
    engine.dispose()

"""Which files the store holds, and which of them nothing refers to any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from onnx2snn.server.context import Context
from onnx2snn.server.database.tables import (
    Blob,
    Dataset,
    Export,
    JobFile,
    Model,
    Snn,
    UploadPart,
    now,
)

_REFERENCES = (Model.id, Dataset.id, Snn.id, JobFile.sha256, UploadPart.sha256, Export.sha256)


def announce(context: Context, *files: tuple[str, int, str]) -> None:
    """Say that files are about to be stored and referred to: the collector leaves them alone.

    Args:
        context: of this process.
        *files: SHA-256, size and media type of each.
    """
    insert = insert_sqlite if context.engine.dialect.name == "sqlite" else insert_postgresql
    moment = now()
    names = ("sha256", "size", "media_type")
    with context.sessions() as session, session.begin():
        for file in sorted(files):  # in one order, so that two announcements never deadlock
            statement = insert(Blob).values(
                touched_at=moment, **dict(zip(names, file, strict=True))
            )
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["sha256"], set_={"touched_at": moment}
                )
            )


def collect(context: Context) -> int:
    """Delete stored files that nothing refers to; return their number."""
    before = now() - timedelta(seconds=context.settings.blob_grace_seconds)
    with context.sessions() as session:
        found: list[str] = list(session.scalars(_unused(before).limit(1000)))
    removed = 0
    for sha256 in found:
        with context.sessions() as session, session.begin():
            gone = session.execute(
                delete(Blob)
                .where(Blob.sha256 == sha256, Blob.touched_at < before)
                .where(*(~exists().where(column == sha256) for column in _REFERENCES))
                .returning(Blob.sha256)
            )
            if gone.first() is None:
                continue
            context.store.delete(sha256)
            removed += 1
    return removed


def _unused(before: object) -> Select[Any]:
    used = or_(*(exists().where(column == Blob.sha256) for column in _REFERENCES))
    return select(Blob.sha256).where(Blob.touched_at < before, ~used)


def touch(session: Session, sha256: str) -> None:
    """Keep the collector from a file that is about to be referred to again."""
    session.execute(update(Blob).where(Blob.sha256 == sha256).values(touched_at=now()))

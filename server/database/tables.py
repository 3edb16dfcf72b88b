"""Tables of the service. Migrations in ``server/migrations`` make them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

HASH = String(64)
OWNER = String(40)
SHORT = String(200)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class ApiKey(Base):
    """An API key; only its digest is known."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(OWNER, primary_key=True)
    name: Mapped[str] = mapped_column(SHORT)
    digest: Mapped[str] = mapped_column(HASH, unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]


class Blob(Base):
    """A file of the store, named by its SHA-256."""

    __tablename__ = "blobs"
    sha256: Mapped[str] = mapped_column(HASH, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(SHORT)
    touched_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Model(Base):
    """An uploaded ONNX model. Its id is the SHA-256 of its bytes."""

    __tablename__ = "models"
    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    id: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), primary_key=True)
    name: Mapped[str] = mapped_column(SHORT)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    used_at: Mapped[datetime] = mapped_column(default=now)


class Dataset(Base):
    """Uploaded samples. Their id is the SHA-256 of the file."""

    __tablename__ = "datasets"
    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    id: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), primary_key=True)
    name: Mapped[str] = mapped_column(SHORT)
    format: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(BigInteger)
    arrays: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    used_at: Mapped[datetime] = mapped_column(default=now)


class Upload(Base):
    """A file that arrives in parts."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(OWNER, primary_key=True)
    owner: Mapped[str] = mapped_column(OWNER, index=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(SHORT)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class UploadPart(Base):
    """One part of it."""

    __tablename__ = "upload_parts"
    upload_id: Mapped[str] = mapped_column(
        ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"))
    size: Mapped[int] = mapped_column(BigInteger)


class Job(Base):
    """Work that was accepted. This table is the truth about it; the job engine only drives it."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(OWNER, primary_key=True)
    owner: Mapped[str] = mapped_column(OWNER)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(SHORT, default="")
    parent_id: Mapped[str | None] = mapped_column(OWNER, index=True)
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    config: Mapped[dict[str, Any]]
    model_id: Mapped[str | None] = mapped_column(HASH)
    snn_id: Mapped[str | None] = mapped_column(HASH)
    step: Mapped[str] = mapped_column(SHORT, default="")
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    error: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    worker_id: Mapped[str | None] = mapped_column(SHORT)
    version: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    enqueued_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_jobs_owner_created", "owner", "created_at", "id"),
        Index("ix_jobs_state", "state", "enqueued_at"),
    )


class JobEvent(Base):
    """One thing that happened to a job; a client may replay them."""

    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]


class JobFile(Base):
    """A file that a job has made: report, account, simulation."""

    __tablename__ = "job_files"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"))
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(SHORT)


class Snn(Base):
    """A spiking network. Its id is the SHA-256 of its file."""

    __tablename__ = "snns"
    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    id: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), primary_key=True)
    name: Mapped[str] = mapped_column(SHORT)
    size: Mapped[int] = mapped_column(BigInteger)
    model_id: Mapped[str] = mapped_column(HASH)
    job_id: Mapped[str] = mapped_column(OWNER)
    report_job_id: Mapped[str] = mapped_column(OWNER)
    summary: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    used_at: Mapped[datetime] = mapped_column(default=now)


class Export(Base):
    """A spiking network in another format, so that it is written once."""

    __tablename__ = "exports"
    snn_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    format: Mapped[str] = mapped_column(String(20), primary_key=True)
    target: Mapped[str] = mapped_column(String(40), primary_key=True)
    allow_losses: Mapped[bool] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"))
    size: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Check(Base):
    """What a check of a model said, so that it runs once."""

    __tablename__ = "checks"
    model_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    preset: Mapped[str] = mapped_column(String(40), primary_key=True)
    strict: Mapped[bool] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    report: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class IdempotentRequest(Base):
    """An answer to give again when the same request comes again."""

    __tablename__ = "idempotent_requests"
    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    key: Mapped[str] = mapped_column(SHORT, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(HASH)
    job_id: Mapped[str] = mapped_column(OWNER)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Worker(Base):
    """A process that runs jobs, and when it last said that it lives."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(SHORT, primary_key=True)
    version: Mapped[str] = mapped_column(String(40))
    seen_at: Mapped[datetime] = mapped_column(default=now)

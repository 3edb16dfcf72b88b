"""Every setting of the service in one value. Environment variables ``ONNX2SNN_*`` set them."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, computed_field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 2**20


class Settings(BaseSettings):
    """Settings of the service.

    Attributes:
        host: address to listen on.
        port: port to listen on.
        data_dir: folder of the database, the files and the work of one machine.
        database_url: SQLAlchemy URL; SQLite in ``data_dir`` if not given.
        store: where files go: ``s3://bucket/prefix``, or a folder of ``data_dir`` if not given.
        s3_endpoint: endpoint of an S3-compatible store other than Amazon's.
        s3_region: its region.
        s3_access_key: its key; the usual AWS variables serve if not given.
        s3_secret_key: its secret.
        workers: conversions at once in this process; 0 leaves them to ``onnx2snn worker``.
        worker_id: name of this machine, the same after a restart.
        keys: whether API keys are asked for; ``auto`` means unless ``host`` is loopback.
        allowed_hosts: host names the service answers to; empty means any, and on loopback only
            loopback names (a guard against rebinding).
        max_upload_bytes: largest file.
        max_json_bytes: largest JSON body.
        max_queued: jobs waiting or running before the service answers 503.
        max_queued_per_key: the same per key, answered with 429.
        max_batch: models of one batch.
        max_stored_bytes_per_key: bytes of models and data sets of one key; answered with 429.
        rate_per_minute: requests per key or address; 0 means any number.
        job_seconds: wall-clock limit of one step of a job.
        check_seconds: the same for a check, which a client waits for.
        quick_seconds: how long ``POST /v1/convert`` waits before it answers 202.
        sandbox_memory_bytes: address space of a sandboxed child.
        sandbox_file_bytes: largest file it may write.
        checks_at_once: sandboxed children that clients wait for.
        retention_days: models, data sets, jobs and networks are deleted after this many days
            without use; 0 keeps them.
        heartbeat_seconds: how often a worker says that it lives.
        takeover_seconds: silence after which its jobs go to others.
        tidy_seconds: how often old things are deleted and lost jobs looked for.
        blob_grace_seconds: how long a file that nothing refers to is kept.
        log_format: ``json`` for machines, ``text`` for people.
        cluster: address of a Dask scheduler whose workers share large evaluations; none if empty.
        cluster_samples: samples from which on an evaluation is large.
        otlp_endpoint: OpenTelemetry collector; none if empty.
    """

    model_config = SettingsConfigDict(
        env_prefix="ONNX2SNN_", extra="ignore", populate_by_name=True, frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("onnx2snn-data")
    database_url: str = Field(
        default="", validation_alias=AliasChoices("ONNX2SNN_DATABASE_URL", "DATABASE_URL")
    )
    store: str = ""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=0, le=64)
    worker_id: str = Field(default_factory=socket.gethostname, min_length=1, max_length=200)
    keys: Literal["auto", "required", "off"] = "auto"
    allowed_hosts: tuple[str, ...] = ()
    max_upload_bytes: int = Field(default=512 * MIB, ge=1)
    max_json_bytes: int = Field(default=1 * MIB, ge=1024)
    max_queued: int = Field(default=20_000, ge=1)
    max_queued_per_key: int = Field(default=10_000, ge=1)
    max_batch: int = Field(default=5_000, ge=1)
    max_stored_bytes_per_key: int = Field(default=64 * 1024 * MIB, ge=1)
    rate_per_minute: int = Field(default=6_000, ge=0)
    job_seconds: float = Field(default=1800, gt=0)
    check_seconds: float = Field(default=30, gt=0)
    quick_seconds: float = Field(default=60, ge=0)
    sandbox_memory_bytes: int = Field(default=6 * 1024 * MIB, ge=512 * MIB)
    sandbox_file_bytes: int = Field(default=2 * 1024 * MIB, ge=MIB)
    checks_at_once: int = Field(default=2, ge=1, le=64)
    retention_days: float = Field(default=30, ge=0)
    heartbeat_seconds: float = Field(default=5, gt=0)
    takeover_seconds: float = Field(default=30, gt=0)
    tidy_seconds: float = Field(default=60, gt=0)
    blob_grace_seconds: float = Field(default=900, ge=0)
    log_format: Literal["json", "text"] = "json"
    cluster: str = ""
    cluster_samples: int = Field(default=10_000, ge=1)
    otlp_endpoint: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def keys_required(self) -> bool:
        """Return whether a request needs an API key."""
        if self.keys == "auto":
            return not is_loopback(self.host)
        return self.keys == "required"

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the service's own tables."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir.resolve() / 'onnx2snn.db'}"
        return with_driver(self.database_url)

    @property
    def jobs_database(self) -> str:
        """Return the SQLAlchemy URL of the job engine's tables."""
        if not self.database_url or self.database.startswith("sqlite"):
            return f"sqlite:///{self.data_dir.resolve() / 'jobs.db'}"
        return self.database

    @property
    def store_url(self) -> str:
        """Return the URL of the file store."""
        return self.store or f"file://{self.data_dir.resolve() / 'files'}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names that requests may ask for; empty means any."""
        if self.allowed_hosts or not is_loopback(self.host):
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "[::1]", "testserver")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def with_driver(url: str) -> str:
    """Return a PostgreSQL URL with the driver that is installed: psycopg 3."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def shown(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON values, without secrets."""
    values = settings.model_dump(mode="json")
    if settings.database_url:
        from sqlalchemy.engine import make_url

        values["database_url"] = make_url(settings.database).render_as_string(hide_password=True)
    return values

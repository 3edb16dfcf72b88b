"""Prometheus metrics of one process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """The metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "onnx2snn_http_requests",
            "Requests by operation and status.",
            ["operation", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "onnx2snn_http_request_seconds",
            "Time to answer, by operation.",
            ["operation"],
            registry=self.registry,
        )
        self.jobs = Gauge(
            "onnx2snn_jobs", "Jobs by kind and state.", ["kind", "state"], registry=self.registry
        )
        self.step_seconds = Histogram(
            "onnx2snn_job_step_seconds",
            "Time of the steps of jobs.",
            ["step"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.failures = Counter(
            "onnx2snn_job_failures", "Failed jobs by code.", ["code"], registry=self.registry
        )
        self.kills = Counter(
            "onnx2snn_sandbox_kills",
            "Sandboxed children that were killed, by reason.",
            ["reason"],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)

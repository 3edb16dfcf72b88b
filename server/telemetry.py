"""OpenTelemetry traces of requests, when a collector is configured."""

from __future__ import annotations

from fastapi import FastAPI

from onnx2snn.server.settings import Settings


def trace_requests(app: FastAPI, settings: Settings) -> None:
    """Send a trace of every request to the collector; does nothing without one.

    Args:
        app: the application.
        settings: with the address of the collector.
    """
    if not settings.otlp_endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "onnx2snn"}))
    endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)

"""The application: routes, problems, gate. ``create_app(settings)`` is the only way to one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from onnx2snn.server.context import Context, open_context, package_version
from onnx2snn.server.gate import Gate
from onnx2snn.server.logs import configure_logs
from onnx2snn.server.problem_handlers import add_problem_handlers
from onnx2snn.server.problems import ProblemDocument
from onnx2snn.server.routes import (
    catalogue,
    datasets,
    exports,
    health,
    jobs,
    models,
    quick,
    snns,
    uploads,
    web,
    work,
)
from onnx2snn.server.service import running_service
from onnx2snn.server.settings import Settings
from onnx2snn.server.telemetry import trace_requests

ROUTERS: tuple[APIRouter, ...] = (
    models.router,
    datasets.router,
    uploads.router,
    quick.router,
    work.router,
    jobs.router,
    snns.router,
    exports.router,
    catalogue.router,
    health.router,
    web.router,
)
_PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457).",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    },
}


def create_app(settings: Settings) -> ASGIApp:
    """Return the service as an ASGI application.

    Args:
        settings: everything that can be set.
    """
    # Read by ONNX Runtime when it is first imported, in any process started from here.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    configure_logs(settings.log_format)
    context = open_context(settings)
    app = FastAPI(
        title="onnx2snn",
        version=package_version(),
        summary="Convert trained ONNX networks into spiking networks.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(context),
        responses={"default": _PROBLEM},
    )
    add_problem_handlers(app, [route for router in ROUTERS for route in router.routes])
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", web.STATIC, name="static")
    _describe(app, settings)
    trace_requests(app, settings)
    return Gate(app, settings, context.metrics)


def _lifespan(context: Context) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:  # in a thread: the job engine wants no event loop around it
            app.state.service = await to_thread.run_sync(
                stack.enter_context, running_service(context)
            )
            yield
            await to_thread.run_sync(stack.close)

    return lifespan


def _describe(app: FastAPI, settings: Settings) -> None:
    """Complete the OpenAPI document: the problem schema, and how to send a key."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = original()
        schemas = document["components"]["schemas"]
        template = "#/components/schemas/{model}"
        problem = ProblemDocument.model_json_schema(ref_template=template)
        schemas |= problem.pop("$defs", {})
        schemas["ProblemDocument"] = problem
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        if settings.keys_required:
            document["security"] = [{"key": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]

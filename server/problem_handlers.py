"""Every failure of a request becomes problem+json."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from onnx2snn.ir.findings import Finding
from onnx2snn.server.gate import problem_answer
from onnx2snn.server.problems import Problem

LOG = structlog.get_logger("onnx2snn")
_CODES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "upload-too-large"}
_MOST_NAMED = 20


def add_problem_handlers(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make an application with these routes answer in problems."""
    app.state.routes = tuple(routes)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _bug)


def invalid_request(errors: Sequence[Any]) -> Problem:
    """Return the problem of a request that does not fit its schema."""
    findings = tuple(
        Finding(
            code="invalid-field",
            severity="error",
            message=f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"[:500],
        )
        for error in errors[:_MOST_NAMED]
    )
    return Problem(
        "invalid-request",
        "the request does not fit its schema",
        remedy="see /openapi.json or /docs/api",
        findings=findings,
    )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_answer(error, request.scope)


async def _invalid(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    if errors and all(entry["loc"][0] == "path" for entry in errors):
        told = Problem("not-found", "there is nothing of this name: it is no id of ours")
        return problem_answer(told, request.scope)
    if any(entry["type"] in ("json_invalid", "model_attributes_type") for entry in errors):
        told = Problem("bad-request", "the body is no JSON object", remedy="send a JSON object")
        if any(entry["type"] == "json_invalid" for entry in errors):
            return problem_answer(told, request.scope)
    return problem_answer(invalid_request(errors), request.scope)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    headers = dict((error.headers if isinstance(error, HTTPException) else None) or {})
    if status == 405:
        headers = {
            "Allow": ", ".join(sorted(allowed_methods(request.app.state.routes, request.scope)))
        }
    problem = Problem(_CODES.get(status, "bad-request"), detail or "not found", headers=headers)
    return problem_answer(problem, request.scope)


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """Return the methods of all routes that lead to the path of a request."""
    found: set[str] = set()
    verb = ":" in scope["path"].rpartition("/")[2]  # "ID:cancel" is no ID
    for route in routes:
        if not isinstance(route, Route) or (verb and route.path.endswith("}")):
            continue
        if route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def _database(request: Request, error: Exception) -> Response:
    text = str(error)
    if "disk is full" in text or "No space left" in text or "disk I/O error" in text:
        return problem_answer(storage_full(), request.scope)
    LOG.error("database", error=text[:500])
    problem = Problem("not-ready", "the database does not answer", retry_after=5)
    return problem_answer(problem, request.scope)


async def _system(request: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return problem_answer(storage_full(), request.scope)
    return await _bug(request, error)


async def _bug(request: Request, error: Exception) -> Response:
    LOG.error("internal error", exc_info=error)
    problem = Problem(
        "internal-error",
        "the service has made a mistake",
        remedy="tell the operator the request_id; the log has the rest",
    )
    return problem_answer(problem, request.scope)


def storage_full() -> Problem:
    """Return the answer when nothing can be written."""
    return Problem(
        "storage-full",
        "the disk of the service is full",
        remedy="try again later, or delete what you no longer need",
        retry_after=60,
    )

"""What every request passes before its route: host, origin, rate, size; and what it is sent with.

A plain ASGI layer, so that bodies stream through it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onnx2snn.server.metrics import Metrics
from onnx2snn.server.problems import Problem
from onnx2snn.server.settings import Settings
from onnx2snn.server.store import too_large

_CLIENTS = 10_000
_UPLOADS = ("/v1/models", "/v1/datasets", "/v1/convert")
_FORM_SLACK = 64 * 1024
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": _PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Gate:
    """ASGI layer around the whole application.

    Args:
        app: what it leads to.
        settings: limits and host names.
        metrics: counts requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._rates = _Rates(settings.rate_per_minute)
        self._log = structlog.get_logger("access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._admit(scope, receive, send_with_headers)
            finally:
                self._account(scope, status, time.perf_counter() - started)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope["method"], headers)
            self._rates.take(_client(scope, headers))
            most = self._most_bytes(scope["path"])
            _check_length(headers, most)
        except Problem as problem:
            await problem_answer(problem, scope)(scope, receive, send)
            return
        await self._app(scope, _counting(receive, most), send)

    def _check_host(self, headers: Headers) -> None:
        allowed = self._settings.hosts
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if allowed and name.lower() not in allowed:
            raise Problem(
                "bad-request",
                "the service does not answer to this host name",
                remedy="the operator can add it to ONNX2SNN_ALLOWED_HOSTS",
            )

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Refuse requests that pages of other sites make a browser send."""
        origin = headers.get("origin")
        if origin is None or method in ("GET", "HEAD", "OPTIONS"):
            return
        if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise Problem("forbidden", "requests from pages of other sites are refused")

    def _most_bytes(self, path: str) -> int:
        if path in _UPLOADS or "/parts/" in path:
            files = 2 if path == "/v1/convert" else 1
            return files * self._settings.max_upload_bytes + _FORM_SLACK
        return self._settings.max_json_bytes

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        operation = getattr(scope.get("route"), "operation_id", None) or "other"
        self._metrics.requests.labels(operation, str(status)).inc()
        self._metrics.request_seconds.labels(operation).observe(seconds)
        self._log.info(
            "request",
            method=scope["method"],
            path=scope["path"][:200],
            operation=operation,
            status=status,
            ms=round(seconds * 1000, 1),
        )


class _Rates:
    """Token buckets, one per client; the clients seen last are remembered."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        if not self._per_minute:
            return
        moment = time.monotonic()
        tokens, then = self._buckets.pop(client, (float(self._per_minute), moment))
        rate = self._per_minute / 60
        tokens = min(self._per_minute, tokens + (moment - then) * rate)
        self._buckets[client] = (max(tokens - 1, 0.0), moment)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise Problem(
                "rate-limited",
                f"more than {self._per_minute} requests a minute",
                remedy="wait a little between requests",
                retry_after=max(1, round((1 - tokens) / rate)),
            )


def problem_answer(problem: Problem, scope: Scope) -> Response:
    """Return the answer that tells of a problem."""
    request_id = str(scope.get("state", {}).get("request_id", ""))
    document = problem.document(scope["path"][:500], request_id)
    return Response(
        document.model_dump_json(),
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def _counting(receive: Receive, most: int) -> Receive:
    """Return a receive that ends a body which outgrows its limit."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise too_large(most)
        return message

    return counted


def _check_length(headers: Headers, most: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise Problem("bad-request", "Content-Length is no number")
    if int(length) > most:
        raise too_large(most)


def _client(scope: Scope, headers: Headers) -> str:
    key = headers.get("authorization")
    return str(hash(key)) if key else str((scope.get("client") or ("",))[0])

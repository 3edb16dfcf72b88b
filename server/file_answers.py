"""Stored files as answers: ETag, 304, ranges, safe headers."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from onnx2snn.server.names import stored_name
from onnx2snn.server.problems import Problem
from onnx2snn.server.store import FileStore

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-scripts"
)


def file_answer(
    request: Request,
    store: FileStore,
    sha256: str,
    size: int,
    *,
    name: str,
    media_type: str = "application/octet-stream",
    inline: bool = False,
) -> Response:
    """Answer with a stored file, or the part of it that was asked for.

    Args:
        request: with its conditions and range.
        store: holds the file.
        sha256: its digest, which is its ETag.
        size: its size.
        name: file name to offer.
        media_type: of the file.
        inline: show it rather than save it; a report is then confined by its own policy.

    Raises:
        Problem: the range lies outside the file.
    """
    etag = f'"{sha256}"'
    safe = (
        stored_name(name, "." + name.rpartition(".")[2]) if "." in name else stored_name(name, "")
    )
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=0, must-revalidate",
        "Content-Disposition": f'{"inline" if inline else "attachment"}; filename="{safe}"',
    }
    if inline:
        headers["Content-Security-Policy"] = REPORT_POLICY
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    span = _span(request, size, etag)
    if span is None:
        headers["Content-Length"] = str(size)
        return StreamingResponse(store.read(sha256), headers=headers, media_type=media_type)
    start, end = span
    headers |= {
        "Content-Length": str(end - start),
        "Content-Range": f"bytes {start}-{end - 1}/{size}",
    }
    return StreamingResponse(
        store.read(sha256, start, end), status_code=206, headers=headers, media_type=media_type
    )


def _matches(condition: str | None, etag: str) -> bool:
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag in tags


def _span(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Return the bytes asked for; None for all of them (also if several ranges are asked for)."""
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", "").strip())
    unchanged = request.headers.get("if-range", etag) == etag
    if asked is None or asked.group(0) == "bytes=-" or not unchanged:
        return None
    first, last = asked.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise Problem(
            "range-not-satisfiable",
            f"the file has {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end

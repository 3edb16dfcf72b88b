"""The web page and its files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from onnx2snn.server.service import TheService

router = APIRouter(include_in_schema=False)
WEB = Path(str(files("onnx2snn.server") / "web"))
STATIC = StaticFiles(directory=WEB / "static")
_PAGES = Environment(
    loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined
)


@router.get("/", operation_id="page")
async def page(service: TheService) -> HTMLResponse:
    """Return the page; it talks to the API."""
    settings = service.context.settings
    text = _PAGES.get_template("index.html").render(
        version=service.context.version,
        keys_required=settings.keys_required,
        max_mebibytes=settings.max_upload_bytes // 2**20,
    )
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


@router.get("/favicon.ico", operation_id="favicon")
async def favicon() -> Response:
    """Return the icon."""
    icon = (WEB / "static" / "icon.svg").read_bytes()
    return Response(icon, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})

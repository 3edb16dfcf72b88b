"""What the converter can do: presets and operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from onnx2snn.server.problems import Problem
from onnx2snn.server.sandbox import KilledError
from onnx2snn.server.service import Service, TheService

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/presets", operation_id="listPresets")
async def list_presets(service: TheService) -> list[dict[str, Any]]:
    """List the presets: named sets of the conversion's knobs."""
    presets: list[dict[str, Any]] = (await catalogue(service))["presets"]
    return presets


@router.get("/operators", operation_id="listOperators")
async def list_operators(service: TheService) -> list[dict[str, Any]]:
    """List which ONNX operators convert, and into what."""
    operators: list[dict[str, Any]] = (await catalogue(service))["operators"]
    return operators


@router.get("/formats", operation_id="listFormats")
async def list_formats(service: TheService) -> list[dict[str, Any]]:
    """List the formats that spiking networks can be exported to, with the readers of each."""
    formats: list[dict[str, Any]] = (await catalogue(service))["formats"]
    return formats


async def catalogue(service: Service) -> dict[str, Any]:
    """Ask the converter once; it is imported in a child only."""
    if service.catalogue is None:
        service.catalogue = await service.in_sandbox(lambda: _ask(service))
    return service.catalogue


def _ask(service: Service) -> dict[str, Any]:
    context = service.context
    with context.sandbox.workplace() as place:
        try:
            answer: dict[str, Any] = context.sandbox.run(
                place, "catalogue", {}, seconds=context.settings.check_seconds
            )
        except KilledError as error:
            raise Problem("overloaded", "the request was killed", retry_after=5) from error
    return answer

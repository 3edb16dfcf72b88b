"""All presets by name: those to use, and those of the literature."""

from __future__ import annotations

from onnx2snn.converter.presets import PRESETS, Preset
from onnx2snn.converter.seed_presets import SEED_PRESETS
from onnx2snn.ir.errors import DataError

ALL_PRESETS: tuple[Preset, ...] = (*PRESETS, *SEED_PRESETS)


def find_preset(name: str, presets: tuple[Preset, ...] = ALL_PRESETS) -> Preset:
    """Return the preset of that name.

    Raises:
        DataError: there is none.
    """
    for preset in presets:
        if preset.name == name:
            return preset
    known = ", ".join(p.name for p in presets)
    raise DataError(f"there is no preset '{name}'", remedy=f"choose one of: {known}")

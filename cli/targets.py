"""Which models a command line names, and where their spiking networks go."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

SUFFIX = ".snn.onnx"

_MAGIC = "*?["
_MOST_NAMED = 5


@dataclass(frozen=True)
class Target:
    """One conversion to do.

    Attributes:
        model: the ANN's file.
        output: the spiking network's file.
    """

    model: Path
    output: Path


def find_targets(arguments: Sequence[str], output: str | None) -> tuple[list[Target], bool]:
    """Expand files, folders and patterns.

    Args:
        arguments: as typed. A folder means all ``.onnx`` files below it, spiking ones left out.
        output: a file for one model, a folder for many; None writes beside each model.

    Returns:
        The conversions, and whether they are a batch (also if a folder holds only one model).

    Raises:
        typer.BadParameter: nothing is named, or two models would be written to one file.
    """
    found: dict[Path, Path] = {}
    batch = len(arguments) > 1
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            batch = True
            _add(found, [(file, path) for file in _models_in(path)], argument)
        elif path.exists() or not any(sign in argument for sign in _MAGIC):
            _add(found, [(path, path.parent)], argument)
        else:
            batch = True
            root = _fixed_part(argument)
            names = sorted(glob.glob(argument, recursive=True))
            _add(found, [(Path(name), root) for name in names if _is_ann(Path(name))], argument)
    targets = [
        Target(model, _output_of(model, root, output, batch)) for model, root in found.items()
    ]
    _refuse_collisions(targets)
    return targets, batch


def _add(found: dict[Path, Path], models: Sequence[tuple[Path, Path]], argument: str) -> None:
    if not models:
        raise typer.BadParameter(f"no .onnx models in '{argument}'", param_hint="MODEL")
    known = {model.resolve() for model in found}
    found.update((model, root) for model, root in models if model.resolve() not in known)


def _models_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.onnx") if _is_ann(path))


def _is_ann(path: Path) -> bool:
    return path.is_file() and path.suffix == ".onnx" and not path.name.endswith(SUFFIX)


def _fixed_part(pattern: str) -> Path:
    """Return the folder before the first wildcard."""
    parts = Path(pattern).parts
    magic = next(i for i, part in enumerate(parts) if any(sign in part for sign in _MAGIC))
    return Path(*parts[:magic])


def _output_of(model: Path, root: Path, output: str | None, batch: bool) -> Path:
    name = model.name.removesuffix(".onnx") + SUFFIX
    if output is None:
        return model.with_name(name)
    place = Path(output)
    if batch:
        if place.is_file():
            raise typer.BadParameter(
                f"'{output}' is a file; many models need a folder", param_hint="--output"
            )
        return place / model.parent.relative_to(root) / name
    return place / name if place.is_dir() or output.endswith(os.sep) else place


def _refuse_collisions(targets: Sequence[Target]) -> None:
    models = {target.model.resolve() for target in targets}
    seen: dict[Path, Path] = {}
    clashes = []
    for target in targets:
        place = target.output.resolve()
        if place in models:
            clashes.append(f"{target.output} is a model to convert")
        if place in seen:
            clashes.append(f"{seen[place]} and {target.model} would both become {target.output}")
        seen[place] = target.model
    if clashes:
        told = "; ".join(clashes[:_MOST_NAMED])
        raise typer.BadParameter(f"{told}. Choose another output", param_hint="--output")

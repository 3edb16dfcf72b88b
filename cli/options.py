"""Options that several verbs share, and how their texts are read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onnx2snn.runtime.data.image_folder import ImageOptions

DATA_HELP = (
    ".npz with arrays named as the model's inputs and optional 'labels', .npy, or a folder of "
    "images (class sub-folders give labels)"
)
_IMAGES = "If DATA is a folder of images"


class LayoutChoice(StrEnum):
    """Where the channels of an image stand."""

    NCHW = "nchw"
    NHWC = "nhwc"


SpikingFile = Annotated[Path, typer.Argument(metavar="SNN", help="A .snn.onnx file.")]
Data = Annotated[Path, typer.Option("--data", metavar="DATA", help=DATA_HELP + ".")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")]


def _html_only(path: Path | None) -> Path | None:
    """Refuse a report that its own JSON file would overwrite."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"'{path}' does not end in .html")
    return path


Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        dir_okay=False,
        callback=_html_only,
        help="Also write a report (and FILE.json).",
    ),
]
Timesteps = Annotated[
    int | None, typer.Option("--timesteps", metavar="N", min=1, help="Number of timesteps T.")
]
Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="B",
        help="onnxruntime, event (compiled), reference (numpy, slow); auto: one of the first two.",
    ),
]


class WeightsChoice(StrEnum):
    """Form of the weights in front of spiking neurons."""

    FLOAT32 = "float32"
    INT8 = "int8"


Weights = Annotated[
    WeightsChoice,
    typer.Option("--weights", help="int8: rounded to one byte; by the backend event only."),
]
Memory = Annotated[
    str, typer.Option("--memory", metavar="2GiB", help="Memory that one run may take.")
]
Threads = Annotated[
    int, typer.Option("--threads", metavar="N", min=0, help="Threads; 0: as the backend likes.")
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="HxW",
        rich_help_panel=_IMAGES,
        help="Resize to this height and width; the model's if not given.",
    ),
]
Mean = Annotated[
    str,
    typer.Option(
        "--mean",
        metavar="A,B,C",
        rich_help_panel=_IMAGES,
        help="Subtracted after scaling, per channel.",
    ),
]
Std = Annotated[
    str,
    typer.Option(
        "--std", metavar="A,B,C", rich_help_panel=_IMAGES, help="Divides after that, per channel."
    ),
]
Layout = Annotated[
    LayoutChoice | None,
    typer.Option("--layout", rich_help_panel=_IMAGES, help="Channels first or last."),
]
Scale = Annotated[
    str,
    typer.Option(
        "--scale", metavar="F", rich_help_panel=_IMAGES, help="Factor on the pixels 0..255."
    ),
]


def backend_name(backend: str, weights: WeightsChoice) -> str:
    """Return the backend that runs with these weights.

    Raises:
        SimulationError: it has none of this form.
    """
    from onnx2snn.runtime.backends.event import named

    return named(backend, weights.value)


def image_options(
    size: str | None, mean: str, std: str, layout: LayoutChoice | None, scale: str
) -> ImageOptions:
    """Read the options for a folder of images."""
    from onnx2snn.runtime.data.image_folder import ImageOptions

    return ImageOptions(
        size=None if size is None else _size(size),
        mean=_numbers(mean, "--mean"),
        std=_numbers(std, "--std"),
        layout=None if layout is None else ("nchw" if layout is LayoutChoice.NCHW else "nhwc"),
        scale=_fraction(scale, "--scale"),
    )


def timestep_list(text: str) -> tuple[int, ...]:
    """Read ``1,2,4,8`` into ascending timesteps."""
    try:
        steps = sorted({int(part) for part in text.split(",")})
    except ValueError:
        steps = [0]
    if steps[0] < 1:
        raise typer.BadParameter(
            f"'{text}' is no list of numbers from 1 on, like 1,2,4,8", param_hint="--timesteps"
        )
    return tuple(steps)


def loss_bound(text: str | None) -> float | None:
    """Read ``0.5%`` or ``0.005``."""
    if text is None:
        return None
    number = _float(text.strip().removesuffix("%"), "--max-loss")
    share = number / 100 if text.strip().endswith("%") else number
    if not 0 <= share < 1:
        raise typer.BadParameter(
            f"'{text}' is no share from 0 to 1, like 0.5% or 0.005", param_hint="--max-loss"
        )
    return share


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(f"'{text}' is no size like 32 or 240x320", param_hint="--size")
    return int(parts[0]), int(parts[-1])


def _numbers(text: str, option: str) -> tuple[float, ...]:
    return tuple(_float(part, option) for part in text.split(","))


def _fraction(text: str, option: str) -> float:
    over, slash, under = text.partition("/")
    divisor = _float(under, option) if slash else 1.0
    if not divisor:
        raise typer.BadParameter("division by zero", param_hint=option)
    return _float(over, option) / divisor


def _float(text: str, option: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number - number != 0:  # NaN or infinity
        raise typer.BadParameter(f"'{text}' is no finite number", param_hint=option)
    return number

"""SVG elements as escaped markup."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

CHARACTER = 7.0
"""Width of a character of the plots' text, in pixels; the text is 12 pixels high."""


def element(name: str, *content: Markup | str, **attributes: str | float) -> Markup:
    """Return one element; ``class_`` and underscores in names become what XML wants."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
    )
    inner = Markup("").join(content)
    return Markup(f"<{name}{told}>{inner}</{name}>")


def picture(width: float, height: float, title: str, parts: Iterable[Markup]) -> Markup:
    """Return a whole drawing that scales with the page and reads its title to screen readers."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=title,
    )


def shorten(text: str, most: int) -> str:
    """Keep both ends of a text that has more than ``most`` characters."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")

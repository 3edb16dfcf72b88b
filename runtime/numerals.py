"""Numbers as people read them, in reports and on the terminal. None and NaN read as a dash."""

from __future__ import annotations

import math

NOTHING = "–"

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share of 1 in percent; never rounded up to 100 %."""
    if share is None or math.isnan(share):
        return NOTHING
    value = share * 100
    shown = f"{value:.{digits}f}"
    if value < 100 <= float(shown):
        shown = f"{100 - 10.0**-digits:.{digits}f}"
    return f"{shown} %"


def figure(value: float | None, digits: int = 4) -> str:
    """Return a number with that many significant digits."""
    if value is None or math.isnan(value):
        return NOTHING
    return f"{value:.{digits}g}".replace("-", "−") if math.isfinite(value) else "infinite"


def count(value: int | None) -> str:
    """Return a whole number with thin spaces between thousands."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u202f")


def amount(value: float | None) -> str:
    """Return a large number with three digits and a prefix, e.g. ``12.3 M``."""
    if value is None or math.isnan(value):
        return NOTHING
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}"


def joules(value: float | None) -> str:
    """Return an energy with three digits and a prefix, e.g. ``4.1 µJ``."""
    if value is None or math.isnan(value):
        return NOTHING
    for size, prefix in _SMALL:
        if value >= size:
            return f"{value / size:.3g} {prefix}J"
    return f"{value:.3g} J"


def seconds(value: float) -> str:
    """Return a duration, e.g. ``0.42 s`` or ``3 min 05 s``."""
    if value < 60:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def size(octets: int) -> str:
    """Return a file size, e.g. ``1.3 MB``."""
    if octets < 1000:
        return f"{octets} B"
    return f"{amount(octets)}B"

"""Numbers as people read them, in reports and on the terminal. None and NaN read as a dash.

Numbers and units are joined by a no-break space.
"""

from __future__ import annotations

import math

NOTHING = "–"
BLANK = "\u00a0"

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
    return f"{shown}{BLANK}%"


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
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{BLANK}{prefix}"
    return f"{value:.3g}"


def joules(value: float | None) -> str:
    """Return an energy with three digits and a prefix, e.g. ``4.1 µJ``."""
    if value is None or math.isnan(value):
        return NOTHING
    for size, prefix in _SMALL:
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{BLANK}{prefix}J"
    return f"{value:.3g}{BLANK}J"


def seconds(value: float) -> str:
    """Return a duration, e.g. ``0.42 s`` or ``3 min 05 s``."""
    if value < 0.01:
        return f"< 0.01{BLANK}s"
    if value < 59.5:
        return f"{value:.2g}{BLANK}s" if value < 10 else f"{value:.0f}{BLANK}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def size(octets: int) -> str:
    """Return a file size, e.g. ``1.3 MB``."""
    if octets < 1000:
        return f"{octets}{BLANK}B"
    return f"{amount(octets)}B"

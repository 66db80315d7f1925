"""Numbers as people read them. Unknown is said to be unknown, never shown as 0."""

from __future__ import annotations

import math

UNKNOWN = "unknown"
NOTHING = "–"


def percent(rate: float | None) -> str:
    """``0.8125`` → ``81.3%``; 100% and 0% only when it is exactly so."""
    if rate is None:
        return NOTHING
    shown = f"{rate * 100:.1f}"
    if shown == "100.0" and rate < 1:
        return "99.9%"
    if shown == "0.0" and rate > 0:
        return "0.1%"
    return f"{shown.removesuffix('.0') if rate in (0, 1) else shown}%"


def signed(value: float, digits: int = 1) -> str:
    """``+3.2``, ``−3.2``, ``0.0``: with a real minus sign, and no sign on what rounds to zero."""
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def points(effect: float) -> str:
    """A difference of rates in percentage points: ``0.217`` → ``+21.7 points``."""
    return f"{signed(effect * 100)} points"


def milliseconds(value: float | None) -> str:
    """``812 ms``, ``1.24 s``; two to three figures are all a latency is good for."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value:.2f} ms"
    if value < 10:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    seconds = value / 1000
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.1f} s"


def usd(value: float | None) -> str:
    """``$0`` is free, ``unknown`` is unknown, and a small price keeps two figures: ``$0.00042``."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "$0"
    if value >= 0.995:
        return f"${value:,.2f}"
    if value >= 0.01:
        return f"${value:.3f}"
    return f"${value:.{1 - math.floor(math.log10(value))}f}"


def count(value: float | None) -> str:
    """``12,345``; a mean keeps one decimal."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def compact(value: float) -> str:
    """``1,234`` → ``1.2k``, for the one line that progress has."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            size = 1e3 if unit == "k" else limit
            return f"{value / size:.1f}{unit}"
    return count(value)


def p_value(value: float) -> str:
    """``p = 0.012``, ``p < 0.0001``."""
    if value < 0.0001:
        return "p < 0.0001"
    return f"p = {value:.4f}" if value < 0.01 else f"p = {value:.3f}"


def duration(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def plural(number: int, noun: str, ending: str = "s") -> str:
    """``1 case``, ``2 cases``; with ``es`` ``2 searches``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def difference(baseline: float | None, candidate: float | None) -> tuple[float, float | None] | None:
    """Absolute and relative difference (None when the baseline is 0); None when either side is unknown."""
    if baseline is None or candidate is None:
        return None
    absolute = candidate - baseline
    return absolute, absolute / baseline if baseline else None

"""Ages and sizes as people write them on a command line."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def age(text: str) -> timedelta:
    """``30d`` → 30 days; units s, m, h, d, w."""
    try:
        return timedelta(seconds=_amount(text, _AGES, "an age such as 12h, 30d or 2w"))
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than any calendar; expected an age such as 30d") from None


def size(text: str) -> int:
    """``200MB`` → bytes; units B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (of 1024)."""
    return int(_amount(text, _SIZES, "a size such as 500KB, 200MB or 1GiB"))


def _amount(text: str, units: dict[str, int], expected: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([a-z]+)", text.strip().lower())
    if found is None or found[2] not in units:
        raise typer.BadParameter(f"{text!r} is not understood; expected {expected}")
    return float(found[1]) * units[found[2]]

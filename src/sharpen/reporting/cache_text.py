"""The cache of answers in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sharpen.reporting.figures import usd
from sharpen.storage.cache import CacheSummary, Pruned


def summary_lines(found: CacheSummary) -> Iterator[str]:
    """What a cache holds."""
    if not found.entries:
        yield "no answer is remembered"
        return
    yield f"{_answers(found.entries)}, {size(found.bytes)}"
    if found.oldest and found.newest:
        yield f"from {found.oldest:%Y-%m-%d %H:%M} to {found.newest:%Y-%m-%d %H:%M} UTC"
    unknown = f", beside {found.unpriced} of unknown price" if found.unpriced else ""
    if found.unpriced < found.entries:
        yield f"asking them again would cost {usd(found.saves)}{unknown}"
    else:
        yield "what asking them again would cost is unknown"
    if found.needed:
        yield f"{found.needed} may still be needed by what is unfinished: {_named(found.needed_by)}"


def pruned_lines(pruned: Pruned) -> Iterator[str]:
    """What was dropped, and what was not."""
    verb = "would drop" if pruned.rehearsal else "dropped"
    left = f"{pruned.left} would be left" if pruned.rehearsal else f"{pruned.left} are left"
    yield f"{verb} {_answers(pruned.entries)}, {size(pruned.bytes)}; {left}, {size(pruned.left_bytes)}"
    if pruned.kept:
        yield (
            f"kept {pruned.kept} that may still be needed by what is unfinished: {_named(pruned.needed_by)}; "
            "finish it with `sharpen resume`, or drop them too with --force"
        )


def size(count: int) -> str:
    """``1234567`` bytes → ``1.2 MB``."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"


def _answers(count: int) -> str:
    return f"{count:,} answer{'' if count == 1 else 's'}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

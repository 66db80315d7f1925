"""The error patterns as a page shows them: groups, a confusion table in shades, slices with their test. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.optimizer.error_patterns import ConfusionTable, ErrorGroup, ErrorPatterns
from sharpen.reporting import figures as fig

SHADES = 5
"""A cell of the confusion table has one of so many shades, by its share of the row; style sheets know no others."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A count of a confusion table. ``style`` is a class of the style sheet."""

    number: int
    style: str


@dataclass(frozen=True, slots=True)
class PatternPage:
    """What the template needs. ``rows``: each expected label with its cells. ``note`` says which cases these are."""

    note: str
    groups: tuple[ErrorGroup, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    slices: tuple[tuple[str, str, str, str, str], ...]
    slices_note: str


def page_of(found: ErrorPatterns | None) -> PatternPage | None:
    """None where nothing failed: there is no section then."""
    if found is None or not found.groups:
        return None
    table = found.confusion if found.confusion and _confused(found.confusion) else None
    failed = f"{found.failures:,} of {fig.plural(found.cases, 'case')} failed"
    return PatternPage(
        note=f"{failed}; {found.basis}" if found.basis else failed,
        groups=found.groups,
        columns=table.given if table else (),
        rows=_rows(table) if table else (),
        slices=tuple(
            (
                item.name,
                f"{item.failures:,} of {item.cases:,}",
                fig.percent(item.rate),
                fig.percent(item.rate_outside),
                fig.p_value(item.p_adjusted),
            )
            for item in found.slices
        ),
        slices_note=_slices_note(found),
    )


def _confused(table: ConfusionTable) -> bool:
    """Some answer was another one than expected."""
    return any(number for row, counts in enumerate(table.counts) for at, number in enumerate(counts) if at != row)


def _rows(table: ConfusionTable) -> tuple[tuple[str, tuple[HeatCell, ...]], ...]:
    rows = []
    for place, (label, counts) in enumerate(zip(table.expected, table.counts, strict=True)):
        total = sum(counts) or 1
        cells = [
            HeatCell(number, f"{'hit' if at == place else 'miss'}-{-(-number * SHADES // total)}" if number else "zero")
            for at, number in enumerate(counts)
        ]
        rows.append((label, tuple(cells)))
    return tuple(rows)


def _slices_note(found: ErrorPatterns) -> str:
    if not found.slices_tested:
        return ""
    number = fig.plural(found.slices_tested, "slice")
    tested = f"{number} of the inputs tested (p: Fisher's exact test, corrected by Holm for all of them)"
    return f"{tested}." if found.slices else f"{tested}: none of them fails more often than the rest beyond chance."

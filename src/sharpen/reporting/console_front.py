"""The Pareto front in the terminal, and who found no place in the race."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sharpen.optimizer.models import OptimizationOutcome
from sharpen.reporting.front_tables import FRONT_MEANS, cut_line, front_table
from sharpen.reporting.terminal import print_indented, print_line, safe, styled, table

SHOWN = 6
"""Rows beside the baseline's; the winner's is always one of them."""


def print_front(console: Console, outcome: OptimizationOutcome) -> None:
    """A table of two or more on the front; with one there is no choice to show."""
    if cut := cut_line(outcome.shares):
        print_line(console, cut, "dim")
        console.print()
    found = front_table(outcome)
    if len(found.rows) <= 2:
        return
    console.print(styled(console, "Pareto front", "bold"), styled(console, f"· {FRONT_MEANS}", "dim"))
    rows: list[tuple[str | Text, ...]] = [
        (Text(safe(console, first), style="bold green" if place == found.winner else ""), *rest)
        for place, (first, *rest) in enumerate(found.rows)
        if place <= SHOWN or place == found.winner
    ]
    print_indented(console, table(console, found.columns, rows, numbers=found.columns[1:]))
    if hidden := len(found.rows) - len(rows):
        print_line(console, f"… and {hidden:,} more", "dim")
        console.print()

"""What went wrong, in the terminal: the largest groups of failures with an example each, and worse slices."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.reporting import figures as fig
from sharpen.reporting.terminal import is_unicode, print_line, safe, styled
from sharpen.reporting.text import one_line

GROUPS_SHOWN = 4
SLICES_SHOWN = 3
_NUMBERS = 13
"""Cells before a group's name: its size and its share."""


def print_patterns(console: Console, found: ErrorPatterns | None) -> None:
    """A line for a group and one for its first example; nothing when nothing failed."""
    if found is None or not found.groups:
        return
    console.print(styled(console, f"What went wrong ({found.failures:,} of {fig.plural(found.cases, 'case')})", "bold"))
    if found.basis:
        print_line(console, f"in {found.basis}", "dim")
    cut = {"no_wrap": True, "overflow": "ellipsis" if is_unicode(console) else "crop"}
    for group in found.groups[:GROUPS_SHOWN]:
        number = f"{group.size:>5,} {fig.percent(group.share):>6} "
        console.print(Text.assemble((number, "red"), (safe(console, group.name), "bold")), **cut)  # type: ignore[arg-type] # options of print
        if group.examples:
            example = group.examples[0]
            said = "no answer" if example.output is None else f"“{one_line(example.output, 30)}”"
            text = f"{said} to {example.case_id}: {one_line(example.input, 90)}"
            console.print(styled(console, " " * _NUMBERS + text, "dim"), **cut)  # type: ignore[arg-type] # as above
    hidden = found.groups[GROUPS_SHOWN:]
    if hidden:
        more = sum(group.size for group in hidden)
        print_line(console, f"… and {fig.plural(len(hidden), 'smaller group')} of {more:,} in all", "dim")
    print_line(console, f"What may help: {found.groups[0].suggestion}")
    for item in found.slices[:SLICES_SHOWN]:
        rates = f"{fig.percent(item.rate)} fail, elsewhere {fig.percent(item.rate_outside)}"
        worse = f"worse: {item.name}, {rates} ({fig.plural(item.cases, 'case')}, {fig.p_value(item.p_adjusted)})"
        print_line(console, worse, "yellow")
    console.print()

"""Where a run's time went, in the terminal."""

from __future__ import annotations

from rich.console import Console

from sharpen.reporting import time_tables as tables
from sharpen.reporting.terminal import print_indented, print_line, table
from sharpen.reporting.time_breakdown import TimeBreakdown


def print_time(console: Console, found: TimeBreakdown) -> None:
    """The time of all tests by what it was spent on, and what each kind of error cost."""
    for columns, rows in (
        (tables.TIME_COLUMNS, tables.time_rows(found)),
        (tables.ERROR_COLUMNS, tables.error_rows(found)),
    ):
        if rows:
            print_indented(console, table(console, columns, rows, numbers=columns[1:]))
    print_line(console, tables.summary(found))
    console.print()

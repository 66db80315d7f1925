"""What ``sharpen history`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sharpen.history.trends import Trend
from sharpen.reporting.console_history import print_history
from sharpen.reporting.json_document import dumps, history_document
from sharpen.reporting.terminal import make_console
from sharpen.reporting.writer import HistoryOutput, write_output


def history(found: Trend, as_json: bool, quiet: bool, outputs: Sequence[Path] = ()) -> None:
    """A workflow's history on stdout and in files."""
    for path in outputs:
        write_output(path, HistoryOutput(found))
    if as_json:
        print(dumps(history_document(found)))
        return
    if not quiet:
        print_history(make_console(), found)
    for path in outputs:
        print(f"Report: {path}")

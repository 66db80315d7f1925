"""What ``sharpen history`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sharpen.history.trends import Trend
from sharpen.reporting.console_history import print_history
from sharpen.reporting.json_document import dumps
from sharpen.reporting.terminal import make_console


def history(found: Trend, as_json: bool, quiet: bool, outputs: Sequence[Path] = ()) -> None:
    """A workflow's history on stdout and in files."""
    if as_json:
        print(dumps(found.model_dump(mode="json")))
    elif not quiet:
        print_history(make_console(), found)

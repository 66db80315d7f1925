"""``sharpen history``: is a workflow getting better or worse, since when, and what was changed then."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption


def command(
    workflow: Annotated[
        str | None, typer.Argument(metavar="[WORKFLOW]", help="Left out: the store's only one.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many runs.")] = 500,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Runs of this day (UTC) and later."),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Also write .html, .md or .json.", show_default=False),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show success, latency, tokens, cost and errors over runs and versions, and where they changed.

    A change is noted where it is more than chance (at most one false alarm in 125 runs), with what was changed just
    before it: prompt, model, parameters, data set.
    """
    from datetime import UTC

    from sharpen import wiring
    from sharpen.cli import show, show_history
    from sharpen.reporting.writer import HistoryOutput

    outputs = show.checked_outputs(output, HistoryOutput)
    with wiring.open_store(store) as opened:
        begin = None if since is None else since.replace(tzinfo=UTC)
        found = wiring.workflow_history(opened, workflow, limit=limit, since=begin)
    show_history.history(found, as_json, quiet, outputs)

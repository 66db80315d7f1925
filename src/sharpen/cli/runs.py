"""``sharpen runs list|show|export``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, OutputOption, QuietOption, RunArgument, StoreOption, WorkflowOption

app = typer.Typer(help="List, show and export runs.")


class ExportFormat(StrEnum):
    """What ``runs export`` writes; ``recorded`` can be replayed by a scripted target's ``file``."""

    JSONL = "jsonl"
    CSV = "csv"
    RECORDED = "recorded"


@app.command("list")
def list_runs(
    workflow: WorkflowOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    all_purposes: Annotated[bool, typer.Option("--all", help="Also the runs that a search made.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List runs, newest first."""
    from sharpen import wiring
    from sharpen.cli import show

    with wiring.open_store(store) as opened:
        show.runs(wiring.list_runs(opened, workflow, limit, all_purposes), as_json, quiet)


@app.command("show")
def show_run(
    run: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    output: OutputOption = None,
) -> None:
    """Show one run: report, decision and failing cases."""
    from sharpen import wiring
    from sharpen.cli import show

    del quiet  # a run that is asked for is shown
    outputs = show.checked_outputs(output)
    with wiring.open_store(store) as opened:
        loaded, story = wiring.load_story(run, opened)
        goes_on = wiring.store_option(opened)
    show.run(story, loaded.cases, as_json, outputs, goes_on)


@app.command("export")
def export_run(
    run: RunArgument,
    form: Annotated[ExportFormat, typer.Option("--format", "-f", help="What to write.")] = ExportFormat.JSONL,
    store: StoreOption = None,
) -> None:
    """Write a run's results to stdout, one case a line."""
    from sharpen import wiring

    with wiring.open_store(store) as opened:
        for line in wiring.export_run(run, opened, form.value):
            typer.echo(line.rstrip("\n"))

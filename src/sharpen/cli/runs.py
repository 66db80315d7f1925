"""``sharpen runs list|show|export``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from sharpen.cli.options import (
    JsonOption,
    OutputOption,
    QuietOption,
    RunArgument,
    SetOption,
    StoreOption,
    WorkflowOption,
)
from sharpen.cli.streams import to_stderr

app = typer.Typer(help="List, show and export runs.")


class ExportFormat(StrEnum):
    """What ``runs export`` writes; ``recorded`` is what a scripted target's ``file`` replays, ``json`` is all of it."""

    JSONL = "jsonl"
    CSV = "csv"
    RECORDED = "recorded"
    JSON = "json"


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
    from sharpen.cli import show_lists

    opened = wiring.find_store(store)
    if opened is None:
        show_lists.runs((), as_json, quiet)
        return
    with opened:
        cut_off = [one for one in wiring.resumables(opened) if one.kind == "optimization"]
        cut_off = [one for one in cut_off if workflow in (None, one.workflow_id)]
        show_lists.runs(wiring.list_runs(opened, workflow, limit, all_purposes), as_json, quiet, cut_off)


@app.command("show")
def show_run(
    run: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    output: OutputOption = None,
) -> None:
    """Show one run, or one optimization: report, decision, failing cases, where the time went and what errors cost."""
    from sharpen import wiring
    from sharpen.cli import show

    del quiet  # a run that is asked for is shown
    outputs = show.checked_outputs(output)
    with wiring.open_store(store) as opened:
        goes_on = wiring.store_option(opened)
        outcome = wiring.find_optimization(opened, run)
        if outcome is not None:
            stored = wiring.stored_cases(outcome.baseline_run.run_id, opened)
            show.optimization(outcome, stored, as_json, outputs, goes_on, wiring.goes_on(outcome, opened))
            return
        loaded, story = wiring.load_story(run, opened, overrides)
        cases = wiring.inputs_of(loaded, story.result, opened)
        patterns = wiring.stored_patterns(story.result, opened)
        flaky = wiring.flakiness_of_run(story.result.run_id, opened)
        if pruned_at := story.result.metadata.get("pruned_at"):
            to_stderr(f"note: its results were dropped by `sharpen store prune` on {pruned_at[:10]}; its figures stay")
        show.run(story, cases, as_json, outputs, goes_on, time=True, patterns=lambda: patterns, flakiness=flaky)


@app.command("export")
def export_run(
    run: RunArgument,
    form: Annotated[ExportFormat, typer.Option("--format", "-f", help="What to write.")] = ExportFormat.JSONL,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a run's results to stdout, one case a line; ``json``: one document with all that is known of it."""
    from sharpen import wiring

    del quiet  # what is exported is all there is to print
    with wiring.open_store(store) as opened:
        lines = wiring.export_run(run, opened, "json" if as_json else form.value)
        sys.stdout.writelines(f"{line}\n" for line in lines)

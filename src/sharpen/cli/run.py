"""``sharpen run PLAN``: execute, report."""

from __future__ import annotations

import typer

from sharpen.cli.options import (
    JsonOption,
    OfflineOption,
    OutputOption,
    PlanArgument,
    QuietOption,
    SetOption,
    StoreOption,
)


def command(
    plan: PlanArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
    output: OutputOption = None,
) -> None:
    """Run all cases of a plan and report: success, latency, tokens, cost, errors."""
    from sharpen import wiring
    from sharpen.cli import show

    outputs = show.checked_outputs(output)
    loaded = wiring.load_plan(plan, overrides)
    with wiring.open_store(store, plan) as opened, show.run_progress(quiet) as progress:
        story = wiring.run_plan(loaded, opened, progress, progress.interrupted)
        goes_on = wiring.store_option(opened)
        aborted = wiring.abort_message(story.result, opened)
    show.run(story, loaded.sample, as_json, outputs, goes_on, aborted)
    raise typer.Exit(wiring.exit_code(story, loaded.manifest))

"""``sharpen run PLAN``: execute, report."""

from __future__ import annotations

import typer

from sharpen.cli.options import (
    JsonOption,
    LogFormatOption,
    LogLevelOption,
    NoCacheOption,
    OfflineOption,
    OtelOption,
    OutputOption,
    PlanArgument,
    QuietOption,
    SetOption,
    StoreOption,
    with_cache,
)


def command(
    plan: PlanArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    no_cache: NoCacheOption = False,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
    output: OutputOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    otel: OtelOption = None,
) -> None:
    """Run all cases of a plan and report: success, latency, tokens, cost, errors."""
    from sharpen import wiring
    from sharpen.cli import show
    from sharpen.cli.watching import watching

    outputs = show.checked_outputs(output)
    loaded = wiring.load_plan(plan, with_cache(overrides, no_cache))
    with wiring.open_store(store, plan) as opened:
        with watching(quiet, log_format, log_level, otel) as watch:
            story = wiring.run_plan(loaded, opened, watch.observer, watch.interrupted, watch.tracer)
        goes_on = wiring.store_option(opened)
        aborted = wiring.abort_message(story.result, opened)
        cases = wiring.inputs_of(loaded, story.result, opened)
        flaky = wiring.flakiness_of_run(story.result.run_id, opened, by_repeats=True)
        show.run(story, cases, as_json, outputs, goes_on, aborted, flakiness=flaky)
    raise typer.Exit(wiring.exit_code(story))

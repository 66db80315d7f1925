"""``sharpen optimize PLAN``: the whole loop."""

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
    """Measure, decide, search, prove on held-out cases; keep a new version, or say honestly that there is none."""
    from sharpen import wiring
    from sharpen.cli import show
    from sharpen.cli.watching import watching

    outputs = show.checked_outputs(output)
    loaded = wiring.load_plan(plan, with_cache(overrides, no_cache))
    with wiring.open_store(store, plan) as opened, watching(quiet, log_format, log_level, otel) as watch:
        outcome = wiring.optimize_plan(
            loaded, opened, watch.observer, watch.search, watch.interrupted, watch.tracer, watch.forecast
        )
        store_option = wiring.store_option(opened)
        goes_on = wiring.goes_on(outcome, opened)
    show.optimization(outcome, loaded.sample, as_json, outputs, store_option, goes_on)
    raise typer.Exit(wiring.optimize_exit_code(outcome, loaded.manifest))

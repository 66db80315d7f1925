"""``sharpen resume [RUN]``: finish what was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharpen.cli.options import (
    JsonOption,
    LogFormatOption,
    LogLevelOption,
    NoCacheOption,
    OfflineOption,
    OtelOption,
    OutputOption,
    QuietOption,
    SetOption,
    StoreOption,
    with_cache,
)
from sharpen.cli.streams import to_stderr

if TYPE_CHECKING:
    from sharpen.cli.watching import Watch
    from sharpen.storage.store import Store

    Watched = Callable[[], AbstractContextManager[Watch]]


def command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run, an optimization or an A/B test: its id, or an unambiguous beginning of it. "
            "Left out: list what can go on.",
            show_default=False,
        ),
    ] = None,
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
    """Finish an interrupted run, optimization or A/B test, as it would have ended; finished calls are not repeated.

    It goes on with the plan, prompt and cases it began with. What was spent counts towards its budgets. --set may
    change `execution` and, of a run, `rules`, of an optimization, `optimize.budget`: a spent budget needs a larger one.
    """
    from sharpen import wiring
    from sharpen.cli import show, show_lists
    from sharpen.cli.watching import watching

    watched = partial(watching, quiet, log_format, log_level, otel)
    outputs = show.checked_outputs(output)
    with wiring.open_store(store) as opened:
        if run is None:
            show_lists.resumables(wiring.resumables(opened), as_json, quiet)
            return
        kind, run_id = wiring.identify(opened, run)
        finish = {"optimization": _optimization, "experiment": _ab}.get(kind, _run)
        finish(run_id, opened, watched, as_json, quiet, with_cache(overrides, no_cache), outputs)


def _run(
    run_id: str,
    store: Store,
    watched: Watched,
    as_json: bool,
    quiet: bool,  # noqa: ARG001 - as its sibling has it
    overrides: list[str] | None,
    outputs: Sequence[Path],
) -> None:
    from sharpen import wiring
    from sharpen.cli import show

    with watched() as watch:
        loaded, story = wiring.resume_run(
            run_id, store, watch.observer, watch.interrupted, overrides, watch.tracer, watch.taken_over
        )
    aborted = wiring.abort_message(story.result, store)
    cases = wiring.inputs_of(loaded, story.result, store)
    flaky = wiring.flakiness_of_run(story.result.run_id, store, by_repeats=True)
    show.run(story, cases, as_json, outputs, wiring.store_option(store), aborted, flakiness=flaky)
    raise typer.Exit(wiring.exit_code(story))


def _ab(
    run_id: str,
    store: Store,
    watched: Watched,
    as_json: bool,
    quiet: bool,
    overrides: list[str] | None,
    outputs: Sequence[Path],
) -> None:
    from sharpen import wiring
    from sharpen.cli import show_experiment
    from sharpen.wiring.ab_running import Watchers

    show_experiment.checked_outputs(outputs)
    with watched() as watch:
        looks = show_experiment.looks(quiet)
        watchers = Watchers(watch.observer, watch.tracer, watch.interrupted, watch.taken_over, looks)
        report = wiring.resume_ab(run_id, store, overrides, watchers)
    show_experiment.finished_ab(report, store, as_json, outputs)


def _optimization(
    run_id: str,
    store: Store,
    watched: Watched,
    as_json: bool,
    quiet: bool,
    overrides: list[str] | None,
    outputs: Sequence[Path],
) -> None:
    from sharpen import wiring
    from sharpen.cli import show

    with watched() as watch:
        found = wiring.resume_optimization(
            run_id, store, watch.observer, watch.search, watch.interrupted, overrides, watch.tracer, watch.taken_over
        )
    if found is None:
        if not quiet:
            to_stderr(f"optimization {run_id} came to its end before; nothing was called")
        manifest, cases, outcome = wiring.finished_optimization(run_id, store)
    else:
        manifest, cases, outcome = found[0].manifest, found[0].sample, found[1]
    show.optimization(outcome, cases, as_json, outputs, wiring.store_option(store), wiring.goes_on(outcome, store))
    raise typer.Exit(wiring.optimize_exit_code(outcome, manifest))

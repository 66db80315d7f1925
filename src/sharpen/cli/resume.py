"""``sharpen resume [RUN]``: finish what was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharpen.cli.options import JsonOption, OfflineOption, OutputOption, QuietOption, SetOption, StoreOption
from sharpen.cli.streams import to_stderr

if TYPE_CHECKING:
    from sharpen.storage.store import Store


def command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run or an optimization: its id, or an unambiguous beginning of it. Left out: list what can go on.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
    output: OutputOption = None,
) -> None:
    """Finish an interrupted run or optimization, as it would have ended; finished calls are not repeated.

    It goes on with the plan, prompt and cases it began with. What was spent counts towards its budgets. --set may
    change `execution` and, of a run, `rules`, of an optimization, `optimize.budget`: a spent budget needs a larger one.
    """
    from sharpen import wiring
    from sharpen.cli import show

    outputs = show.checked_outputs(output)
    with wiring.open_store(store) as opened:
        if run is None:
            show.resumables(wiring.resumables(opened), as_json, quiet)
            return
        kind, run_id = wiring.identify(opened, run)
        finish = _optimization if kind == "optimization" else _run
        finish(run_id, opened, as_json, quiet, overrides, outputs)


def _run(
    run_id: str, store: Store, as_json: bool, quiet: bool, overrides: list[str] | None, outputs: Sequence[Path]
) -> None:
    from sharpen import wiring
    from sharpen.cli import show

    with show.run_progress(quiet) as progress:
        loaded, story = wiring.resume_run(
            run_id, store, progress, progress.interrupted, overrides, on_takeover=to_stderr
        )
    aborted = wiring.abort_message(story.result, store)
    show.run(story, loaded.sample, as_json, outputs, wiring.store_option(store), aborted)
    raise typer.Exit(wiring.exit_code(story, loaded.manifest))


def _optimization(
    run_id: str, store: Store, as_json: bool, quiet: bool, overrides: list[str] | None, outputs: Sequence[Path]
) -> None:
    from sharpen import wiring
    from sharpen.cli import show

    with show.search_progress(quiet) as (progress, search):
        found = wiring.resume_optimization(
            run_id, store, progress, search, progress.interrupted, overrides, on_takeover=to_stderr
        )
    if found is None:
        if not quiet:
            to_stderr(f"optimization {run_id} came to its end before; nothing was called")
        manifest, cases, outcome = wiring.finished_optimization(run_id, store)
    else:
        manifest, cases, outcome = found[0].manifest, found[0].sample, found[1]
    show.optimization(outcome, cases, as_json, outputs, wiring.store_option(store), wiring.goes_on(outcome, store))
    raise typer.Exit(wiring.optimize_exit_code(outcome, manifest))

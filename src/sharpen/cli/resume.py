"""``sharpen resume RUN``: finish what was interrupted."""

from __future__ import annotations

import typer

from sharpen.cli.options import (
    JsonOption,
    OfflineOption,
    OutputOption,
    QuietOption,
    RunArgument,
    SetOption,
    StoreOption,
)
from sharpen.cli.streams import to_stderr


def command(
    run: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
    output: OutputOption = None,
) -> None:
    """Finish an interrupted run; finished calls are not repeated."""
    from sharpen import wiring
    from sharpen.cli import show

    outputs = show.checked_outputs(output)
    with wiring.open_store(store) as opened, show.run_progress(quiet) as progress:
        loaded, story = wiring.resume_run(run, opened, progress, progress.interrupted, overrides, on_takeover=to_stderr)
        goes_on = wiring.store_option(opened)
        aborted = wiring.abort_message(story.result, opened)
    show.run(story, loaded.sample, as_json, outputs, goes_on, aborted)
    raise typer.Exit(wiring.exit_code(story, loaded.manifest))

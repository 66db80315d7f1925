"""What the commands that list something print; apart from what shows results, which takes long to load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sharpen.json_stream import dumps

if TYPE_CHECKING:
    from sharpen.storage.records import RunSummary
    from sharpen.wiring.resuming import Resumable


def runs(found: Sequence[RunSummary], as_json: bool, quiet: bool, cut_off: Sequence[Resumable] = ()) -> None:
    """A list of runs; to people also the commands that finish searches that were ``cut_off``."""
    if as_json:
        print(dumps({"runs": [item.model_dump(mode="json") for item in found]}))
        return
    if quiet:
        return
    from sharpen.reporting.console_lists import print_runs_table
    from sharpen.reporting.terminal import make_console

    console = make_console()
    print_runs_table(console, found)
    for search in cut_off:
        console.print(f"Optimization {search.id}: {search.state}; go on: {search.command}", soft_wrap=True)


def resumables(found: Sequence[Resumable], as_json: bool, quiet: bool) -> None:
    """What can go on, and how."""
    if as_json:
        print(dumps({"resumable": [item.model_dump(mode="json") for item in found]}))
        return
    if quiet:
        return
    from sharpen.reporting.terminal import make_console
    from sharpen.wiring.resuming import UNDER_WAY, larger_budget

    console = make_console()
    if not found:
        console.print("Nothing to resume: every run and every optimization came to its end.", soft_wrap=True)
    for one in found:
        console.print(f"{one.kind} {one.id} of {one.workflow_id}: {one.state}", soft_wrap=True)
        if one.state != UNDER_WAY:
            raised = larger_budget(one.stop_reason, "optimize" if one.kind == "optimization" else "execution")
            console.print(f"  Go on: {one.command}{raised}", soft_wrap=True)


def created(paths: Sequence[Path], directory: Path, as_json: bool, quiet: bool) -> None:
    """A project that was just written."""
    if as_json:
        print(dumps({"created": [str(path) for path in paths]}))
        return
    if not quiet:
        print("\n".join(f"wrote {path}" for path in paths))
        print(f"next: sharpen check {directory / 'plan.yaml'}")

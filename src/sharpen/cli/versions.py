"""``sharpen versions list|show|diff|rollback|tag``.

Where a store holds several workflows, the first argument may name one; ``--workflow`` does the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption, WorkflowOption

app = typer.Typer(help="List, show, compare, roll back and tag prompt versions.")


class ShowFormat(StrEnum):
    """``prompt``: the prompt alone, as a file that a plan can name."""

    TEXT = "text"
    PROMPT = "prompt"
    JSON = "json"


@app.command("list")
def list_versions(
    workflow: Annotated[str | None, typer.Argument(metavar="[WORKFLOW]", help="Left out: all workflows.")] = None,
    option: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List versions, newest first."""
    from sharpen import wiring
    from sharpen.cli import show

    opened = wiring.find_store(store)
    if opened is None:
        show.versions((), as_json, quiet)
        return
    with opened:
        show.versions(wiring.list_versions(opened, workflow or option), as_json, quiet)


@app.command("show")
def show_version(
    names: Annotated[list[str] | None, typer.Argument(metavar="[WORKFLOW] [VERSION|ALIAS]")] = None,
    form: Annotated[
        ShowFormat, typer.Option("--format", "-f", help="'prompt' prints the prompt alone.")
    ] = ShowFormat.TEXT,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show one version (default: the latest) with its evidence, or its prompt alone for an application to use."""
    from sharpen import wiring
    from sharpen.cli import show

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        name, (reference,) = wiring.version_names(opened, names, ("latest",), workflow)
        version = wiring.version_manager(opened).get(name, reference)
    show.version(version, "json" if as_json else form.value)


@app.command("diff")
def diff_versions(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] FROM TO")],
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare two versions: the prompt's lines and the figures side by side."""
    from sharpen import wiring
    from sharpen.cli import show

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        name, (first, second) = wiring.version_names(opened, names, (None, "latest"), workflow)
        comparison = wiring.version_manager(opened).compare(name, first, second)
    show.version_comparison(comparison, as_json)


@app.command("rollback")
def rollback_version(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] VERSION")],
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make an older version's prompt the latest again, as a new version; history is never rewritten."""
    from sharpen import wiring
    from sharpen.cli import show

    with wiring.open_store(store) as opened:
        name, (reference,) = wiring.version_names(opened, names, (None,), workflow)
        version = wiring.version_manager(opened).rollback(name, reference)
    show.new_version(version, as_json, quiet)


@app.command("tag")
def tag_version(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] VERSION ALIAS")],
    expect: Annotated[str | None, typer.Option("--expect", help="Move the alias only if it points here now.")] = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Point an alias such as 'production' at a version."""
    from sharpen import wiring
    from sharpen.cli import show

    with wiring.open_store(store) as opened:
        name, (reference, alias) = wiring.version_names(opened, names, (None, None), workflow)
        version = wiring.version_manager(opened).tag(name, reference, alias, expected_current=expect)
    show.tagged(version, alias, as_json, quiet)

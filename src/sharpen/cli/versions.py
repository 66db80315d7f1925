"""``sharpen versions``: list, show, compare and roll back; aliases and files have rooms of their own.

Where a store holds several workflows, the first argument may name one; ``--workflow`` does the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sharpen.cli import version_aliases, version_files
from sharpen.cli.options import ByOption, JsonOption, QuietOption, StoreOption, WorkflowOption, actor

app = typer.Typer(help="List, show, compare, roll back, tag, export and import prompt versions.")


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
    from sharpen.cli import show_versions

    opened = wiring.find_store(store)
    if opened is None:
        show_versions.versions((), as_json, quiet)
        return
    with opened:
        found = wiring.list_versions(opened, workflow or option)
        names = {version.workflow_id for version in found}
        aliases = wiring.version_manager(opened).aliases(names.pop()) if len(names) == 1 else {}
        show_versions.versions(found, as_json, quiet, aliases)


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
    from sharpen.cli import show_versions

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        name, (reference,) = wiring.version_names(opened, names, ("latest",), workflow)
        manager = wiring.version_manager(opened)
        version, aliases = manager.get(name, reference), manager.aliases(name)
    show_versions.version(version, "json" if as_json else form.value, aliases)


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
    from sharpen.cli import show_versions

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        name, (first, second) = wiring.version_names(opened, names, (None, "latest"), workflow)
        comparison = wiring.version_manager(opened).compare(name, first, second)
    show_versions.comparison(comparison, as_json)


@app.command("rollback")
def rollback_version(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] VERSION")],
    by: ByOption = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make an older version's prompt the latest again, as a new version; history is never rewritten."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.open_store(store) as opened:
        name, (reference,) = wiring.version_names(opened, names, (None,), workflow)
        version = wiring.version_manager(opened).rollback(name, reference, created_by=actor(by))
    show_versions.new_version(version, as_json, quiet)


@app.command("three-way")
def view_three_ways(
    names: Annotated[list[str] | None, typer.Argument(metavar="[WORKFLOW] [CANDIDATE] [LIVE]")] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Left out: the newest version both come from.", show_default=False)
    ] = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what a candidate (default: the latest) and the live version (production) each changed since their base."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        name, (candidate, live) = wiring.version_names(opened, names, ("latest", "production"), workflow)
        view = wiring.version_manager(opened).three_way(name, candidate, live, base)
    show_versions.three_way(view, as_json)


app.command("tag")(version_aliases.tag_version)
app.command("untag")(version_aliases.untag_version)
app.command("aliases")(version_aliases.list_aliases)
app.command("create")(version_files.create_version)
app.command("export")(version_files.export_versions)
app.command("import")(version_files.import_versions)

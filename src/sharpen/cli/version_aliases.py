"""``sharpen versions tag|untag|aliases``: which version is live, and who moved it when."""

from __future__ import annotations

from typing import Annotated

import typer

from sharpen.cli.options import ByOption, JsonOption, QuietOption, StoreOption, WorkflowOption, actor

ExpectOption = Annotated[
    str | None,
    typer.Option("--expect", metavar="VERSION", help="Only if it points here now; '' if it is to be new."),
]


ReasonOption = Annotated[
    str | None, typer.Option("--reason", "-m", help="Why; kept with the move.", show_default=False)
]


def tag_version(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] VERSION ALIAS")],
    expect: ExpectOption = None,
    reason: ReasonOption = None,
    by: ByOption = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Point an alias such as 'production' at a version."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.open_store(store) as opened:
        name, (reference, alias) = wiring.version_names(opened, names, (None, None), workflow)
        version = wiring.version_manager(opened).tag(
            name, reference, alias, expected_current=expect, reason=reason, actor=actor(by)
        )
    show_versions.tagged(name, version.version, alias, as_json, quiet)


def untag_version(
    names: Annotated[list[str], typer.Argument(metavar="[WORKFLOW] ALIAS")],
    expect: ExpectOption = None,
    reason: ReasonOption = None,
    by: ByOption = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove an alias; its history stays."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.open_store(store) as opened:
        name, (alias,) = wiring.version_names(opened, names, (None,), workflow)
        wiring.version_manager(opened).untag(name, alias, expected_current=expect, reason=reason, actor=actor(by))
    show_versions.tagged(name, None, alias, as_json, quiet)


def list_aliases(
    names: Annotated[list[str] | None, typer.Argument(metavar="[WORKFLOW] [ALIAS]")] = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Where each alias points, and every move it made."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.open_store(store) as opened:
        name, (alias,) = wiring.version_names(opened, names, ("",), workflow)
        current, moves = wiring.alias_story(opened, name, alias or None)
    show_versions.aliases(name, current, moves, as_json, quiet)

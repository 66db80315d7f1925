"""``sharpen versions export|import|create``: versions as files that people review."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sharpen.cli.options import ByOption, JsonOption, QuietOption, StoreOption, WorkflowOption, actor


class BumpChoice(StrEnum):
    """Which part of the version grows."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


def export_versions(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="One directory for each workflow below it.")],
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write versions as files that read well in git: one prompt a file, its record on top, its evidence beside it."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.open_store(store) as opened:
        show_versions.exported(wiring.export_versions(opened, directory, workflow), as_json, quiet)


def import_versions(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A directory that was exported, or one of its files.")],
    aliases: Annotated[bool, typer.Option("--aliases", help="Move aliases, too, to where they were.")] = False,
    by: ByOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Add exported versions exactly as they were; an edited file is refused (see 'create')."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.create_store(store) as opened:
        show_versions.imported(wiring.import_versions(opened, path, aliases=aliases, actor=actor(by)), as_json, quiet)


def create_version(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A prompt file, for example an export that was edited.")],
    message: Annotated[str, typer.Option("--message", "-m", help="Why; kept with the version.")] = "",
    bump: Annotated[BumpChoice, typer.Option("--bump", help="Which part of the version grows.")] = BumpChoice.PATCH,
    by: ByOption = None,
    workflow: WorkflowOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a new version of the prompt in a file, by hand and without proof."""
    from sharpen import wiring
    from sharpen.cli import show_versions

    with wiring.create_store(store) as opened:
        found = wiring.create_version(opened, file, workflow, message=message, bump=bump.value, created_by=actor(by))
    show_versions.new_version(found, as_json, quiet)

"""``sharpen init [DIR]``: a plan, a data set and a prompt to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption


def command(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; created when missing.")] = Path(),
    store: StoreOption = None,  # noqa: ARG001 - an option of all commands; a new project has no store yet
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a plan, a data set and a prompt that run at once; existing files are never overwritten."""
    from sharpen import wiring
    from sharpen.cli import show_lists

    show_lists.created(wiring.init_project(directory), directory, as_json, quiet)

"""``sharpen lint FILE…``: static analysis of prompts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sharpen.cli.options import SetOption, StoreOption
from sharpen.cli.streams import to_reader


class OutputFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def command(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", help="Prompt files, or plans.")] = None,
    output_format: Annotated[OutputFormat, typer.Option("--output-format", help="How to print.")] = OutputFormat.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --output-format json.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the fixes that are safe to the prompt files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing when all is well.")] = False,
    store: StoreOption = None,  # noqa: ARG001 - an option of all commands; linting opens no store
    overrides: SetOption = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="RULE", help="Explain one rule.")] = None,
) -> None:
    """Lint prompts. Exit code 1 when a finding is a warning or worse."""
    from sharpen import wiring
    from sharpen.errors import UserError

    if explain:
        typer.echo(wiring.explain_rule(explain))
        return
    if not files:
        raise UserError("no file given; expected prompt files or plans: sharpen lint FILE…")
    form = OutputFormat.JSON if as_json else output_format
    text, clean = wiring.lint_files(files, form.value, fix, overrides)
    if text and not (quiet and clean and form is OutputFormat.TEXT):
        with to_reader():
            typer.echo(text)
    raise typer.Exit(0 if clean else 1)

"""The command line: every command in its own file, one place where errors become messages and exit codes.

Exit codes: 0 done and the rules hold · 1 done and the rules do not hold · 2 the user's input is wrong · 3 the run could
not finish (budget spent, target unreachable, cancelled) · 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys

import typer

from sharpen import __version__
from sharpen.cli import check, compare, decide, init, lint, optimize, resume, run, runs, schema, versions
from sharpen.errors import PlanError, SharpenError

app = typer.Typer(
    name="sharpen",
    help="Test-driven prompt optimization: measure a prompt on your cases, improve it, prove the improvement.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: half the start-up time
    pretty_exceptions_enable=False,
)
app.command("init")(init.command)
app.command("check")(check.command)
app.command("run")(run.command)
app.command("decide")(decide.command)
app.command("optimize")(optimize.command)
app.command("resume")(resume.command)
app.add_typer(runs.app, name="runs")
app.command("compare")(compare.command)
app.add_typer(versions.app, name="versions")
app.command("lint")(lint.command)
app.command("schema")(schema.command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sharpen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Measure a prompt on your cases, improve it, prove the improvement."""


def main() -> None:
    """The ``sharpen`` command."""
    try:
        app()
    except SharpenError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone (head, less): not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _explain(error: SharpenError) -> None:
    """The message on stderr; with ``--json`` also as the one document on stdout."""
    if "--json" in sys.argv:
        problems = error.problems if isinstance(error, PlanError) else ()
        document = {
            "error": {
                "type": type(error).__name__,
                "message": str(error),
                "exit_code": error.exit_code,
                "problems": [
                    {"where": p.where, "key": p.key, "message": p.message, "expected": p.expected} for p in problems
                ],
            }
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    lines = str(error).splitlines() or [type(error).__name__]
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    if len(lines) > 1:
        print(f"{len(lines)} mistakes; nothing was called", file=sys.stderr)

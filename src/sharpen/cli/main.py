"""The command line: every command in its own file, one place where errors become messages and exit codes.

Exit codes: 0 done and the rules hold · 1 done and the rules do not hold · 2 the user's input is wrong · 3 the run could
not finish (budget spent, target unreachable, cancelled) · 130 interrupted.
"""

from __future__ import annotations

import gc
import json
import sys
import traceback
from contextlib import suppress
from typing import Any

import typer

from sharpen.about import __version__
from sharpen.cli.commands import Commands, make_app
from sharpen.cli.streams import escape_what_is_unknown, to_reader
from sharpen.errors import PlanError, SharpenError

# the base of all that is wrong with a command line; of its family Typer exports this member only
_CommandLineError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException" and issubclass(base, Exception)
)

app = make_app(
    name="sharpen",
    cls=Commands,
    help="Test-driven prompt optimization: measure a prompt on your cases, improve it, prove the improvement.",
)


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
    gc.set_threshold(50_000, 20, 50)  # what imports make stays: looking through it again and again takes 10 ms
    escape_what_is_unknown()
    sys.exit(_guarded(sys.argv[1:]))


def _guarded(arguments: list[str]) -> int:
    """Run a command; the exit code, whatever happens."""
    try:
        return _invoke(arguments or ["--help"])
    except SharpenError as error:
        return _explain(type(error).__name__, str(error), error.exit_code, error)
    except _CommandLineError as error:
        return _explain("UsageError", _usage(error), 2)
    except KeyboardInterrupt as interrupt:
        kept = "results that were finished are kept: `sharpen resume` shows how to go on"
        kept = str(interrupt) or kept
        return _explain("KeyboardInterrupt", f"interrupted; {kept}", 130)
    except OSError as error:  # what we print goes to a full disk, a file is taken away while we read it
        where = f": {error.filename!r}" if error.filename else ""
        return _explain("OSError", f"the system refused to read or write{where}: {error.strerror or error}", 3)
    except Exception:  # noqa: BLE001 - a fault of ours must not look like exit code 1, which says that rules are broken
        traceback.print_exc()
        return _explain("InternalError", "this is a fault of sharpen, please report it with the lines above", 3)


def _invoke(arguments: list[str]) -> int:
    """Typer's own ``app()`` makes exit code 1 of a closed pipe and has its own words for errors, so not that."""
    try:
        with to_reader(), typer.main.get_command(app).make_context("sharpen", arguments) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _usage(error: Any) -> str:
    """What is wrong with the command line, and where to look."""
    message = str(error.format_message()).strip().removesuffix(".").replace("Value error, ", "")  # Pydantic's prefix
    command = error.ctx.command_path if getattr(error, "ctx", None) else "sharpen"
    return f"{message[:1].lower()}{message[1:]}{'' if message.endswith('?') else ';'} see {command} --help"


def _explain(kind: str, message: str, exit_code: int, error: SharpenError | None = None) -> int:
    """The message on stderr; with ``--json`` also as the one document on stdout. Returns the exit code."""
    problems = error.problems if isinstance(error, PlanError) else ()
    if "--json" in sys.argv:
        document = {
            "error": {
                "type": kind,
                "message": message,
                "exit_code": exit_code,
                "problems": [
                    {"where": p.where, "key": p.key, "message": p.message, "expected": p.expected} for p in problems
                ],
            }
        }
        with suppress(OSError):
            print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)
    lines = message.splitlines() or [kind]
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    if len(problems) > 1:
        print(f"{len(problems)} mistakes; nothing was called", file=sys.stderr)
    return exit_code

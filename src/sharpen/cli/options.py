"""The options that all commands share, declared once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sharpen.telemetry.log_options import LogFormat, LogLevel

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The test plan (YAML or JSON).", show_default=False)]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or an unambiguous beginning of it.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="SHARPEN_STORE",
        help="Where results are kept: sqlite:///path or postgresql://user@host/database. "
        "Default: .sharpen/sharpen.db beside the plan.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; progress goes to stderr.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Override any key of the plan; may be given several times.",
        show_default=False,
    ),
]


def _go_offline(wanted: bool) -> bool:
    from sharpen.targets.local_only import OFFLINE_VARIABLE

    if wanted:  # the variable is the mode: it holds for all that this process does, and starts
        os.environ[OFFLINE_VARIABLE] = "1"
    return wanted


OfflineOption = Annotated[
    bool,
    typer.Option(
        "--offline",
        callback=_go_offline,
        help="Local-only mode: refuse every target (judges and rewriter too) that is not on this machine. "
        "SHARPEN_OFFLINE=1 does the same.",
    ),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        envvar="SHARPEN_LOG_FORMAT",
        help="Log events to stderr: text, or json (one object a line, and no progress display).",
        show_default=False,
    ),
]
LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(
        "--log-level",
        envvar="SHARPEN_LOG_LEVEL",
        help="The least level that is logged; debug tells of every test.",
        show_default=False,
    ),
]
OtelOption = Annotated[
    bool | None,
    typer.Option(
        "--otel/--no-otel",
        help="Send OpenTelemetry spans and metrics over OTLP (needs sharpen[otel]). "
        "Default: when OTEL_EXPORTER_OTLP_ENDPOINT is set.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool,
    typer.Option("--no-cache", help="Ask everything anew and remember no answer, as with execution.cache: false."),
]
OutputOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write a report: .html, .json, .junit.xml or .md; may be given several times.",
        show_default=False,
    ),
]
WorkflowOption = Annotated[
    str | None,
    typer.Option("--workflow", "-w", help="A workflow's id; needed when the store holds several.", show_default=False),
]

ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAME",
        envvar="SHARPEN_ACTOR",
        help="Who does it; kept with it. Left out: your login name.",
        show_default=False,
    ),
]


def actor(by: str | None) -> str | None:
    """Who does it: as told, else the login name; None where the system knows none (a container without users)."""
    import getpass

    try:
        return by or getpass.getuser()
    except (OSError, KeyError, ImportError):  # by release and system
        return None


def with_cache(overrides: list[str] | None, no_cache: bool) -> list[str] | None:
    """What ``--no-cache`` means, among the overrides of a plan."""
    return [*(overrides or ()), "execution.cache=false"] if no_cache else overrides

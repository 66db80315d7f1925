"""The options that all commands share, declared once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The test plan (YAML or JSON).", show_default=False)]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or an unambiguous beginning of it.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="SHARPEN_STORE",
        help="Where results are kept: sqlite:///path. Default: .sharpen/sharpen.db beside the plan.",
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

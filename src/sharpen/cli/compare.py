"""``sharpen compare RUN RUN``: what changed between two runs, case by case."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption

if TYPE_CHECKING:
    from sharpen.history.models import Comparison


class FailOn(StrEnum):
    """What makes the exit code 1: fewer passes beyond chance, that or a case that broke, any metric that is worse."""

    SUCCESS = "success"
    BROKEN = "broken"
    REGRESSION = "regression"


def command(
    first: Annotated[
        str, typer.Argument(metavar="FIRST", help="The earlier run: its id, or WORKFLOW@VERSION (or @ALIAS).")
    ],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="The later run, named in the same way.")],
    alpha: Annotated[
        float, typer.Option("--alpha", min=0.0001, max=0.5, help="Chance of calling any metric changed that is not.")
    ] = 0.05,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help="Exit code 1 when 'success' is worse beyond chance, when that or any case is 'broken', or at any "
            "'regression' (some metric is worse beyond chance). Left out: 0.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write a report: .html, .md or .json; may be given several times.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare two runs, paired by case: what else differs, which metrics changed beyond chance, which cases by name.

    A flaky case is never called fixed or broken for one flip. Of two versions the newest runs that were made alike
    are compared.
    """
    from sharpen import wiring
    from sharpen.cli import show
    from sharpen.reporting.writer import ComparisonOutput

    outputs = show.checked_outputs(output, ComparisonOutput)
    with wiring.open_store(store) as opened:
        found = wiring.compare_runs(first, second, opened, alpha)
    show.comparison(found, as_json, quiet, outputs)
    if fail_on and _fails(found, fail_on):
        raise typer.Exit(1)


def _fails(found: Comparison, fail_on: FailOn) -> bool:
    if fail_on is FailOn.REGRESSION:
        return bool(found.regressions)
    fewer_passes = any(metric.name == "success_rate" for metric in found.regressions)
    return fewer_passes or (fail_on is FailOn.BROKEN and bool(found.breaks))

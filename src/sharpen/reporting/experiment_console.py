"""An experiment in the terminal: verdict first, then the figures, then how the interval closed in."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from sharpen.experiments.models import Comparison, ExperimentReport
from sharpen.experiments.planning import SamplePlan
from sharpen.reporting import experiment_text as words
from sharpen.reporting.terminal import is_unicode, print_indented, print_line, styled, table

_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "neutral": "cyan"}
_SIGNS = {"good": "✓", "bad": "✗", "warn": "!", "neutral": "·"}
ROWS, PICTURE = 8, 48


def print_experiment(console: Console, report: ExperimentReport) -> None:
    """Everything of one experiment."""
    head = words.head(report)
    console.print(styled(console, f"{_SIGNS[head.tone]} {head.headline}", f"bold {_STYLES[head.tone]}"))
    print_line(console, head.detail)
    for note in head.notes:
        print_line(console, note, "dim")
    console.print()
    for one in report.variants:
        print_line(console, words.variant_line(one), "dim")
    console.print()
    unit = next((row.unit for row in report.metrics if row.decides), "")
    for comparison in report.comparisons:
        rows = words.metric_rows(report, comparison.variant)
        columns = ("", report.control, comparison.variant, "difference", "always-valid interval")
        if rows:
            print_indented(console, table(console, columns, rows, numbers=columns[1:]))
        print_picture(console, comparison, unit == "share")
    if words.has_asymptotic(report):
        print_line(console, words.ASYMPTOTIC, "dim")
    for check in report.guardrails:
        print_line(console, words.guardrail_line(check), "red" if check.harmed else "")
    name = "A/B test" if report.kind == "offline" else "Experiment"
    console.print(styled(console, f"{name} {report.id}", "dim"), soft_wrap=True)


def print_picture(console: Console, comparison: Comparison, share: bool) -> None:
    """How the interval of the difference closed in: a line for some looks, 0 in the middle of nothing or of it all."""
    looks = [look for look in comparison.looks if look.high - look.low < 2] or list(comparison.looks)
    if len(looks) < 2:
        return
    chosen = [
        looks[round(place * (len(looks) - 1) / (min(ROWS, len(looks)) - 1))] for place in range(min(ROWS, len(looks)))
    ]
    width = min(PICTURE, console.width - 32)
    if width < 16:
        return
    low = min(0.0, *(look.low for look in chosen))
    high = max(0.0, *(look.high for look in chosen))
    factor, unit = (100, "points") if share else (1, "")
    line, dot, zero = ("─", "●", "│") if is_unicode(console) else ("-", "o", "|")

    def at(value: float) -> int:
        return round((value - low) / (high - low or 1) * (width - 1))

    print_line(console, f"{comparison.variant}: the difference by number of samples{f', in {unit}' if unit else ''}")
    for look in chosen:
        cells = [" "] * width
        cells[at(look.low) : at(look.high) + 1] = [line] * (at(look.high) - at(look.low) + 1)
        cells[at(0.0)] = zero
        cells[at(look.estimate)] = dot
        ends = f"{look.low * factor:+.3g} to {look.high * factor:+.3g}"
        console.print(styled(console, f"  {look.samples:>7,} {''.join(cells)} {ends}"), soft_wrap=True)
    console.print()


def print_sample_plan(console: Console, available: int, plans: Sequence[SamplePlan]) -> None:
    """What an effect takes."""
    plans = tuple(plans)
    rows = words.plan_rows(plans)
    print_indented(console, table(console, words.PLAN_COLUMNS, rows, numbers=words.PLAN_COLUMNS))
    print_line(console, words.plan_note(plans, available), "dim")

"""A comparison of two runs in words and rows, the same ones for every kind of report. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sharpen.history.models import CaseChange, CaseCount, ChangeKind, Comparison, MetricChange, MetricName
from sharpen.reporting import figures as fig
from sharpen.reporting.verdict import VerdictText

SHORT = {
    MetricName.SUCCESS: "Success",
    MetricName.LATENCY_MEDIAN: "Latency p50",
    MetricName.LATENCY_P95: "Latency p95",
    MetricName.TOKENS: "Tokens",
    MetricName.COST: "Cost/1,000",
}
NAMES = {
    MetricName.SUCCESS: "success",
    MetricName.LATENCY_MEDIAN: "median latency",
    MetricName.LATENCY_P95: "p95 latency",
    MetricName.TOKENS: "tokens",
    MetricName.COST: "cost",
}
KINDS = {
    ChangeKind.BROKEN: "Broken",
    ChangeKind.LESS_OFTEN: "Passes less often",
    ChangeKind.FIXED: "Fixed",
    ChangeKind.MORE_OFTEN: "Passes more often",
    ChangeKind.FLAKY: "Flaky",
    ChangeKind.STILL_FAILING: "Still failing",
}
TONES: dict[ChangeKind, Literal["good", "bad", "warn", "flat"]] = {
    ChangeKind.BROKEN: "bad",
    ChangeKind.LESS_OFTEN: "bad",
    ChangeKind.FIXED: "good",
    ChangeKind.MORE_OFTEN: "good",
    ChangeKind.FLAKY: "warn",
    ChangeKind.STILL_FAILING: "flat",
}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric as a report shows it. ``interval`` is in the unit of ``change``."""

    name: str
    before: str
    after: str
    change: str
    interval: str
    p_value: str
    verdict: str
    tone: Literal["good", "bad", "flat"]


def headline(found: Comparison) -> VerdictText:
    """What is shown, in one line; then how many cases changed, and which run is which."""
    better = [NAMES[metric.name] for metric in found.metrics if metric.verdict == "better"]
    worse = [NAMES[metric.name] for metric in found.metrics if metric.verdict == "worse"]
    counts = [
        f"{number:,} {name}"
        for kind, name in _COUNTED.items()
        if (number := len(found.of_kind(kind))) or kind in (ChangeKind.FIXED, ChangeKind.BROKEN)
    ]
    detail = f"{fig.plural(found.data.paired, 'case')} paired: {', '.join(counts)}."
    if worse and better:
        return VerdictText("warn", "Mixed", f"Better {', '.join(better)}; worse {', '.join(worse)}", detail)
    if better and NAMES[MetricName.SUCCESS] not in better and len(found.breaks) > len(found.repairs):
        text = f"Better {', '.join(better)}; more cases broken than fixed"
        return VerdictText("warn", "Mixed", text, detail)
    if worse or better:
        label = "Worse" if worse else "Better"
        return VerdictText("bad" if worse else "good", label, f"{label} {', '.join(worse or better)}", detail)
    return VerdictText("neutral", "No difference", "Nothing changed beyond chance", detail)


_COUNTED = {
    ChangeKind.FIXED: "fixed",
    ChangeKind.BROKEN: "broken",
    ChangeKind.MORE_OFTEN: "pass more often",
    ChangeKind.LESS_OFTEN: "pass less often",
    ChangeKind.FLAKY: "flaky",
    ChangeKind.STILL_FAILING: "still failing",
}


def level(found: Comparison) -> str:
    """``95%``: of the intervals."""
    return f"{(1 - found.alpha) * 100:g}%"


def metric_rows(found: Comparison) -> list[MetricRow]:
    """A row for each metric that was measured."""
    return [_row(metric) for metric in found.metrics if metric.before is not None or metric.after is not None]


def _row(metric: MetricChange) -> MetricRow:
    show, scale, digits, unit = _forms(metric)

    def signed(value: float | None) -> str:
        return fig.signed(value * scale, digits) if value is not None else fig.NOTHING

    if metric.low is None and metric.high is None:
        interval = fig.NOTHING
    else:  # an end that no number of pairs so small can show is open
        ends = [signed(end) if end is not None else "?" for end in (metric.low, metric.high)]
        interval = f"{ends[0]} … {ends[1]}"
    tone: Literal["good", "bad", "flat"] = "flat"
    if metric.verdict in ("better", "worse"):
        tone = "good" if metric.verdict == "better" else "bad"
    return MetricRow(
        name=SHORT[metric.name],
        before=show(metric.before),
        after=show(metric.after),
        change=fig.NOTHING if metric.change is None else f"{signed(metric.change)}{unit}" if metric.change else "0",
        interval=interval,
        p_value=fig.p_value(metric.p_adjusted).removeprefix("p = ").removeprefix("p ")
        if metric.p_adjusted is not None
        else fig.NOTHING,
        verdict={"no difference shown": "not shown"}.get(metric.verdict, metric.verdict),
        tone=tone,
    )


def _forms(metric: MetricChange) -> tuple[Callable[[float | None], str], float, int, str]:
    """How a metric is written: its values, and of a change the factor, the digits and the unit."""
    largest = max(abs(value) for value in (metric.before or 0.0, metric.after or 0.0, metric.change or 0.0))
    if metric.name is MetricName.SUCCESS:
        return fig.percent, 100, 1, " pts"
    if metric.name is MetricName.TOKENS:
        return fig.count, 1, 1, ""
    if metric.name is MetricName.COST:
        thousand = largest * 1000
        digits = 2 if thousand >= 10 else 4
        return lambda value: fig.usd(None if value is None else value * 1000), 1000, digits, " $"
    if largest >= 10_000:
        return fig.milliseconds, 0.001, 2, " s"
    return fig.milliseconds, 1, 0 if largest >= 100 else 1, " ms"


def untested(found: Comparison) -> list[str]:
    """Why a metric was not tested, or what its figures leave out: a line each."""
    return [f"{SHORT[metric.name]}: {metric.note}" for metric in found.metrics if metric.note]


def tests_used(found: Comparison) -> str:
    """How the p values were found."""
    tested = [metric for metric in found.metrics if metric.p_value is not None]
    if not tested:
        return ""
    by_test: dict[str, list[str]] = {}
    for metric in tested:
        by_test.setdefault(metric.test, []).append(NAMES[metric.name])
    named = "; ".join(f"{', '.join(names)}: {test}" for test, names in by_test.items())
    shift = [metric.test for metric in tested if metric.name is MetricName.LATENCY_MEDIAN]
    if shift:
        named = named.replace(shift[0], f"{shift[0]}, and the change is the typical shift of a case (Hodges-Lehmann)")
    corrected = f"p is corrected for {fig.plural(len(tested), 'metric')} (Holm), intervals are at {level(found)} each."
    return f"{corrected} {named[:1].upper()}{named[1:]}."


def count_text(count: CaseCount) -> str:
    """``2/3``; one answer is a word."""
    if count.runs == 1:
        return "no answer" if count.errors else "passed" if count.passes else "failed"
    without = f" ({fig.plural(count.errors, 'error')})" if count.errors else ""
    return f"{count.passes}/{count.runs}{without}"


def change_text(change: CaseChange) -> str:
    """``2/3 → 0/3``, and what other runs say."""
    told = f"{count_text(change.before)} → {count_text(change.after)}"
    if change.elsewhere is not None:
        told += f", {change.elsewhere.passes}/{change.elsewhere.runs} over all runs"
    return told


def worth_telling(change: CaseChange) -> bool:
    """Whether the counts say more than the kind does."""
    steady = change.kind in (ChangeKind.FIXED, ChangeKind.BROKEN, ChangeKind.STILL_FAILING)
    return not steady or bool(change.before.errors or change.after.errors)


def side_text(found: Comparison, number: int) -> str:
    """``run-20261123-101502-3f9a2c · version 1.1.0 · smollm2 · 2026-11-23 10:15``."""
    side = (found.first, found.second)[number]
    parts = [side.run_id]
    if side.version:
        parts.append(f"version {side.version}")
    if side.model and found.first.model != found.second.model:
        parts.append(side.model)
    if side.repeats > 1:
        parts.append(f"{side.repeats} repeats")
    if side.purpose != "run":
        parts.append(side.purpose)
    parts.append(f"{side.started_at:%Y-%m-%d %H:%M}")
    return " · ".join(parts)

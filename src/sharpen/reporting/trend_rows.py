"""A workflow's history as rows and words, for the terminal and for the page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from sharpen.executor.models import RunStatus
from sharpen.history.trends import ChangePoint, HistoryRun, Series, Trend
from sharpen.reporting import figures as fig
from sharpen.reporting.verdict import VerdictText

NAMES = {
    Series.SUCCESS: "Success rate",
    Series.P95: "Latency, p95",
    Series.TOKENS: "Tokens per request",
    Series.COST: "Cost per request",
}
COLUMNS = ("prompt", "runs", "since", "success", "p95", "tokens", "cost", "not passed")
NUMBERS = ("runs", "success", "p95", "tokens", "cost")
_KINDS_SHOWN = 3


class ChangeText(NamedTuple):
    """A change point in words: what happened, where, and what was changed just before."""

    better: bool
    headline: str
    where: str
    causes: str


def shown(series: Series, value: float | None) -> str:
    """A figure of a series as people read it."""
    if series is Series.SUCCESS:
        return fig.percent(value)
    if series is Series.P95:
        return fig.milliseconds(value)
    return fig.usd(value) if series is Series.COST else fig.count(None if value is None else round(value, 1))


def summary(trend: Trend) -> str:
    """How many runs since when, and what was found."""
    first, last = trend.runs[0].started_at, trend.runs[-1].started_at
    days = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    found = fig.plural(len(trend.changes), "change") if trend.changes else "no change shown"
    return f"{fig.plural(len(trend.runs), 'run')}, {days}: {found}"


def change_text(change: ChangePoint) -> ChangeText:
    """One change point in words."""
    series = change.series
    effect = fig.points(change.after - change.before) if series is Series.SUCCESS else _relative(change)
    headline = f"{NAMES[series]} {shown(series, change.before)} → {shown(series, change.after)} ({effect})"
    where = f"from run {change.run_id} on ({change.at:%Y-%m-%d})"
    if change.earliest != change.latest:
        where += f", or from one between {change.earliest} and {change.latest} on"
    causes = "; ".join(cause.text for cause in change.causes)
    said = f"changed just before: {causes}" if causes else "nothing that sharpen knows of was changed just before"
    return ChangeText(change.better, headline, where, said)


def verdict(trend: Trend) -> VerdictText:
    """The newest change in success, or that there is none."""
    if not trend.runs:
        return VerdictText("neutral", "No history", "No run of this workflow has ended yet", "", ())
    last = next((change for change in reversed(trend.changes) if change.series is Series.SUCCESS), None)
    if last is None:
        headline = f"{shown(Series.SUCCESS, trend.runs[-1].success_rate)} of the newest run's cases pass"
        return VerdictText("neutral", "Steady", headline, summary(trend), ())
    text = change_text(last)
    detail, notes = f"{text.where}; {text.causes}", (summary(trend),)
    if text.better:
        return VerdictText("good", "Better", text.headline, detail, notes)
    return VerdictText("bad", "Worse", text.headline, detail, notes)


def stretches(trend: Trend) -> list[tuple[str, ...]]:
    """One row for each stretch of runs with the same prompt and model, oldest first; see ``COLUMNS``."""
    rows = []
    several = len({run.model for run in trend.runs}) > 1
    for _, group in groupby(trend.runs, key=lambda run: (run.prompt, run.model)):
        runs = list(group)
        name = prompt_name(runs[0]) + (f" · {runs[0].model}" if several and runs[0].model else "")
        rows.append((name, f"{len(runs):,}", f"{runs[0].started_at:%Y-%m-%d}", *_figures(runs), _kinds(runs)))
    return rows


def run_rows(runs: Iterable[HistoryRun]) -> list[tuple[str, ...]]:
    """One row for each run: id, time, prompt, the figures, what did not pass."""
    return [
        (
            run.run_id,
            f"{run.started_at:%Y-%m-%d %H:%M}",
            prompt_name(run) + ("" if run.status is RunStatus.COMPLETED else f" ({run.status.value})"),
            *_figures([run]),
            _kinds([run]),
        )
        for run in runs
    ]


def prompt_name(run: HistoryRun) -> str:
    """A run's prompt by its version, else by the beginning of its hash."""
    return run.version or (run.prompt[:8] if run.prompt else fig.NOTHING)


def _figures(runs: Sequence[HistoryRun]) -> tuple[str, ...]:
    cases = sum(run.cases for run in runs)
    rate = sum(run.passed for run in runs) / cases if cases else None
    means = [_mean([run.value(series) for run in runs]) for series in (Series.P95, Series.TOKENS, Series.COST)]
    texts = [shown(series, mean) for series, mean in zip((Series.P95, Series.TOKENS, Series.COST), means, strict=True)]
    return fig.percent(rate), *texts


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _kinds(runs: Sequence[HistoryRun]) -> str:
    counts = Counter[str]()
    for run in runs:
        counts.update(run.errors)
    named = [f"{number:,} {kind.replace('_', ' ')}" for kind, number in counts.most_common(_KINDS_SHOWN)]
    left = sum(counts.values()) - sum(number for _, number in counts.most_common(_KINDS_SHOWN))
    return ", ".join([*named, *([f"{left:,} more"] if left else [])])


def _relative(change: ChangePoint) -> str:
    if not change.before:
        return "from nothing"
    percent = 100 * (change.after / change.before - 1)
    return f"{fig.signed(percent, 0 if abs(percent) >= 1 else 2)}%"

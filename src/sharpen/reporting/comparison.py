"""Figures side by side, as every kind of report shows them: a name, two values, their difference. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from sharpen.executor.models import RunExecutionResult, RunStatistics
from sharpen.optimizer.converter import cost_per_request
from sharpen.optimizer.models import CandidateReport, Metrics, TestExecutionReport
from sharpen.reporting import figures as fig


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of two prompts. ``tone`` says whether the difference is for the better."""

    name: str
    baseline: str
    candidate: str
    difference: str
    tone: Literal["good", "bad", "flat"]


def metric_rows(baseline: Metrics, candidate: Metrics) -> list[Row]:
    """Success, latency, tokens and cost of two prompts on the same cases. The mean score is only named where scores
    say more than pass and fail do.
    """
    rows = [_rate("Success rate", baseline.success_rate, candidate.success_rate, higher_is_better=True)]
    graded = any(
        side.mean_score is not None and abs(side.mean_score - side.success_rate) >= 0.0005
        for side in (baseline, candidate)
    )
    if graded and baseline.mean_score is not None and candidate.mean_score is not None:
        rows.append(_rate("Mean score", baseline.mean_score, candidate.mean_score, higher_is_better=True))
    figures: tuple[tuple[str, float | None, float | None, Callable[[float | None], str]], ...] = (
        ("Latency, mean", baseline.avg_latency_ms, candidate.avg_latency_ms, fig.milliseconds),
        ("Latency, p95", baseline.p95_latency_ms, candidate.p95_latency_ms, fig.milliseconds),
        ("Tokens per request", baseline.tokens_per_request, candidate.tokens_per_request, fig.count),
        ("Cost per request", baseline.cost_per_request, candidate.cost_per_request, fig.usd),
    )
    for name, before, after, show in figures:
        text, tone = _relative(before, after)
        rows.append(Row(name, show(before), show(after), text, tone))
    if baseline.timeout_rate or candidate.timeout_rate:
        rows.append(_rate("Timeouts", baseline.timeout_rate, candidate.timeout_rate, higher_is_better=False))
    return rows


def ranked(candidates: Iterable[CandidateReport]) -> list[CandidateReport]:
    """The winner, then the finalists, then those dropped earlier; unmeasured ones last.

    Each by how many dev cases it saw, then by success on them: two passes of two say less than 21 of 29.
    """
    order = {"winner": 0, "finalist": 1, "dropped": 2, "unevaluated": 3}

    def key(item: CandidateReport) -> tuple[int, int, float]:
        cases, rate = (item.dev.cases, item.dev.success_rate) if item.dev else (0, 0.0)
        return (order[item.status], -cases, -rate)

    return sorted(candidates, key=key)


def rate_of_ran(statistics: RunStatistics) -> float | None:
    """The share of passed tests among those that ran, as the rules judge it; None when none ran."""
    ran = statistics.completed_tasks
    return statistics.succeeded_tasks / ran if ran else None


def passed_of(statistics: RunStatistics) -> str:
    """``4 of 24``; of an unfinished run ``4 of 4 that ran``."""
    ran, total = statistics.completed_tasks, statistics.total_tasks
    rest = f"{ran:,} that ran" if ran < total else f"{total:,}"
    return f"{statistics.succeeded_tasks:,} of {rest}"


def run_figures(result: RunExecutionResult, report: TestExecutionReport | None) -> list[tuple[str, str]]:
    """The figures of a single run, by name."""
    statistics, judge = result.statistics, result.statistics.judge
    done, rate = statistics.completed_tasks, rate_of_ran(statistics)
    p95 = report.p95_response_time_ms if report else None
    p99 = report.p99_response_time_ms if report else None
    rows = [
        ("Passed", passed_of(statistics)),
        ("Success rate", fig.percent(rate) if rate is not None else fig.NOTHING),
        ("Latency, mean", fig.milliseconds(statistics.avg_execution_time * 1000 if done else None)),
        ("Latency, p95", fig.milliseconds(p95)),
        ("Latency, p99", fig.milliseconds(p99)),
        ("Tokens", fig.count(statistics.total_tokens)),
        ("Tokens per request", fig.count(round(statistics.total_tokens / done, 1) if done else 0.0)),
        ("Cost", fig.usd(statistics.total_cost)),
        ("Cost per request", fig.usd(cost_per_request(result))),
    ]
    for name, number in (
        ("Failed assertions", statistics.failed_tasks),
        ("Timeouts", statistics.timeout_tasks),
        ("Errors", statistics.error_tasks),
        ("Not run", statistics.total_tasks - done),
        ("Retries", statistics.total_retries),
        ("From the cache", statistics.cached_tasks),
    ):
        if number:
            rows.append((name, f"{number:,}"))
    if judge.calls:
        rows.append(("Judge", f"{fig.plural(judge.calls, 'call')}, {judge.tokens:,} tokens, {fig.usd(judge.cost)}"))
    return rows


def _rate(name: str, before: float, after: float, *, higher_is_better: bool) -> Row:
    gain = round((after - before) * 100, 1)
    tone: Literal["good", "bad", "flat"] = "flat" if not gain else "good" if (gain > 0) is higher_is_better else "bad"
    return Row(name, fig.percent(before), fig.percent(after), f"{fig.signed(gain)} points", tone)


def _relative(before: float | None, after: float | None) -> tuple[str, Literal["good", "bad", "flat"]]:
    """Less is better for all of these; a difference below one percent is noise to a reader."""
    difference = fig.difference(before, after)
    if difference is None:
        return fig.NOTHING, "flat"
    absolute, share = difference
    if share is None:
        return ("0%", "flat") if not absolute else ("new", "bad")
    tone: Literal["good", "bad", "flat"] = "flat" if abs(share) < 0.01 else "good" if share < 0 else "bad"
    return f"{fig.signed(share * 100, 0)}%", tone

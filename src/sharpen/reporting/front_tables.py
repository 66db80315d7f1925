"""The Pareto front and the places in the race as rows of text, for every kind of report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.optimizer.measures import metrics_of
from sharpen.optimizer.models import CandidateReport, Metrics, OptimizationOutcome, StrategyShare
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.pareto import pareto_front
from sharpen.reporting import figures as fig

SHARE_COLUMNS = ("Generation", "Strategy", "Proposed", "Entered", "Why so many")
FRONT_MEANS = "nobody is better in one of these and no worse in the others"


@dataclass(frozen=True, slots=True)
class FrontTable:
    """``columns`` and ``rows``: the baseline first, then the front, the best pass rate first. Empty: nothing to show.

    ``winner``: the number of the winner's row (None: it is not among them).
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    winner: int | None = None

    def __bool__(self) -> bool:
        return bool(self.rows)


def front_table(outcome: OptimizationOutcome) -> FrontTable:
    """Pass rate, tokens, USD (where a price is known) and mean latency, each on the dev cases it has seen."""
    front = [(each, each.dev) for each in pareto_front(outcome.candidates) if each.dev]
    if not front:
        return FrontTable()
    baseline = baseline_on_dev(outcome)
    priced = any(metrics.cost_per_request for metrics in (baseline, *(dev for _, dev in front)))
    scored = any(each.score is not None for each, _ in front)
    columns = ["", "Pass rate", "Dev cases", "Tokens"]
    columns += [*(["USD"] if priced else []), "Latency", *(["Score"] if scored else [])]

    def row(name: str, metrics: Metrics, score: float | None) -> tuple[str, ...]:
        cells = [name, fig.percent(metrics.success_rate), fig.count(metrics.cases)]
        cells.append(fig.count(round(metrics.tokens_per_request, 1)))
        cells += [fig.usd(metrics.cost_per_request)] if priced else []
        cells.append(fig.milliseconds(metrics.avg_latency_ms))
        cells += [fig.signed(score, 3) if score is not None else fig.NOTHING] if scored else []
        return tuple(cells)

    rows = [row("baseline", baseline, 0.0 if scored else None)]
    rows += [row(f"{each.id} {each.strategy}", dev, each.score) for each, dev in front]
    winner = next((place for place, (each, _) in enumerate(front, 1) if each.status == "winner"), None)
    return FrontTable(tuple(columns), tuple(rows), winner)


def front_points(outcome: OptimizationOutcome) -> list[tuple[CandidateReport, Metrics, bool]]:
    """Every candidate measured on dev, and whether it stands on the front."""
    on = {each.id for each in pareto_front(outcome.candidates)}
    return [(each, each.dev, each.id in on) for each in outcome.candidates if each.dev is not None]


def baseline_on_dev(outcome: OptimizationOutcome) -> Metrics:
    """What the baseline did on the cases on which candidates are compared; on all where that is not known."""
    dev = set(outcome.split.get("dev", ()))
    found = outcomes_of(task for task in outcome.baseline_run.task_results if task.case_id in dev)
    metrics = metrics_of(found)
    if metrics.cases:
        return metrics
    report = outcome.baseline
    return Metrics(
        cases=report.ran_tests,
        success_rate=report.success_rate,
        avg_latency_ms=report.avg_response_time_ms,
        tokens_per_request=report.avg_tokens_per_request,
        cost_per_request=report.cost_per_request,
    )


def share_rows(shares: Sequence[StrategyShare]) -> list[tuple[str, ...]]:
    """A row for each strategy of each generation."""
    return [
        (str(share.generation), share.strategy, f"{share.offered:,}", f"{share.entered:,}", share.reason)
        for share in shares
    ]


def cut_line(shares: Sequence[StrategyShare]) -> str:
    """``9 of 30 candidates did not race: demonstrations 5 of 8, …`` (of those with any); empty when all did."""
    cut = [share for share in shares if share.entered < share.offered]
    if not cut:
        return ""
    left = sum(share.offered - share.entered for share in cut)
    offered = sum(share.offered for share in shares)
    named = ", ".join(
        f"{share.strategy} {share.offered - share.entered:,} of {share.offered:,} (generation {share.generation})"
        for share in cut
    )
    return f"{left:,} of {fig.plural(offered, 'candidate')} did not enter, for want of places: {named}"

"""The pages of a run and of an optimization: what stands in which section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult
from sharpen.history.models import Flakiness
from sharpen.optimizer.converter import cost_per_request
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import Decision, OptimizationOutcome, TestExecutionReport
from sharpen.optimizer.pareto import pareto_front
from sharpen.reporting import chart_data, comparison, front_tables, pattern_tables, time_tables, verdict
from sharpen.reporting import figures as fig
from sharpen.reporting.cases import CaseView, case_views
from sharpen.reporting.comparison_page import flakiness_page
from sharpen.reporting.digest import digest
from sharpen.reporting.forecast_text import OURS
from sharpen.reporting.page import made_by, moment, page
from sharpen.reporting.prompt_diff import diff_prompts
from sharpen.reporting.time_breakdown import TimeBreakdown


def render_run_html(
    result: RunExecutionResult,
    report: TestExecutionReport | None,
    decision: Decision | None,
    cases: Collection[Case],
    *,
    title: str | None = None,
    patterns: ErrorPatterns | None = None,
    flakiness: Flakiness | None = None,
) -> str:
    """The page of a single run. Of a large one it shows failing cases and a sample of the others: see ``digest``.

    ``patterns``: its failures in groups. ``flakiness``: how steady its cases are.
    """
    found = digest(result, cases)
    statistics = result.statistics
    cost_each = cost_per_request(result)
    seconds = (result.finished_at - result.started_at).total_seconds()
    facts = [
        ("Passed", fig.percent(comparison.rate_of_ran(statistics)), comparison.passed_of(statistics)),
        ("Latency, mean", fig.milliseconds(_mean_ms(result)), _p95(report)),
        ("Tokens per request", fig.count(_per_request(result)), f"{statistics.total_tokens:,} in all"),
        ("Cost", fig.usd(statistics.total_cost), _each(cost_each)),
        (
            "Took",
            fig.duration(seconds) if seconds else fig.NOTHING,
            _retries(statistics.total_retries, statistics.cached_tasks),
        ),
    ]
    if statistics.judge.calls:
        facts.append(("Judge", fig.usd(statistics.judge.cost), fig.plural(statistics.judge.calls, "call")))
    return page(
        "run.html.j2",
        title=title or f"{result.workflow_id}: run {result.run_id}",
        workflow=result.workflow_id,
        kind="test run",
        verdict=verdict.of_run(result, report, decision),
        facts=facts,
        decision=decision,
        charts=chart_data.of_run(found.figures, complete=statistics.completed_tasks == statistics.total_tasks),
        patterns=pattern_tables.page_of(patterns),
        flakiness=[flakiness_page(flakiness)] if flakiness else [],
        time=_time(found.time),
        omitted=(found.note, found.command),
        sections=[
            *([("patterns", "Failures")] if patterns else []),
            *([("decision", "Decision")] if decision else []),
            ("charts", "Measurements"),
            *([("flakiness", "Flakiness")] if flakiness else []),
            ("time", "Time"),
            ("cases", "Cases"),
        ],
        footer=[("Run", result.run_id), ("Started", moment(result.started_at)), *made_by()],
        **_case_filters(found.rows, compared=False),
    )


def render_optimization_html(outcome: OptimizationOutcome, cases: Sequence[Case], *, title: str | None = None) -> str:
    """The page of a whole optimization: the verdict, its evidence, the prompt's diff and every case."""
    split_of = {case_id: name for name, ids in outcome.split.items() for case_id in ids}
    rows = case_views(cases, outcome.baseline_run, outcome.holdout_run, split_of)
    proof, result = outcome.verification, outcome.result
    level = f"{(1 - proof.alpha) * 100:g}%" if proof else ""
    effect = chart_data.effect(proof, level) if proof else None
    sections = [
        ("comparison", "Evidence", proof),
        ("prompt", "Prompt", result),
        ("patterns", "Failures", outcome.patterns),
        ("candidates", "Candidates", outcome.candidates),
        ("decision", "Decision", True),
        ("charts", "Measurements", True),
        ("cases", "Cases", True),
    ]
    return page(
        "optimization.html.j2",
        title=title or f"{outcome.workflow_id}: optimization {outcome.run_id}",
        workflow=outcome.workflow_id,
        kind="prompt optimization",
        outcome=outcome,
        verdict=verdict.of_optimization(outcome),
        effect=effect,
        effect_title=f"Difference in points, {level} interval",
        facts=_outcome_facts(outcome),
        comparison=comparison.metric_rows(proof.baseline, proof.candidate) if proof else [],
        diffs=diff_prompts(result.original_prompt, result.optimized_prompt) if result else [],
        prompt_note=_prompt_note(outcome),
        patterns=pattern_tables.page_of(outcome.patterns),
        candidates=[item for item in comparison.ranked(outcome.candidates) if item.dev],
        on_front={item.id for item in pareto_front(outcome.candidates)},
        fronts=chart_data.fronts(outcome),
        front_table=front_tables.front_table(outcome),
        front_means=front_tables.FRONT_MEANS,
        shares=(front_tables.SHARE_COLUMNS, front_tables.share_rows(outcome.shares)),
        unmeasured=[item for item in outcome.candidates if not item.dev],
        charts=chart_data.of_optimization(outcome),
        key=("Baseline", "Candidate") if outcome.holdout_run else None,
        sections=[(anchor, name) for anchor, name, there in sections if there],
        splits=[(name, len(ids)) for name, ids in outcome.split.items()],
        footer=[("Run", outcome.run_id), ("Started", moment(outcome.started_at)), *made_by()],
        **_case_filters(rows, compared=outcome.holdout_run is not None),
    )


def _time(found: TimeBreakdown) -> dict[str, Any]:
    """Where the time went: a sentence, and tables as (columns, rows)."""
    tables = [
        (time_tables.TIME_COLUMNS, time_tables.time_rows(found)),
        (time_tables.ERROR_COLUMNS, time_tables.error_rows(found)),
    ]
    return {"summary": time_tables.summary(found), "tables": [(columns, rows) for columns, rows in tables if rows]}


def _outcome_facts(outcome: OptimizationOutcome) -> list[tuple[str, str, str]]:
    baseline, proof = outcome.baseline, outcome.verification
    facts = [
        ("Baseline", *verdict.rate_of(baseline)),
    ]
    if proof:
        facts.append(("Fixed", f"{proof.fixed:,}", "failed before, pass now"))
        facts.append(("Broken", f"{proof.broken:,}", "passed before, fail now"))
    seconds = (outcome.finished_at - outcome.started_at).total_seconds()
    facts += [
        ("Calls", fig.count(outcome.calls), f"{fig.compact(outcome.tokens)} tokens"),
        ("Cost", fig.usd(outcome.cost), "the price is unknown" if outcome.cost is None else ""),
        ("Took", fig.duration(seconds), "" if outcome.engine == OURS else f"engine {outcome.engine}"),
    ]
    return facts


def _prompt_note(outcome: OptimizationOutcome) -> str:
    if outcome.result is None:
        return ""
    name = (
        f"version {outcome.version}" if outcome.version else f"draft {outcome.draft}" if outcome.draft else "candidate"
    )
    return f"baseline → {name}, by {outcome.result.strategy}"


def _case_filters(rows: Sequence[CaseView], *, compared: bool) -> dict[str, Any]:
    states, changes = Counter(row.state for row in rows), Counter(row.change for row in rows)
    filters = [
        ("all", "All", len(rows)),
        ("passed", "Passed", states["passed"]),
        ("failed", "Failed", states["failed"]),
    ]
    if states["skipped"]:
        filters.append(("skipped", "Not run", states["skipped"]))
    if compared:
        filters += [("fixed", "Fixed", changes["fixed"]), ("broken", "Broken", changes["broken"])]
    kinds = Counter(kind for row in rows for kind in row.kinds)
    return {"rows": rows, "filters": filters, "kinds": kinds.most_common()}


def _mean_ms(result: RunExecutionResult) -> float | None:
    statistics = result.statistics
    return statistics.avg_execution_time * 1000 if statistics.completed_tasks else None


def _p95(report: TestExecutionReport | None) -> str:
    return f"p95 {fig.milliseconds(report.p95_response_time_ms)}" if report and report.p95_response_time_ms else ""


def _per_request(result: RunExecutionResult) -> float | None:
    done = result.statistics.completed_tasks
    return round(result.statistics.total_tokens / done, 1) if done else None


def _each(cost: float | None) -> str:
    """The price of a request beside what was spent: answers from the cache make the two differ."""
    return "the price is unknown" if cost is None else f"{fig.usd(cost)} per request"


def _retries(retries: int, cached: int) -> str:
    parts = [
        f"{retries:,} {'retry' if retries == 1 else 'retries'}" if retries else "",
        f"{cached:,} cached" if cached else "",
    ]
    return ", ".join(part for part in parts if part)

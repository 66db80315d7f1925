"""Which numbers go into which chart. Both prompts are compared on the same cases: those that the candidate ran on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from sharpen.executor.models import RunExecutionResult, TaskResult, TaskStatus
from sharpen.optimizer.models import OptimizationOutcome, Verification
from sharpen.reporting import charts
from sharpen.reporting import figures as fig
from sharpen.reporting.charts import Role

Chart = tuple[str, str, Markup]
"""Title, note and SVG."""


def of_run(result: RunExecutionResult) -> list[Chart]:
    """The charts of a single run."""
    complete = result.statistics.completed_tasks == result.statistics.total_tasks
    return _charts([("This run", "next", result.task_results)], complete=complete)


def of_optimization(outcome: OptimizationOutcome) -> list[Chart]:
    """The charts of an optimization; of its baseline alone when no candidate reached the held-out cases."""
    if outcome.holdout_run is None:
        return _charts([("Baseline", "base", outcome.baseline_run.task_results)])
    held = {task.case_id for task in outcome.holdout_run.task_results}
    before = tuple(task for task in outcome.baseline_run.task_results if task.case_id in held)
    return _charts([("Baseline", "base", before), ("Candidate", "next", outcome.holdout_run.task_results)])


def effect(proof: Verification, level: str) -> Markup:
    """The proof's difference with its interval."""
    return _safe(charts.effect(proof.effect, proof.effect_low, proof.effect_high, level))


Group = tuple[str, Role, Sequence[TaskResult]]


def _charts(groups: Sequence[Group], *, complete: bool = True) -> list[Chart]:
    ran_all = all(task.status.completed for _, _, tasks in groups for task in tasks)
    note = "95% interval" if ran_all and complete else "of the tests that ran; 95% interval"
    found = [("Pass rate", note, charts.pass_rates([_rate(*group) for group in groups]))]
    times = [
        charts.Series(name, role, [task.execution_time * 1000 for task in tasks if task.status.completed])
        for name, role, tasks in groups
    ]
    if histogram := charts.histogram("Latency", times, fig.milliseconds):
        found.append(("Latency", "share of calls", histogram))
    found += _use(groups)
    kinds = [
        Counter(task.error.kind.value for task in tasks if task.error and task.status.completed)
        for _, _, tasks in groups
    ]
    names = sorted(set().union(*kinds), key=lambda kind: (-sum(counter[kind] for counter in kinds), kind))
    if names:
        errors = [
            (
                name.replace("_", " "),
                [
                    (role, counter[name], fig.count(counter[name]))
                    for (_, role, _), counter in zip(groups, kinds, strict=True)
                ],
            )
            for name in names
        ]
        found.append(("Errors by kind", "tasks", charts.bars("Errors by kind", errors)))
    return [(title, note, _safe(svg)) for title, note, svg in found]


def _use(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    """Two prompts: what each request takes on average. A lone one: how its tokens are spread."""
    if len(groups) == 1:
        ((name, role, tasks),) = groups
        tokens = [float(task.total_tokens) for task in tasks if task.total_tokens]
        svg = charts.histogram("Tokens per request", [charts.Series(name, role, tokens)], fig.count)
        return [("Tokens per request", "share of requests", svg)] if svg else []
    means = [(role, _means(tasks)) for _, role, tasks in groups]
    rows: list[tuple[str, list[charts.Bar]]] = [
        ("Prompt tokens", [(role, mean.prompt, fig.count(round(mean.prompt, 1))) for role, mean in means]),
        ("Answer tokens", [(role, mean.completion, fig.count(round(mean.completion, 1))) for role, mean in means]),
    ]
    if any(mean.cost != 0 for _, mean in means):
        rows.append(("Cost", [(role, mean.cost or 0.0, fig.usd(mean.cost)) for role, mean in means]))
    return [("Tokens and cost", "mean per request", charts.bars("Tokens and cost", rows, shared_scale=False))]


def _rate(name: str, role: Role, tasks: Sequence[TaskResult]) -> charts.Rate:
    """Cases are the unit (repeats of one case are no independent evidence); a case counts by its pass rate."""
    by_case: dict[str, list[TaskResult]] = {}
    for task in tasks:
        if task.status.completed:
            by_case.setdefault(task.case_id, []).append(task)
    passed = sum(
        sum(task.status is TaskStatus.SUCCEEDED for task in repeats) / len(repeats) for repeats in by_case.values()
    )
    return charts.Rate(name, role, passed, len(by_case))


class _Means(NamedTuple):
    prompt: float
    completion: float
    cost: float | None


def _means(tasks: Sequence[TaskResult]) -> _Means:
    done = [task for task in tasks if task.status.completed]
    number = max(1, len(done))
    costs = [task.price for task in done]
    known = [cost for cost in costs if cost is not None]
    return _Means(
        sum(task.prompt_tokens for task in done) / number,
        sum(task.completion_tokens for task in done) / number,
        sum(known) / number if len(known) == len(costs) else None,
    )


def _safe(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - charts escape every text that they are given

"""Executor result → report, without loss (contract section 2). Pure.

What a report has no field for goes into its ``metadata`` under the name the executor gave it, so that
``to_statistics`` rebuilds every number exactly.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

from sharpen.errors import ErrorKind, NoTasksError
from sharpen.executor.models import JudgeUsage, RunExecutionResult, RunStatistics, TaskResult, TaskStatus
from sharpen.executor.result_log import figures_of
from sharpen.executor.statistics import ExactSum
from sharpen.optimizer.models import ErrorDistribution, TestExecutionReport
from sharpen.optimizer.statistics import Observations

CATEGORY_OF_KIND = {
    ErrorKind.TIMEOUT: "timeout_errors",
    ErrorKind.CONNECTION: "api_errors",
    ErrorKind.SERVER: "api_errors",
    ErrorKind.AUTHENTICATION: "api_errors",
    ErrorKind.BAD_REQUEST: "api_errors",  # the call was wrong, whatever the prompt said
    ErrorKind.RATE_LIMIT: "llm_errors",
    ErrorKind.CONTENT_FILTER: "llm_errors",
    ErrorKind.CONTEXT_LENGTH: "llm_errors",
    ErrorKind.MALFORMED_COMPLETION: "llm_errors",
    ErrorKind.ASSERTION: "validation_errors",
    ErrorKind.ASSERTION_CRASH: "validation_errors",
    ErrorKind.RENDERING: "validation_errors",
}
CATEGORY_OF_STATUS = {  # for results whose error carries no kind of its own
    TaskStatus.TIMEOUT: "timeout_errors",
    TaskStatus.ERROR: "api_errors",
    TaskStatus.FAILED: "validation_errors",
}

_PERCENTS = (95, 99)


def error_category(result: TaskResult) -> str | None:
    """The one category that a task counts in; None for tasks that succeeded or never ran to an end."""
    if result.status not in CATEGORY_OF_STATUS:
        return None
    by_kind = CATEGORY_OF_KIND.get(result.error.kind) if result.error else None
    return by_kind or CATEGORY_OF_STATUS[result.status]


def to_report(result: RunExecutionResult) -> TestExecutionReport:
    """The report of a run. Raises ``NoTasksError`` when it holds no task."""
    statistics = result.statistics
    if statistics.total_tasks == 0:
        raise NoTasksError(
            f"run {result.run_id!r} of {result.workflow_id!r} holds no task, so there is no report of it"
        )
    figures = _read(result)
    p95, p99 = (figures.times.percentile(percent) for percent in _PERCENTS)
    if figures.categories is not None:
        distribution = ErrorDistribution(**figures.categories)
    else:  # statistics alone, as an older store may hold: by status is all that can be said
        distribution = ErrorDistribution(
            timeout_errors=statistics.timeout_tasks,
            api_errors=statistics.error_tasks,
            validation_errors=statistics.failed_tasks,
        )
    completed = statistics.completed_tasks
    return TestExecutionReport(
        workflow_id=result.workflow_id,
        run_id=result.run_id,
        total_tests=statistics.total_tasks,
        successful_tests=statistics.succeeded_tasks,
        failed_tests=statistics.failed_tasks + statistics.timeout_tasks + statistics.error_tasks,
        success_rate=statistics.success_rate,
        avg_response_time_ms=_ms(statistics.avg_execution_time),
        p95_response_time_ms=None if p95 is None else _ms(p95),
        p99_response_time_ms=None if p99 is None else _ms(p99),
        total_tokens=statistics.total_tokens,
        avg_tokens_per_request=statistics.total_tokens / completed if completed else 0.0,
        total_cost=statistics.total_cost,
        cost_per_request=_cost_per_request(result.statistics, figures),
        error_distribution=distribution,
        executed_at=result.finished_at,
        metadata={
            "total_retries": statistics.total_retries,
            "cancelled_tasks": statistics.cancelled_tasks,
            "failed_tasks": statistics.failed_tasks,
            "timeout_tasks": statistics.timeout_tasks,
            "error_tasks": statistics.error_tasks,
            "cached_tasks": statistics.cached_tasks,
            "avg_execution_time": statistics.avg_execution_time,
            "judge": statistics.judge.model_dump(mode="json"),
            "started_at": result.started_at.isoformat(),
            "run_status": str(result.status),
            **({"stop_reason": result.stop_reason} if result.stop_reason else {}),
        },
    )


def _ms(seconds: float) -> float:
    return min(seconds * 1000, sys.float_info.max)  # a valid time must not become infinite


@dataclass(slots=True)
class _Figures:
    """What one pass over a run's results finds; ``times`` in seconds. No ``categories``: there are no results."""

    times: Observations
    categories: Counter[str] | None
    prices: ExactSum
    unpriced: bool = False


def _read(result: RunExecutionResult) -> _Figures:
    found = _Figures(Observations(len(result.task_results), lowest=min(_PERCENTS)), None, ExactSum())
    categories: Counter[str] = Counter()
    any_result = False
    for status, time, kind, cost, saved_cost in figures_of(result.task_results):
        any_result = True
        if status is TaskStatus.SUCCEEDED or status in CATEGORY_OF_STATUS:
            found.times.add(time)
            if cost is None or saved_cost is None:
                found.unpriced = True
            elif result.statistics.cached_tasks:
                found.prices.add(cost + saved_cost)
        if status in CATEGORY_OF_STATUS:
            categories[CATEGORY_OF_KIND.get(kind) or CATEGORY_OF_STATUS[status]] += 1  # type: ignore[arg-type] # None is in no table
    if any_result:
        found.categories = categories
    return found


def cost_per_request(result: RunExecutionResult) -> float | None:
    """USD that a completed task costs on average (None: unknown), the same whether it was paid for now or before.

    With remembered answers in the run: the mean ``price`` of its completed tasks. Else ``total_cost`` by completed
    tasks, which charges what cancelled tasks used up as well.
    """
    return _cost_per_request(result.statistics, _read(result) if result.statistics.cached_tasks else None)


def _cost_per_request(statistics: RunStatistics, figures: _Figures | None) -> float | None:
    if statistics.cached_tasks and figures and figures.times:
        return None if figures.unpriced else figures.prices.value / len(figures.times)
    total, completed = statistics.total_cost, statistics.completed_tasks
    if total is None:
        return None
    return total / completed if completed else 0.0


def to_statistics(report: TestExecutionReport) -> RunStatistics:
    """The statistics that ``to_report`` was given. Raises ``KeyError`` for a report of other origin."""
    metadata = report.metadata
    return RunStatistics(
        total_tasks=report.total_tests,
        completed_tasks=report.ran_tests,
        succeeded_tasks=report.successful_tests,
        failed_tasks=metadata["failed_tasks"],
        timeout_tasks=metadata["timeout_tasks"],
        error_tasks=metadata["error_tasks"],
        cancelled_tasks=metadata["cancelled_tasks"],
        success_rate=report.success_rate,
        avg_execution_time=metadata["avg_execution_time"],
        total_tokens=report.total_tokens,
        total_cost=report.total_cost,
        total_retries=metadata["total_retries"],
        cached_tasks=metadata["cached_tasks"],
        judge=JudgeUsage.model_validate(metadata["judge"]),
    )

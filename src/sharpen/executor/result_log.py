"""A run's results, whether they are held in memory or read from where they are stored."""

from __future__ import annotations

from collections.abc import Iterable

from sharpen.executor.models import ResultLog, TaskFigures, TaskResult, TaskStatus

__all__ = ["ResultLog", "TaskFigures", "figures_of", "not_succeeded"]


def figures_of(results: Iterable[TaskResult]) -> Iterable[TaskFigures]:
    """The figures of results."""
    if isinstance(results, ResultLog):
        return results.figures()
    return (
        TaskFigures(r.status, r.execution_time, r.error.kind if r.error else None, r.cost, r.saved_cost)
        for r in results
    )


def not_succeeded(results: Iterable[TaskResult]) -> Iterable[TaskResult]:
    """The results that did not succeed."""
    if isinstance(results, ResultLog):
        return results.not_succeeded()
    return (result for result in results if result.status is not TaskStatus.SUCCEEDED)

"""Results that are read from where they are stored, as they are asked for: a run may be larger than memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sharpen.errors import ErrorKind
from sharpen.executor.models import TaskResult, TaskStatus


class TaskFigures(NamedTuple):
    """What a report needs of one result. Time in seconds; costs in USD, None when unknown."""

    status: TaskStatus
    execution_time: float
    error_kind: ErrorKind | None
    cost: float | None
    saved_cost: float | None


class ResultLog(Sequence[TaskResult]):
    """A run's results in case order, beginning anew with each iteration.

    Of a run that was stopped it holds the tasks that were begun; the rest is counted in the run's statistics alone.
    """

    @abstractmethod
    def figures(self) -> Iterator[TaskFigures]:
        """The figures of every result, several times faster than the results themselves."""

    @abstractmethod
    def not_succeeded(self) -> Iterator[TaskResult]:
        """The results that are worth a look, in case order."""


def figures_of(results: Iterable[TaskResult]) -> Iterable[TaskFigures]:
    """The figures of results, however they are held."""
    if isinstance(results, ResultLog):
        return results.figures()
    return (
        TaskFigures(r.status, r.execution_time, r.error.kind if r.error else None, r.cost, r.saved_cost)
        for r in results
    )


def not_succeeded(results: Iterable[TaskResult]) -> Iterable[TaskResult]:
    """The results that did not succeed, however they are held."""
    if isinstance(results, ResultLog):
        return results.not_succeeded()
    return (result for result in results if result.status is not TaskStatus.SUCCEEDED)

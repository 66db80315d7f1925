"""Results → ``RunStatistics`` (pure): one step for each result, whatever their order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from sharpen.executor.models import JudgeUsage, RunStatistics, TaskResult, TaskStatus


class ExactSum:
    """A running sum of floats that is rounded once, when it is read, so that no order of adding changes it.

    Shewchuk's partial sums (Discrete & Computational Geometry 18, 1997), the algorithm behind ``math.fsum``.
    """

    def __init__(self) -> None:
        self._partials: list[float] = []

    def add(self, value: float) -> None:
        kept = 0
        for partial in self._partials:
            larger, smaller = (value, partial) if abs(value) >= abs(partial) else (partial, value)
            value = larger + smaller
            error = smaller - (value - larger)
            if error:
                self._partials[kept] = error
                kept += 1
        self._partials[kept:] = [value]

    @property
    def value(self) -> float:
        return math.fsum(self._partials)


class StatisticsAccumulator:
    """Folds results into statistics as they finish. ``total_tasks`` counts those still to come, too.

    ``total_cost`` is None as soon as one cost is unknown: part of a sum is no sum. Tokens, cost and retries of
    cancelled tasks count, for they were spent; ``avg_execution_time`` is over completed tasks alone.
    """

    def __init__(self, total_tasks: int) -> None:
        self._total = total_tasks
        self._by_status: Counter[TaskStatus] = Counter()
        self._tokens = self._retries = self._cached = 0
        self._time = ExactSum()
        self._cost = ExactSum()
        self._unpriced = False
        self._judge_calls = self._judge_tokens = 0
        self._judge_cost = ExactSum()
        self._judge_unpriced = False

    def add(self, result: TaskResult) -> None:
        """Count one result."""
        self._by_status[result.status] += 1
        if result.status.completed:
            self._time.add(result.execution_time)
        self._tokens += result.total_tokens
        self._retries += result.retries
        self._cached += result.cached
        if result.cost is None:
            self._unpriced = True
        elif result.cost:
            self._cost.add(result.cost)
        if result.judge.calls:
            self._add_judge(result.judge)

    def add_uncalled(self) -> None:
        """Count every task that no result came of as cancelled: the run was stopped before it was their turn."""
        self._by_status[TaskStatus.CANCELLED] += max(0, self._total - self._by_status.total())

    @property
    def cancelled(self) -> int:
        """Tasks that were not called to an end."""
        return self._by_status[TaskStatus.CANCELLED]

    def _add_judge(self, judge: JudgeUsage) -> None:
        self._judge_calls += judge.calls
        self._judge_tokens += judge.tokens
        if judge.cost is None:
            self._judge_unpriced = True
        else:
            self._judge_cost.add(judge.cost)

    def statistics(self) -> RunStatistics:
        """The state so far. Built without validation, which its construction makes needless."""
        by = self._by_status
        succeeded, failed = by[TaskStatus.SUCCEEDED], by[TaskStatus.FAILED]
        timeout, error = by[TaskStatus.TIMEOUT], by[TaskStatus.ERROR]
        completed = succeeded + failed + timeout + error
        return RunStatistics.model_construct(
            total_tasks=self._total,
            completed_tasks=completed,
            succeeded_tasks=succeeded,
            failed_tasks=failed,
            timeout_tasks=timeout,
            error_tasks=error,
            cancelled_tasks=by[TaskStatus.CANCELLED],
            success_rate=succeeded / self._total if self._total else 0.0,
            avg_execution_time=self._time.value / completed if completed else 0.0,
            total_tokens=self._tokens,
            total_cost=None if self._unpriced else self._cost.value,
            total_retries=self._retries,
            cached_tasks=self._cached,
            judge=JudgeUsage.model_construct(
                calls=self._judge_calls,
                tokens=self._judge_tokens,
                cost=None if self._judge_unpriced else self._judge_cost.value,
            ),
        )


def summarize(results: Sequence[TaskResult], total_tasks: int | None = None) -> RunStatistics:
    """The statistics of finished results; ``total_tasks`` (default: their number) when some are missing."""
    accumulator = StatisticsAccumulator(len(results) if total_tasks is None else total_tasks)
    for result in results:
        accumulator.add(result)
    return accumulator.statistics()

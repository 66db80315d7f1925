"""Where a run's time went, and what its errors cost. Pure, in one pass: a run of a million results is never held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sharpen.executor.models import FailedAttempt, RunExecutionResult, TaskResult, TaskStatus

CONCURRENCY = "concurrency"
"""Under this name a run's metadata hold how many calls it was allowed to have under way."""


@dataclass(frozen=True, slots=True)
class TimePart:
    """Seconds that one thing took: over all tasks, for each task that was called, and as a share of all task time."""

    name: str
    total_s: float
    mean_s: float | None
    share: float | None


@dataclass(slots=True)
class ErrorCost:
    """What one kind of error took.

    ``attempts`` failed with it; they and the pauses after them took ``time_s``; ``tokens`` and ``cost`` (USD; None:
    unknown) were spent on them. ``tasks`` did not succeed in the end because of it.
    """

    kind: str
    attempts: int = 0
    time_s: float = 0.0
    tokens: int = 0
    cost: float | None = 0.0
    tasks: int = 0

    def add(self, failed: FailedAttempt) -> None:
        """Count one failed attempt."""
        self.attempts += 1
        self.time_s += failed.time + failed.wait
        self.tokens += failed.tokens
        self.cost = None if self.cost is None or failed.cost is None else self.cost + failed.cost


@dataclass(frozen=True, slots=True)
class TimeBreakdown:
    """``wall_s`` seconds passed, while ``tasks`` called tasks took ``task_s`` between them, which ``parts`` add up to.

    Remembered answers took no time and are not among the tasks. ``concurrency`` is the mean number of calls under way
    (the time of all attempts / wall time; Little's law, J. Little, Operations Research 9, 1961); None when the wall
    time is not that of all results, as in a run that was resumed. ``allowed``: None when it is not known. ``errors``:
    the costliest kind first.
    """

    wall_s: float
    tasks: int
    task_s: float
    parts: tuple[TimePart, ...]
    concurrency: float | None
    allowed: int | None
    errors: tuple[ErrorCost, ...] = field(default=())


class TimeAccumulator:
    """Folds results into a breakdown as they come, in any order."""

    def __init__(self) -> None:
        self._tasks = 0
        self._queue = self._limit = self._back_off = self._failed = self._server = 0.0
        self._errors: dict[str, ErrorCost] = {}

    def add(self, result: TaskResult) -> None:
        """Count one result. A few µs, for runs of a million."""
        if result.error is not None and result.status is not TaskStatus.CANCELLED:
            self._cost_of(result.error.kind).tasks += 1
        if result.cached or not (result.attempts or result.wait_time):
            return
        self._tasks += 1
        self._queue += result.queue_time
        self._limit += result.limit_time
        self._back_off += max(0.0, result.wait_time - result.queue_time - result.limit_time)
        for attempt in result.failed_attempts or _only_attempt(result):
            self._failed += attempt.time
            self._cost_of(attempt.kind).add(attempt)
        if result.output is not None:  # the last attempt was answered; else it is among the failed ones
            self._server += result.execution_time

    def _cost_of(self, kind: str) -> ErrorCost:
        found = self._errors.get(kind)
        if found is None:
            found = self._errors[kind] = ErrorCost(str(kind))
        return found

    def breakdown(self, wall_s: float, allowed: int | None = None) -> TimeBreakdown:
        """All that was added, in a run that took ``wall_s`` seconds and was ``allowed`` so many calls at a time."""
        sums = {
            "queue": self._queue,
            "rate limit": self._limit,
            "back-off": self._back_off,
            "failed attempts": self._failed,
            "server": self._server,
        }
        task_s = sum(sums.values())
        achieved = (self._failed + self._server) / wall_s if wall_s > 0 else None
        if achieved is not None and allowed is not None and achieved > allowed * 1.05:
            achieved = None  # more than was possible: the wall time is not that of all these results
        return TimeBreakdown(
            wall_s=wall_s,
            tasks=self._tasks,
            task_s=task_s,
            parts=tuple(
                TimePart(name, total, total / self._tasks if self._tasks else None, total / task_s if task_s else None)
                for name, total in sums.items()
            ),
            concurrency=achieved,
            allowed=allowed,
            errors=tuple(sorted(self._errors.values(), key=lambda cost: (-cost.time_s, -cost.tasks, cost.kind))),
        )


def break_down(results: Iterable[TaskResult], wall_s: float, allowed: int | None = None) -> TimeBreakdown:
    """The breakdown of results that are read once."""
    accumulator = TimeAccumulator()
    for result in results:
        accumulator.add(result)
    return accumulator.breakdown(wall_s, allowed)


def of_run(result: RunExecutionResult) -> TimeBreakdown:
    """The breakdown of a run."""
    accumulator = TimeAccumulator()
    for task in result.task_results:
        accumulator.add(task)
    return of_times(result, accumulator)


def of_times(result: RunExecutionResult, times: TimeAccumulator) -> TimeBreakdown:
    """The breakdown of a run whose results have been added to ``times``."""
    allowed = result.metadata.get(CONCURRENCY)
    wall_s = (result.finished_at - result.started_at).total_seconds()
    return times.breakdown(wall_s, allowed if isinstance(allowed, int) else None)


def _only_attempt(result: TaskResult) -> tuple[FailedAttempt, ...]:
    """The failed attempt of a result from before failed attempts were noted one by one; its waits are not known."""
    if result.attempts == 0 or result.output is not None or result.error is None:
        return ()
    return (
        FailedAttempt(
            kind=result.error.kind,
            http_status=result.error.http_status,
            time=result.execution_time,
            tokens=result.total_tokens,
            cost=result.cost,
        ),
    )

"""The running figures of what is being executed, cheap enough for thousands of results a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sharpen.executor.models import RunStatistics, TaskResult, TaskStatus
from sharpen.reporting import figures as fig

_BASE, _SHORTEST = math.log(1.05), 1e-4


class LatencySketch:
    """Percentiles in constant memory: counts in buckets 5 % wide, from 0.1 ms to some hours.

    A percentile is the nearest rank's bucket, told by its geometric middle: off by 2.5 % at most. For the live display
    only; reports use the exact values.
    """

    def __init__(self) -> None:
        self._buckets = [0] * 400
        self._count = 0

    def add(self, seconds: float) -> None:
        index = int(math.log(max(seconds, _SHORTEST) / _SHORTEST) / _BASE)
        self._buckets[min(index, len(self._buckets) - 1)] += 1
        self._count += 1

    def percentile(self, share: float) -> float | None:
        """Seconds; None when nothing was added."""
        rank, seen = math.ceil(self._count * share), 0
        for index, number in enumerate(self._buckets):
            seen += number
            if number and seen >= rank:
                return _SHORTEST * math.exp((index + 0.5) * _BASE)
        return None


class Tally:
    """What has happened since ``start``. ``here`` counts what this process did, ``done`` what the run has in all.

    Cancelled tasks are not done: they are counted apart, as ``not_run``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self.total = self.done = self.here = self.passed = self.not_run = 0
        self.calls = self.tokens = self.retries = 0
        self.cost: float | None = 0.0
        self.latency = LatencySketch()

    def add(self, result: TaskResult) -> None:
        """Count one result."""
        self.calls += result.attempts
        self.tokens += result.total_tokens
        self.cost = None if self.cost is None or result.cost is None else self.cost + result.cost
        if not result.status.completed:
            self.not_run += 1
        else:
            self.here += 1
            self.done += 1
            self.passed += result.status is TaskStatus.SUCCEEDED
            self.latency.add(result.execution_time)

    def adopt(self, statistics: RunStatistics) -> None:
        """Take over a single run's own sums: they also hold what was finished before it was resumed."""
        self.done, self.passed = statistics.completed_tasks, statistics.succeeded_tasks
        self.tokens, self.cost = statistics.total_tokens, statistics.total_cost

    @property
    def elapsed(self) -> float:
        return max(1e-9, self._clock() - self.started)

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before there is any, and when what is left will not be run."""
        return (self.total - self.done) * self.elapsed / self.here if self.here and not self.not_run else None

    def parts(self) -> list[str]:
        """The figures in words, the most wanted first; whoever has too little room drops the last ones."""
        if not self.done and not self.not_run:
            return ["waiting for the first answer"]
        left = self.seconds_left
        p95 = self.latency.percentile(0.95)
        parts = [f"{fig.percent(self.passed / self.done)} passed"] if self.done else ["none completed"]
        if self.not_run:
            parts.append(f"{fig.compact(self.not_run)} not run")
        parts.append(f"{fig.compact(round(self.calls / self.elapsed, 1))} calls/s")
        if p95 is not None:
            parts.append(f"p95 {fig.milliseconds(p95 * 1000)}")
        if left is not None and self.done < self.total:
            parts.append(f"{fig.duration(left)} left")
        parts.append(f"{fig.compact(self.tokens)} tokens")
        parts.append("cost unknown" if self.cost is None else fig.usd(self.cost))
        if self.retries:
            parts.append("1 retry" if self.retries == 1 else f"{self.retries:,} retries")
        return parts

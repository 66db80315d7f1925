"""The running figures of what is being executed, cheap enough for thousands of results a second.

Counting happens on the event loop and does nothing but add; rates and percentiles are worked out by whoever draws,
a few times a second and maybe on another thread.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sharpen.executor.models import RunStatistics, TaskResult, TaskStatus

_BASE, _SHORTEST = math.log(1.05), 1e-4
_BUCKETS = 400
RECENT_S = 30.0
"""How far back the speed of now is measured, in seconds: long enough to even out, short enough to notice a change."""
KNOWN_TESTS, KNOWN_S = 10, 2.0
"""After so many tests, or after the first one when so many seconds have passed, the speed is worth a forecast."""


class LatencySketch:
    """Percentiles in constant memory: counts in buckets 5 % wide, from 0.1 ms to some hours.

    A percentile is the nearest rank's bucket, told by its geometric middle: off by 2.5 % at most. For the live display
    only; reports use the exact values.
    """

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS

    def add(self, seconds: float) -> None:
        index = int(math.log(seconds / _SHORTEST) / _BASE) if seconds > _SHORTEST else 0
        self._buckets[index if index < _BUCKETS else -1] += 1

    def percentile(self, share: float) -> float | None:
        """Seconds; None when nothing was added."""
        buckets = self._buckets.copy()
        rank, seen = math.ceil(sum(buckets) * share), 0
        for index, number in enumerate(buckets):
            seen += number
            if number and seen >= rank:
                return _SHORTEST * math.exp((index + 0.5) * _BASE)
        return None


@dataclass(frozen=True, slots=True)
class Speed:
    """Tests finished and calls made each second."""

    tests_per_s: float
    calls_per_s: float


class Tally:
    """What has happened since the start. ``here`` counts what this process did, ``done`` what the run has in all.

    Cancelled tasks are not done: they are counted apart, as ``not_run``. ``retries`` are by the kind of error that
    made them necessary.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self.total = self.here = self.not_run = 0
        self.calls = 0
        self.retries: dict[str, int] = {}
        self.latency = LatencySketch()
        self._passed = self._tokens = 0
        self._cost: float | None = 0.0
        self._adopted: RunStatistics | None = None
        self._samples = deque([(self.started, 0, 0)])

    def add(self, result: TaskResult, statistics: RunStatistics | None = None) -> None:
        """Count one result. ``statistics``: those of its run, when it is the only one.

        They also hold what was finished before the run was resumed.
        """
        self.calls += result.attempts
        self._adopted = statistics
        status = result.status
        if status is TaskStatus.SUCCEEDED:
            self._passed += 1
        elif status is TaskStatus.CANCELLED:
            self.not_run += 1
        if status is not TaskStatus.CANCELLED:
            self.here += 1
            self.latency.add(result.execution_time)
        self._tokens += result.total_tokens
        self._cost = None if self._cost is None or result.cost is None else self._cost + result.cost

    def retry(self, kind: str) -> None:
        """Count one more attempt that a failed one made necessary."""
        self.retries[kind] = self.retries.get(kind, 0) + 1

    @property
    def done(self) -> int:
        return self.here if self._adopted is None else self._adopted.completed_tasks

    @property
    def passed(self) -> int:
        return self._passed if self._adopted is None else self._adopted.succeeded_tasks

    @property
    def tokens(self) -> int:
        return self._tokens if self._adopted is None else self._adopted.total_tokens

    @property
    def cost(self) -> float | None:
        """USD; None when a price is unknown."""
        return self._cost if self._adopted is None else self._adopted.total_cost

    @property
    def elapsed(self) -> float:
        return max(1e-9, self._clock() - self.started)

    @property
    def overall(self) -> Speed:
        """The speed since the start."""
        return Speed(self.here / self.elapsed, self.calls / self.elapsed)

    def recent(self) -> Speed:
        """The speed of the last half minute. Notes where things stand for later calls: ask now and then."""
        now = self._clock()
        samples = self._samples
        if now - samples[-1][0] >= 1.0:
            samples.append((now, self.here, self.calls))
        while len(samples) > 1 and samples[1][0] <= now - RECENT_S:
            samples.popleft()
        since, here, calls = samples[0]
        passed = max(1e-9, now - since)
        return Speed((self.here - here) / passed, (self.calls - calls) / passed)

    def seconds_left(self, speed: Speed) -> float | None:
        """At that speed; None before one can be known, while nothing gets done, and when the rest will not be run."""
        known = self.here >= KNOWN_TESTS or (self.here > 0 and self.elapsed >= KNOWN_S)
        if not known or self.not_run or not speed.tests_per_s:
            return None
        return max(0, self.total - self.done) / speed.tests_per_s

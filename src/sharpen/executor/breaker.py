"""A circuit breaker: a server that is down is left alone, asked now and then, and given up in the end (pure).

M. Nygard, "Release It!", 2007: closed while calls succeed; open after a run of failures of the server's own; half-open
while a single call finds out whether it is back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sharpen.errors import ErrorKind
from sharpen.executor.abort import out_of_reach
from sharpen.executor.retry import RetryPolicy
from sharpen.targets.base import Failure

THRESHOLD = 10
"""Failures in a row that open it; when 1 % of all calls fail at random, that is one chance in 10²⁰."""

MIN_THRESHOLD = 5
"""The same where so few calls run side by side that ten in a row would take long."""

MIN_PROBES = 3
"""Before a server is given up, so many single calls must have failed, however few retries a call has."""

PATIENCE_S = 30.0
"""A server that has answered is given so long before it is given up: it may be restarting, or a laptop that slept looks
for its network."""

_TROUBLE = frozenset({ErrorKind.CONNECTION, ErrorKind.SERVER, ErrorKind.TIMEOUT})

Circuit = Literal["closed", "open", "half-open"]


def is_trouble(failure: Failure) -> bool:
    """Whether it says that the server is in trouble: worth retrying, and not for what was asked of it."""
    return failure.kind in _TROUBLE and failure.retryable


@dataclass(slots=True)
class Breaker:
    """Watches the calls of one target. Every time is a reading of one clock, in seconds.

    The pauses before the probes are those of the retry policy without jitter, so that it takes as long to give up a
    server as it takes a single call to use up its retries: three probes at least, half a minute if it ever answered.
    """

    policy: RetryPolicy
    concurrency: int = THRESHOLD
    state: Circuit = "closed"
    failures: int = 0
    probes: int = 0
    ever_answered: bool = False
    last: Failure | None = None
    _until: float = 0.0
    _opened_at: float = 0.0
    _failed_at: float = 0.0

    @property
    def threshold(self) -> int:
        return max(MIN_THRESHOLD, min(THRESHOLD, self.concurrency))

    def answered(self) -> None:
        """The server answered, in whatever way: it is alive."""
        self.state, self.failures, self.probes, self.ever_answered = "closed", 0, 0, True

    def failed(self, failure: Failure, now: float) -> bool:
        """A call begun in the present state ended in trouble. Whether the circuit has just opened (again)."""
        self.last, self._failed_at = failure, now
        self.failures += 1
        if self.state == "closed" and self.failures < self.threshold:
            return False
        self.probes += self.state == "half-open"
        if self.state == "closed":
            self._opened_at = now
        self.state = "open"
        self._until = now + max(failure.retry_after_s or 0.0, self.policy.ceiling(self.probes + 1))
        return True

    def wait(self, now: float) -> float:
        """Seconds until a call may start; 0: now; infinite: not before the probe under way has ended."""
        if self.state == "half-open":
            return math.inf
        return max(0.0, self._until - now) if self.state == "open" else 0.0

    def started(self) -> None:
        """A call starts: it is the probe when the circuit is open."""
        if self.state == "open":
            self.state = "half-open"

    def dropped(self) -> None:
        """The probe was cancelled and proves nothing: another one may start."""
        if self.state == "half-open":
            self.state = "open"

    def verdict(self, subject: str) -> str | None:
        """Why ``subject`` is given up; None while there is hope."""
        if self.state != "open" or self.last is None or self.probes < max(MIN_PROBES, self.policy.max_retries):
            return None
        if self.ever_answered and self._failed_at - self._opened_at < PATIENCE_S:
            return None
        if self.last.kind is ErrorKind.CONNECTION and not self.ever_answered:
            return out_of_reach(subject, self.last)
        return (
            f"{subject} is down: {self.failures} calls in a row came to nothing, the last {self.probes} of them one by "
            f"one with pauses between: {self.last.message}"
        )

"""When a call is late enough to be worth a second one, and how many second calls there may be (pure).

Hedged requests: J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from sharpen.config.models import HedgeConfig

MIN_OBSERVED = 20
"""No call is late before so many were answered."""

OBSERVED = 500
"""The latest answers that are looked at."""


class Hedging:
    """Watches the latencies (seconds) of one caller and counts its second calls."""

    def __init__(self, config: HedgeConfig) -> None:
        self._percentile = config.after_percentile
        self._max_extra = config.max_extra
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []
        self._calls = 0
        self.hedges = 0

    def patience(self) -> float | None:
        """Seconds after which a call that starts now is late: the nearest-rank percentile; None: not known yet."""
        self._calls += 1
        if len(self._sorted) < MIN_OBSERVED:
            return None
        return self._sorted[math.ceil(self._percentile / 100 * len(self._sorted)) - 1]

    @property
    def allowed(self) -> bool:
        """One more second call stays within the allowed share of all calls."""
        return self.hedges + 1 <= self._max_extra * self._calls

    def observe(self, latency: float) -> None:
        """A call was answered after so many seconds."""
        if len(self._latest) == OBSERVED:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(latency)
        insort(self._sorted, latency)

"""Whether to try again, and when (pure)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sharpen.targets.base import Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter.

    The wait before retry n (from 1) is uniform in [0, min(``cap_s``, ``base_s`` · 2ⁿ⁻¹)]: "full jitter" of M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. When the server names a wait (Retry-After), that wait
    is kept in full and the jitter comes on top, so that many clients do not return in the same instant. A server that
    asks for more than ``max_retry_after_s`` is not waited for: the failure stands.

    All times in seconds.
    """

    max_retries: int = 3
    base_s: float = 0.5
    cap_s: float = 30.0
    max_retry_after_s: float = 300.0

    def wait(self, failure: Failure, attempt: int, rng: random.Random, spared: int = 0) -> float | None:
        """Seconds to wait before the next attempt after failed attempt number ``attempt`` (from 1); None: give up.

        ``spared``: so many of the attempts used up no retry. With ``max_retries`` of 0 there is none to be spared.
        """
        if not failure.retryable or max(1, attempt - spared) > self.max_retries:
            return None
        asked = failure.retry_after_s or 0.0
        if asked > self.max_retry_after_s:
            return None
        return asked + rng.uniform(0.0, self.ceiling(attempt))

    def ceiling(self, attempt: int) -> float:
        """The longest wait after failed attempt number ``attempt``, in seconds, when the server names none."""
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 64))  # 2**64 is past any cap, and no overflow

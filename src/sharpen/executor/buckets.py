"""Token buckets: the limits that a plan sets itself (pure, but for the clock)."""

from __future__ import annotations

import time
from collections.abc import Callable

from sharpen.targets.base import Message

CHARS_PER_TOKEN = 4
"""Characters in one token, a common rule of thumb for English text; settled by the provider's own count afterwards."""

BURST_S = 1.0
"""A bucket holds one second's worth: providers enforce a limit per minute over shorter spans, too."""


def estimate_tokens(messages: tuple[Message, ...], max_tokens: int) -> int:
    """Tokens that a call may use: characters / 4 plus the longest answer asked for (0: not known)."""
    return sum(len(message.content) for message in messages) // CHARS_PER_TOKEN + max_tokens


class TokenBucket:
    """A token bucket: filled at ``per_minute`` / 60 each second, up to one second's worth (at least one).

    In any span of t seconds it lets through at most capacity + rate · t. An amount larger than the bucket starts when
    the bucket is full and leaves a debt that those after it wait for.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = per_minute / 60
        self.capacity = max(1.0, self.rate * BURST_S)
        self._clock = clock
        self._level = self.capacity
        self._filled_at = clock()

    def wait(self, amount: float) -> float:
        """Seconds until ``amount`` may be taken; 0: now."""
        self._fill()
        missing = min(amount, self.capacity) - self._level
        return missing / self.rate if missing > 1e-9 else 0.0  # less is what floating point leaves behind

    def take(self, amount: float) -> None:
        """Take ``amount``; a negative one gives back."""
        self._fill()
        self._level = min(self.capacity, self._level - amount)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self.capacity, self._level + (now - self._filled_at) * self.rate)
        self._filled_at = now

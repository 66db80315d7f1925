"""How many calls may be under way, and how fast they may start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sharpen.config.models import RateLimit
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Message

CHARS_PER_TOKEN = 4
"""Characters in one token, a common rule of thumb for English text; settled by the provider's own count afterwards."""

BURST_S = 1.0
"""A bucket holds one second's worth: providers enforce a limit per minute over shorter spans, too."""

RECHECK_S = 0.1
"""How soon a waiting call notices that others used fewer tokens than was estimated for them."""


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


@dataclass(frozen=True, slots=True)
class LimiterState:
    """A look at a limiter: what runs, what waits, and what holds it back.

    ``concurrency``: calls that may be under way at present, of the ``max_concurrency`` that the plan allows;
    ``rate_per_s``: calls that may start each second at present (None: not limited); ``paused_for_s``: seconds until
    calls may start again (0: now).
    """

    in_flight: int
    waiting: int
    concurrency: int
    max_concurrency: int
    rate_per_s: float | None = None
    paused_for_s: float = 0.0
    circuit: Literal["closed", "open", "half-open"] = "closed"


class Limiter:
    """The rate limits of one target, first come first served. ``slots`` bounds the attempts under way."""

    def __init__(self, limit: RateLimit, slots: asyncio.Semaphore, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = slots
        self._requests = TokenBucket(limit.requests_per_minute, clock) if limit.requests_per_minute else None
        self._tokens = TokenBucket(limit.tokens_per_minute, clock) if limit.tokens_per_minute else None
        self._turn = asyncio.Lock()
        self._most = slots._value

    def state(self) -> LimiterState:
        """How it stands just now."""
        waiting = len(self.slots._waiters or ())
        in_flight = self._most - self.slots._value
        rate = self._requests.rate if self._requests else None
        return LimiterState(in_flight, waiting, self._most, self._most, rate)

    async def admit(self, tokens: int, stop: StopSignal) -> None:
        """Wait until one more attempt with about so many tokens may start, or until the stop signal comes."""
        if self._requests is None and self._tokens is None:
            return
        async with self._turn:
            while not stop.requested and (wait := self._wait(tokens)) > 0:
                await stop.sleep(max(0.001, min(wait, RECHECK_S)))
            if self._requests and not stop.requested:
                self._requests.take(1)
            if self._tokens and not stop.requested:
                self._tokens.take(tokens)

    def settle(self, estimated: int, used: int) -> None:
        """Correct an admitted attempt's estimate by what it really used."""
        if self._tokens:
            self._tokens.take(used - estimated)

    def _wait(self, tokens: int) -> float:
        return max(
            self._requests.wait(1) if self._requests else 0.0,
            self._tokens.wait(tokens) if self._tokens else 0.0,
        )

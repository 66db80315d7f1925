"""Servers that limit, in virtual time: what they let through, and whom they refuse."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from executor_kit import now

from sharpen.config.models import RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, Target, TargetError, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of


class Rule:
    """What a server allows. ``admit`` says None, or how many seconds to wait (its truth, told or not)."""

    def admit(self, at: float) -> float | None:
        raise NotImplementedError

    def done(self) -> None:
        """A call that was admitted is over."""

    def allowed(self, seconds: float) -> float:
        """Calls that a client may make in so long, kept busy."""
        raise NotImplementedError


@dataclass
class Bucket(Rule):
    rate: float
    capacity: float
    level: float = -1.0
    filled_at: float = 0.0

    def admit(self, at: float) -> float | None:
        if self.level < 0:
            self.level = self.capacity
        self.level = min(self.capacity, self.level + (at - self.filled_at) * self.rate)
        self.filled_at = at
        if self.level >= 1 - 1e-9:
            self.level -= 1
            return None
        return (1 - self.level) / self.rate

    def allowed(self, seconds: float) -> float:
        return self.rate * seconds


@dataclass
class Sliding(Rule):
    limit: int
    window: float
    starts: deque[float] = field(default_factory=deque)

    def admit(self, at: float) -> float | None:
        while self.starts and self.starts[0] <= at - self.window:
            self.starts.popleft()
        if len(self.starts) < self.limit:
            self.starts.append(at)
            return None
        return self.starts[0] + self.window - at

    def allowed(self, seconds: float) -> float:
        return self.limit * seconds / self.window


@dataclass
class Fixed(Rule):
    limit: int
    window: float
    phase: float = 0.0
    number: int = -1
    used: int = 0

    def admit(self, at: float) -> float | None:
        number = int((at + self.phase) // self.window)
        if number != self.number:
            self.number, self.used = number, 0
        if self.used < self.limit:
            self.used += 1
            return None
        return (number + 1) * self.window - at - self.phase + 1e-6

    def allowed(self, seconds: float) -> float:
        return self.limit * seconds / self.window


@dataclass
class SideBySide(Rule):
    limit: int
    latency: float
    under_way: int = 0

    def admit(self, at: float) -> float | None:
        if self.under_way < self.limit:
            self.under_way += 1
            return None
        return 1.0

    def done(self) -> None:
        self.under_way -= 1

    def allowed(self, seconds: float) -> float:
        return self.limit * seconds / self.latency


@dataclass
class AtRandom(Rule):
    """Refuses a share of the calls, however many there are, and asks for 2 s."""

    share: float
    seed: int = 1

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def admit(self, at: float) -> float | None:
        return 1.9 if self.rng.random() < self.share else None

    def reachable(self, workers: int, latency: float, told: bool) -> float:
        """Calls a second of workers of whom only the refused one waits: as long as it is told, and the jitter."""
        wait = 0.005 + 0.25 + (2.0 if told else 0.0)
        return workers / (latency + self.share / (1 - self.share) * wait)


@dataclass
class Both(Rule):
    """What both of them allow."""

    limit: Rule
    noise: AtRandom

    def admit(self, at: float) -> float | None:
        wait = self.noise.admit(at)
        return self.limit.admit(at) if wait is None else wait


class LimitingServer(Target):
    """Answers after ``latency`` (spread by a third either way), refuses within 5 ms."""

    def __init__(self, rule: Rule, latency: float, tells: bool, whole_seconds: bool = True, seed: int = 0) -> None:
        self.rule, self.latency, self.tells, self.whole = rule, latency, tells, whole_seconds
        self.rng = random.Random(seed)
        self.log: list[tuple[float, bool]] = []

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.002)
        wait = self.rule.admit(now())
        self.log.append((now(), wait is None))
        if wait is None:
            try:
                await asyncio.sleep(self.latency * self.rng.uniform(0.67, 1.33))
            finally:
                self.rule.done()
            return TargetResponse("ok", cost=0.0)
        await asyncio.sleep(0.003)
        asked = (float(int(wait) + 1) if self.whole else wait) if self.tells else None
        raise TargetError(Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True, retry_after_s=asked))

    def classify(self, exception: BaseException) -> Failure:
        return failure_of(exception)

    def identity(self) -> dict[str, Any]:
        return {}

    @property
    def accepted(self) -> int:
        return sum(ok for _, ok in self.log)

    def episodes(self) -> list[tuple[float, int, int]]:
        """(when, calls refused, calls accepted since the episode before) of each run of refusals.

        Calls accepted on the way to the refusal of others that were sent along with them do not end an episode:
        a run ends when nothing is refused for 50 ms of accepted calls.
        """
        found: list[list[float]] = []
        accepted, last = 0, -1.0
        for at, ok in self.log:
            if ok:
                accepted += 1
            elif found and at - last <= 0.05:
                found[-1][1] += 1
                last, accepted = at, 0
            else:
                found.append([at, 1, accepted])
                last, accepted = at, 0
        return [(at, int(refused), int(before)) for at, refused, before in found]


REQUEST = TargetRequest((Message("user", "x"),))


async def keep_busy(
    server: LimitingServer, seconds: float, workers: int = 64, limiter: Limiter | None = None
) -> tuple[Limiter, int]:
    """So many workers that call as fast as they may. The limiter, and how many calls failed for good."""
    limiter = limiter or Limiter(RateLimit(), workers, now)
    failed = 0

    async def work(seed: int) -> None:
        nonlocal failed
        caller = Caller(
            target=server, limiter=limiter, stop=StopSignal(), clock=now, rng=random.Random(seed), policy=RetryPolicy()
        )
        while True:
            outcome = await caller.call(REQUEST)
            failed += outcome.response is None

    tasks = [asyncio.create_task(work(seed)) for seed in range(workers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return limiter, failed

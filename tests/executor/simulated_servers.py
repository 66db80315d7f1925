"""Servers that limit, in virtual time: what they let through, and whom they refuse."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from executor_kit import now, run_virtual

from sharpen.config.models import RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, Target, TargetError, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of

ARRIVES_S, REFUSES_S = 0.002, 0.003
"""A call takes so long to the server, and a refusal so long from there."""


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
class Outage(Rule):
    """Refuses every call from one moment to another."""

    begins: float
    ends: float

    def admit(self, at: float) -> float | None:
        return self.ends - at if self.begins <= at < self.ends else None


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
    """Answers after ``latency`` (spread by a third either way), refuses within 5 ms: by 429, or ``busy`` by 503 without
    Retry-After. ``always_tells``: seconds, whatever the truth is."""

    def __init__(
        self,
        rule: Rule,
        latency: float,
        tells: bool,
        whole_seconds: bool = True,
        seed: int = 0,
        busy: bool = False,
        always_tells: float | None = None,
    ) -> None:
        self.rule, self.latency, self.tells, self.whole = rule, latency, tells, whole_seconds
        self.busy, self.always_tells = busy, always_tells
        self.rng = random.Random(seed)
        self.log: list[tuple[float, bool]] = []

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(ARRIVES_S)
        wait = self.rule.admit(now())
        self.log.append((now(), wait is None))
        if wait is None:
            try:
                await asyncio.sleep(self.latency * self.rng.uniform(0.67, 1.33))
            finally:
                self.rule.done()
            return TargetResponse("ok", cost=0.0)
        await asyncio.sleep(REFUSES_S)
        if self.busy:
            raise TargetError(Failure(ErrorKind.SERVER, "busy", 503, retryable=True))
        asked = (float(int(wait) + 1) if self.whole else wait) if self.tells else self.always_tells
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

    def repeats(self, after: float = 0.0) -> int:
        """Refused calls that were started when a refusal was known, and nothing was accepted since then."""
        known, accepted, found = math.inf, True, 0
        for at, ok in self.log:
            if at - ARRIVES_S < known < math.inf:  # it was under way when the refusal came: the same episode
                continue
            if ok:
                accepted = True
                continue
            found += not accepted and at > after
            known, accepted = at + REFUSES_S, False
        return found


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


LEARNING_S = 180.0
"""What is repeated later than three minutes after the beginning, or in the last half, was not learned."""


@dataclass(frozen=True)
class Run:
    """What came of a scenario. ``share``: of what the server would have allowed; ``late_repeats``: after learning."""

    scenario: Scenario
    share: float
    episodes: int
    refused: int
    repeats: int
    late_repeats: int
    failed: int


@dataclass(frozen=True)
class Scenario:
    """A server, drawn at random. ``rate``: calls a second that it allows; ``size``: of the bucket, or of the window in
    seconds."""

    kind: str
    rate: float
    size: float
    latency: float
    workers: int
    tells: bool
    seed: int

    @classmethod
    def drawn(cls, seed: int) -> Scenario:
        """Limits on the rate of 1 to 200 calls a second, log-uniform, or as many side by side as make that rate."""
        rng = random.Random(seed)
        kind = rng.choice(("bucket", "bucket without burst", "sliding", "fixed", "side by side"))
        rate = math.exp(rng.uniform(0, math.log(200)))
        latency = math.exp(rng.uniform(math.log(0.05), math.log(3)))
        workers = round(math.exp(rng.uniform(math.log(8), math.log(128))))
        rate = max(1.0, min(rate, 0.6 * workers / latency))
        size = 1.0
        if kind == "bucket":
            size = float(max(2, round(rate * math.exp(rng.uniform(math.log(0.1), math.log(60))))))
        elif kind in ("sliding", "fixed"):
            size = rng.choice((1.0, 1.0, 10.0, 60.0, 60.0))
        elif kind == "side by side":
            size = float(max(1, min(round(rate * latency), workers - 1)))
            rate = size / latency
        return cls(kind, rate, size, latency, workers, rng.random() < 0.5, seed)

    @property
    def rule(self) -> Rule:
        """The server's limit."""
        if self.kind == "sliding":
            return Sliding(max(1, round(self.rate * self.size)), self.size)
        if self.kind == "fixed":
            phase = random.Random(self.seed).uniform(0, self.size)
            return Fixed(max(1, round(self.rate * self.size)), self.size, phase)
        if self.kind == "side by side":
            return SideBySide(int(self.size), self.latency)
        return Bucket(self.rate, self.size)

    @property
    def seconds(self) -> float:
        """Long enough for 1,000 calls, a minute, and ten windows or buckets."""
        span = self.size if self.kind in ("sliding", "fixed") else self.size / self.rate if "bucket" in self.kind else 0
        return max(60.0, 1000 / self.rate, 10 * span)

    def run(self) -> Run:
        """Keep the server busy, in virtual time."""
        rule, seconds = self.rule, self.seconds
        server = LimitingServer(rule, self.latency, self.tells, seed=self.seed)
        _, failed = run_virtual(keep_busy(server, seconds, self.workers))
        allowed = min(rule.allowed(seconds), self.workers / self.latency * seconds)
        return Run(
            scenario=self,
            share=server.accepted / allowed,
            episodes=len(server.episodes()),
            refused=len(server.log) - server.accepted,
            repeats=server.repeats(),
            late_repeats=server.repeats(after=min(LEARNING_S, seconds / 2)),
            failed=failed,
        )

"""Settings that somebody would try a limit with, in simulated time: usual limits, every way to say when to come back.

Unlike the scenarios of the tests, runs are short (10, 30 or 60 s), and calls and refusals are on their way for up to a
millisecond longer than usual, each by chance: of a server without burst that allows 100 calls a second, even pacing can
get no more than 1 / (10 ms + 1 ms), which is 91 %.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "executor"))

from executor_kit import now, run_virtual
from simulated_servers import ARRIVES_S, REFUSES_S, Bucket, Fixed, LimitingServer, Rule, Sliding, keep_busy

from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, RateHints, TargetError, TargetRequest, TargetResponse

JITTER_S = 0.001
KINDS = ("bucket 1", "bucket 5", "bucket 1s", "fixed 1s", "fixed 5s", "sliding 1s", "sliding 5s")
"""Of a bucket: how many calls it holds, or as many as come in a second; else the length of the window."""

TELLS = ("silent", "seconds", "date", "exact", "headers")
STEADY_S = 10.0


@dataclass(frozen=True)
class Setting:
    """``rate``: calls a second that are allowed; ``tells``: how a refusal says when to come back."""

    kind: str
    rate: int
    latency: float
    workers: int
    tells: str
    seconds: int
    seed: int

    @classmethod
    def drawn(cls, seed: int) -> Setting:
        """One at random, with workers enough to exceed the limit by half."""
        rng = random.Random(seed * 7919 + 13)
        kind, tells = rng.choice(KINDS), rng.choice(TELLS)
        while True:
            rate = rng.choice((5, 10, 20, 50, 100, 200))
            latency = rng.choice((0.01, 0.05, 0.1, 0.5, 2.0))
            workers = rng.choice((8, 16, 32, 64, 128, 256))
            if workers / latency >= 1.5 * rate:
                return cls(kind, rate, latency, workers, tells, rng.choice((10, 30, 60)), seed)

    @property
    def limit(self) -> int:
        """Calls in the window, or in the full bucket."""
        kind, _, size = self.kind.partition(" ")
        if kind == "bucket":
            return self.rate if size == "1s" else int(size)
        return self.rate * int(size[:-1])

    def rule(self) -> Rule:
        kind, _, size = self.kind.partition(" ")
        if kind == "bucket":
            return Bucket(self.rate, self.limit)
        window = float(size[:-1])
        if kind == "sliding":
            return Sliding(self.limit, window)
        return Fixed(self.limit, window, random.Random(self.seed).uniform(0, window))

    def run(self) -> Outcome:
        server = SayingServer(self)
        run_virtual(keep_busy(server, self.seconds, self.workers))
        start = min(STEADY_S, self.seconds / 2)
        steady = sum(ok and at > start for at, ok in server.log) / (self.rate * (self.seconds - start))
        share = server.accepted / (self.rate * self.seconds)
        return Outcome(self, share, steady, server.repeats(), server.repeats(after=start))


@dataclass(frozen=True)
class Outcome:
    """``steady``: the share after ten seconds, or in the second half of a shorter run."""

    setting: Setting
    share: float
    steady: float
    repeats: int
    late_repeats: int


class SayingServer(LimitingServer):
    """Says when to come back in the setting's way."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.rule(), setting.latency, setting.tells != "silent", seed=setting.seed)
        self._setting = setting
        self._second = self.rng.random()  # of its clock, when the run begins

    async def invoke(self, request: TargetRequest) -> TargetResponse:  # noqa: ARG002 - as every target
        await asyncio.sleep(ARRIVES_S + self.rng.uniform(0, JITTER_S))
        at = now()
        wait = self.rule.admit(at)
        self.log.append((at, wait is None))
        hints = self._hints(at) if self._setting.tells == "headers" else None
        if wait is None:
            await asyncio.sleep(self.latency * self.rng.uniform(0.67, 1.33))
            return TargetResponse("ok", cost=0.0, hints=hints)
        await asyncio.sleep(REFUSES_S + self.rng.uniform(0, JITTER_S))
        asked = self._asked(at, wait, hints)
        failure = Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True, retry_after_s=asked, hints=hints)
        raise TargetError(failure)

    def _asked(self, at: float, wait: float, hints: RateHints | None) -> float | None:
        match self._setting.tells:
            case "seconds":
                return math.ceil(wait)
            case "date":
                return math.ceil(at + self._second + wait) - (now() + self._second)
            case "exact":
                return wait
            case "headers" if hints:
                return hints.reset_requests_s
        return None

    def _hints(self, at: float) -> RateHints:
        rule, limit = self.rule, self._setting.limit
        if isinstance(rule, Bucket):
            remaining, reset = math.floor(rule.level + 1e-9), (rule.capacity - rule.level) / rule.rate
        elif isinstance(rule, Fixed):
            remaining, reset = rule.limit - rule.used, (rule.number + 1) * rule.window - at - rule.phase
        else:
            assert isinstance(rule, Sliding)
            remaining, reset = rule.limit - len(rule.starts), rule.starts[0] + rule.window - at if rule.starts else 0.0
        return RateHints(limit_requests=limit, remaining_requests=remaining, reset_requests_s=max(0.0, reset))

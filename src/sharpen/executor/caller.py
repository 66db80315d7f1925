"""One call with everything around it: cache, limits, budget, deadline, retries. The only loop that retries."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.budget import BudgetMeter, Meter
from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.limits import Limiter, estimate_tokens
from sharpen.executor.models import RunStatus
from sharpen.executor.ports import CachedResponse, ResponseCache, RunObserver
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse, Usage


@dataclass(slots=True)
class CallOutcome:
    """What one call came to: a response or a failure. Times in seconds, cost in USD (None: unknown).

    ``execution_time`` is the last attempt's; ``wait_time`` what slots, rate limits and back-off added. Tokens and cost
    include what failed attempts used up; ``saved_cost`` is what a remembered answer cost when it was paid for.
    ``stopped``: not called to an end, because the run was stopped.
    """

    response: TargetResponse | None = None
    failure: Failure | None = None
    attempts: int = 0
    execution_time: float = 0.0
    wait_time: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    saved_cost: float | None = 0.0
    cached: bool = False
    stopped: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def spend(self, usage: Usage, cost: float | None) -> None:
        """Add what one attempt used; an unknown price makes the sum unknown."""
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cost = None if cost is None or self.cost is None else self.cost + cost


@dataclass(slots=True, kw_only=True)
class Caller:
    """Calls one target. Light: each run makes its own, the target, the limits and the budget behind it are shared.

    ``timeout_s`` bounds one attempt; ``max_tokens`` is the longest answer asked for (0: unknown), for the token limit.
    ``cache`` and ``keys`` are given together or not at all.
    """

    target: Target
    limiter: Limiter
    stop: StopSignal
    meter: Meter = field(default_factory=BudgetMeter)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 60.0
    max_tokens: int = 0
    cache: ResponseCache | None = None
    keys: CacheKeys | None = None
    abort: AbortPolicy | None = None
    observer: RunObserver | None = None
    rng: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic

    async def call(self, request: TargetRequest) -> CallOutcome:
        """Answer from the cache or by attempts, as many as the retry policy, the budget and the stop signal allow.

        Failures are values; nothing is raised but what the target's ``BaseException``s are (cancellation, interrupt).
        """
        key = self.keys.key(request) if self.keys else None
        if key and (hit := await self._remembered(key)):
            return hit
        outcome = CallOutcome()
        while True:
            failure = await self._attempt(request, outcome)
            if failure is None:
                outcome.failure = None
                if self.abort:
                    self.abort.success()
                if key:
                    await self._remember(key, outcome)
                return outcome
            outcome.failure = failure
            if outcome.stopped:
                return outcome
            wait = self.policy.wait(failure, outcome.attempts, self.rng)
            if self.abort and (reason := self.abort.failure(failure, final=wait is None)):
                self.stop.stop(RunStatus.ABORTED, reason)
            if self.observer:
                self.observer.attempt_failed(request.case_id, failure.kind, None if self.stop.requested else wait)
            if wait is None:
                return outcome
            slept_at = self.clock()
            await self.stop.sleep(wait)
            outcome.wait_time += self.clock() - slept_at

    async def _attempt(self, request: TargetRequest, outcome: CallOutcome) -> Failure | None:
        """Make one attempt if one may be made. Its failure, or None with ``outcome.response`` set."""
        estimate = estimate_tokens(request.messages, self.max_tokens)
        queued_at = self.clock()
        async with self.limiter.slots:
            await self.limiter.admit(estimate, self.stop)
            outcome.wait_time += self.clock() - queued_at
            if self.stop.requested:
                return self._stopped(outcome)
            try:
                self.meter.reserve()
            except BudgetExhausted as error:
                self.stop.stop(RunStatus.BUDGET_EXHAUSTED, str(error))
                return self._stopped(outcome)
            return await self._invoke(request, outcome, estimate)

    async def _invoke(self, request: TargetRequest, outcome: CallOutcome, estimate: int) -> Failure | None:
        outcome.attempts += 1
        usage = Usage()
        cost: float | None = 0.0  # what an attempt that is cancelled half way is known to have cost
        started_at = self.clock()
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self.target.invoke(request)
            if flaw := _flaw(response):
                return Failure(ErrorKind.MALFORMED_COMPLETION, flaw)
            usage, cost = response.usage, response.cost
            outcome.response = response
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Failure(ErrorKind.SERVER, "the target cancelled the call by itself", retryable=True)
        except Exception as error:  # noqa: BLE001 - a target raises whatever it likes, its classify says what it was
            failure = self._classify(error)
            usage, cost = failure.usage, failure.cost
            return failure
        finally:
            outcome.execution_time = self.clock() - started_at
            outcome.spend(usage, cost)
            self.meter.settle(usage.total_tokens, cost)
            self.limiter.settle(estimate, usage.total_tokens)

    def _classify(self, error: Exception) -> Failure:
        try:
            return self.target.classify(error)
        except Exception as broken:  # noqa: BLE001 - a broken classify costs this call, not the run
            message = f"{type(error).__name__}: {error} (and the target's classify raised {broken!r})"
            return Failure(ErrorKind.SERVER, message)

    def _stopped(self, outcome: CallOutcome) -> Failure:
        outcome.stopped = True
        last = f"; last failure: {outcome.failure.message}" if outcome.failure else ""
        return Failure(self.stop.kind, f"not called: {self.stop.reason}{last}")

    async def _remembered(self, key: str) -> CallOutcome | None:
        try:
            hit = await self.cache.get(key) if self.cache else None
        except Exception:  # noqa: BLE001 - the cache is a convenience: what it cannot find is called
            return None
        if hit is None:
            return None
        usage = hit.response.usage
        return CallOutcome(
            response=hit.response,
            execution_time=hit.execution_time,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            saved_cost=hit.response.cost,
            cached=True,
        )

    async def _remember(self, key: str, outcome: CallOutcome) -> None:
        if self.cache and outcome.response:
            with contextlib.suppress(Exception):  # an answer that cannot be remembered is still an answer
                await self.cache.put(key, CachedResponse(outcome.response, outcome.execution_time))


def _flaw(response: Any) -> str | None:
    """What makes an answer unusable, for a target of the user's own may return anything."""
    if not isinstance(response, TargetResponse):
        return f"the target returned a {type(response).__name__}, must be a TargetResponse"
    output: Any = response.output
    usage, cost = response.usage, response.cost
    if not isinstance(output, str):
        return f"the target returned the output {str(output)[:200]!r}, must be text"
    if usage.prompt_tokens < 0 or usage.completion_tokens < 0:
        return f"the target reported {usage}, must not be negative"
    if cost is not None and not (cost >= 0 and math.isfinite(cost)):
        return f"the target reported a cost of {cost!r} USD, must be a finite number ≥ 0 or None"
    return None

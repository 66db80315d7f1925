"""One call with everything around it: cache, limits, budget, deadline, retries. The only loop that retries."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.budget import BudgetMeter, Meter
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.limits import Limiter, estimate_tokens
from sharpen.executor.memory import CallMemory
from sharpen.executor.models import FailedAttempt, RunStatus
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse, Usage


@dataclass(slots=True, kw_only=True)
class Caller:
    """Calls one target. Light: each run makes its own, the target, the limits and the budget behind it are shared.

    ``timeout_s`` bounds one attempt; ``max_tokens`` is the longest answer asked for (0: unknown), for the token limit.
    """

    target: Target
    limiter: Limiter
    stop: StopSignal
    meter: Meter = field(default_factory=BudgetMeter)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 60.0
    max_tokens: int = 0
    memory: CallMemory | None = None
    abort: AbortPolicy | None = None
    observer: RunObserver | None = None
    tracer: CallTracer | None = None
    rng: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic

    async def call(self, request: TargetRequest) -> CallOutcome:
        """Answer from the cache or by attempts, as many as the retry policy, the budget and the stop signal allow.

        Failures are values; nothing is raised but what the target's ``BaseException``s are (cancellation, interrupt).
        """
        if self.memory is None:
            return await self._work(request)
        return await self.memory.answer(request, self._work, self.stop, self.meter)

    async def _work(self, request: TargetRequest) -> CallOutcome:
        """Attempts until one succeeds or no more may be made."""
        outcome = CallOutcome()
        while True:
            failure = await self._attempt(request, outcome)
            if failure is None:
                outcome.failure = None
                if self.abort:
                    self.abort.success()
                return outcome
            outcome.failure = failure
            if outcome.stopped:
                return outcome
            wait = self.policy.wait(failure, outcome.attempts, self.rng)
            failed = FailedAttempt(
                kind=failure.kind,
                http_status=failure.http_status,
                time=outcome.execution_time,
                tokens=failure.usage.total_tokens,
                cost=failure.cost,
            )
            if self.abort and (reason := self.abort.failure(failure, final=wait is None)):
                self.stop.stop(RunStatus.ABORTED, reason)
            if self.observer:
                self.observer.attempt_failed(request.case_id, failure.kind, None if self.stop.requested else wait)
            if wait is None:
                outcome.failed_attempts.append(failed)
                return outcome
            slept_at = self.clock()
            await self.stop.sleep(wait)
            slept = self.clock() - slept_at
            outcome.wait_time += slept
            outcome.failed_attempts.append(failed.model_copy(update={"wait": slept}))

    async def _attempt(self, request: TargetRequest, outcome: CallOutcome) -> Failure | None:
        """Make one attempt if one may be made. Its failure, or None with ``outcome.response`` set."""
        estimate = estimate_tokens(request.messages, self.max_tokens)
        queued_at = self.clock()
        async with self.limiter.slots:
            slot_at = self.clock()
            await self.limiter.admit(estimate, self.stop)
            admitted_at = self.clock()
            outcome.queue_time += slot_at - queued_at
            outcome.limit_time += admitted_at - slot_at
            outcome.wait_time += admitted_at - queued_at
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
        response: TargetResponse | None = None
        failure: Failure | None = None
        token = self.tracer.attempt_started(self.target, request, outcome.attempts) if self.tracer else None
        started_at = self.clock()
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self.target.invoke(request)
            if flaw := _flaw(response):
                response, failure = None, Failure(ErrorKind.MALFORMED_COMPLETION, flaw)
            else:
                outcome.response = response
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            failure = Failure(ErrorKind.SERVER, "the target cancelled the call by itself", retryable=True)
        except Exception as error:  # noqa: BLE001 - a target raises whatever it likes, its classify says what it was
            failure = self._classify(error)
        finally:
            outcome.execution_time = self.clock() - started_at
            # an attempt that is cancelled half way is not known to have cost anything
            usage, cost = (spent.usage, spent.cost) if (spent := response or failure) else (Usage(), 0.0)
            outcome.spend(usage, cost)
            self.meter.settle(usage.total_tokens, cost)
            self.limiter.settle(estimate, usage.total_tokens)
            if self.tracer:
                self.tracer.attempt_ended(token, response, failure)
        return failure

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

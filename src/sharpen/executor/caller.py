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
from sharpen.executor.buckets import estimate_tokens
from sharpen.executor.budget import BudgetMeter, Meter
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.deadlines import Deadlines
from sharpen.executor.hedging import Hedging
from sharpen.executor.limits import Limiter, Ticket
from sharpen.executor.memory import CallMemory
from sharpen.executor.models import FailedAttempt, RunStatus
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.refusals import is_refusal, is_silent_503
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse, Usage

_NOTHING = Usage()

SPARED = 8
"""So many refusals of a call use up no retry where the limit is to blame: alone it takes more than three to wait out a
silent window of a minute. No more, for a server may refuse one call for its size, whatever it is asked besides."""

OFTEN = 5
"""A call that was refused so many times, where later ones are answered, may never find a place beside them: it goes
when there are fewer. If it was told 503, that is a limit: no outage, and no chance, of one in 100,000 calls where 10 %
of them fail so."""


@dataclass(slots=True, kw_only=True)
class Caller:
    """Calls one target. Light: each run makes its own, the target, the limits and the budget behind it are shared.

    ``timeout_s`` bounds one attempt; ``max_tokens`` is the longest answer asked for (0: unknown), for the token limit;
    ``hedging``: late calls get company.
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
    hedging: Hedging | None = None
    rng: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic
    _deadlines: Deadlines = field(init=False)

    def __post_init__(self) -> None:
        self._deadlines = Deadlines(self.timeout_s)

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
        try:
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
                wait = self._wait_after(failure, outcome)
                if self.observer:
                    self.observer.attempt_failed(request.case_id, failure.kind, None if self.stop.requested else wait)
                failed = _failed(failure, outcome.execution_time)
                if wait is None:
                    outcome.failed_attempts.append(failed)
                    return outcome
                slept_at = self.clock()
                await self.stop.sleep(wait)
                slept = self.clock() - slept_at
                outcome.wait_time += slept
                outcome.failed_attempts.append(failed.model_copy(update={"wait": slept}))
        finally:
            if outcome.refusals:
                self.limiter.refusals.over(self.clock(), answered=outcome.response is not None)

    def _wait_after(self, failure: Failure, outcome: CallOutcome) -> float | None:
        """Seconds until the next attempt; None: there is none. Ends the run when the failure is not this call's own."""
        limiter, now = self.limiter, self.clock()
        refusals = limiter.refusals
        first = outcome.refused_in != refusals.era
        if is_refusal(failure):
            outcome.refused_in = refusals.era
        if refusals.count(now, failure, limiter.in_flight, first):
            outcome.refusals += 1
            if outcome.refusals == 1:
                outcome.refused_at = now
                refusals.waiting += 1
            if outcome.refusals >= OFTEN and refusals.served_since(outcome.refused_at):
                limiter.overloaded |= is_silent_503(failure)
                places = limiter.concurrency if outcome.places is None else outcome.places
                outcome.places = max(1, min(places - 1, limiter.in_flight))
        attempt = outcome.attempts - outcome.hedges
        wait = self.policy.wait(failure, attempt, self.rng)
        if wait is None and outcome.refusals and refusals.limit_is_to_blame(now, outcome.refused_at, limiter.in_flight):
            wait = self.policy.wait(failure, attempt, self.rng, min(outcome.refusals, SPARED))
        if self.abort is None:  # outside of a run there is none to end: a call to a target that is down is over
            return None if limiter.verdict("", failure) else wait
        reason = self.abort.failure(failure, final=wait is None) or limiter.verdict(self.abort.subject, failure)
        if failure.retryable and (failure.retry_after_s or 0.0) > self.policy.max_retry_after_s:
            asked, most = failure.retry_after_s, self.policy.max_retry_after_s
            reason = f"{self.abort.subject} asks to wait {asked:.0f} s, longer than {most:g} s: {failure.message}"
        if reason:
            self.stop.stop(RunStatus.ABORTED, reason)
        return wait

    async def _attempt(self, request: TargetRequest, outcome: CallOutcome) -> Failure | None:
        """Make one attempt if one may be made. Its failure, or None with ``outcome.response`` set."""
        limiter, stop = self.limiter, self.stop
        if stop.status is not None:
            return self._stopped(outcome)
        estimate = estimate_tokens(request.messages, self.max_tokens) if limiter.counts_tokens else 0
        ticket = (outcome.places is None and limiter.try_start(estimate)) or await self._turn(estimate, outcome)
        if ticket is None:
            return self._stopped(outcome)
        try:
            self.meter.reserve()
        except BudgetExhausted as error:
            limiter.end(ticket, estimate, None, None, 0.0)
            stop.stop(RunStatus.BUDGET_EXHAUSTED, str(error))
            return self._stopped(outcome)
        if self.hedging is None:
            return await self._invoke(request, outcome, ticket, estimate, outcome.attempts + 1)
        return await self._hedged(self.hedging, request, outcome, ticket, estimate)

    async def _turn(self, estimate: int, outcome: CallOutcome) -> Ticket | None:
        """Wait until it is this call's turn; None: the run was stopped before."""
        limiter, waits_at = self.limiter, self.clock()
        queued = limiter.in_flight >= limiter.concurrency
        try:
            return await limiter.start(estimate, self.stop, outcome.places)
        finally:
            waited = self.clock() - waits_at
            outcome.wait_time += waited
            if queued:
                outcome.queue_time += waited
            else:
                outcome.limit_time += waited

    async def _invoke(
        self, request: TargetRequest, outcome: CallOutcome, ticket: Ticket, estimate: int, number: int
    ) -> Failure | None:
        """Make attempt ``number``, for which there is a place and budget; give both back, whatever happens."""
        outcome.attempts += 1
        response: TargetResponse | None = None
        failure: Failure | None = None
        token = self.tracer.attempt_started(self.target, request, number) if self.tracer else None
        started_at = self.clock()
        task = self._deadlines.enter()
        try:
            response = await self.target.invoke(request)
            self._deadlines.leave(task)
            if flaw := _flaw(response):
                response, failure = None, Failure(ErrorKind.MALFORMED_COMPLETION, flaw)
            else:
                outcome.response = response
        except asyncio.CancelledError:
            late = self._deadlines.leave(task)
            if task.cancelling():
                raise
            if late:
                failure = self._classify(TimeoutError(f"no answer within {self.timeout_s:g} s (execution.timeout_s)"))
            else:
                failure = Failure(ErrorKind.SERVER, "the target cancelled the call by itself", retryable=True)
        except Exception as error:  # noqa: BLE001 - a target raises whatever it likes, its classify says what it was
            self._deadlines.leave(task)
            failure = self._classify(error)
        except BaseException:  # Ctrl-C and the like: whatever ends it, nobody waits for its deadline any more
            self._deadlines.leave(task)
            raise
        finally:
            outcome.execution_time = took = self.clock() - started_at
            # an attempt that is cancelled half way is not known to have cost anything
            usage, cost = (spent.usage, spent.cost) if (spent := response or failure) else (_NOTHING, 0.0)
            outcome.spend(usage, cost)
            self.meter.settle(usage.total_tokens, cost)
            self.limiter.end(ticket, estimate, response, failure, took)
            if self.tracer:
                self.tracer.attempt_ended(token, response, failure)
        return failure

    async def _hedged(
        self, hedging: Hedging, request: TargetRequest, outcome: CallOutcome, ticket: Ticket, estimate: int
    ) -> Failure | None:
        """An attempt that gets company when it is late. The first answer counts, the other call is cancelled."""
        patience, started_at = hedging.patience(), self.clock()
        first, second = CallOutcome(), CallOutcome()
        calls = [asyncio.create_task(self._invoke(request, first, ticket, estimate, outcome.attempts + 1))]
        try:
            await asyncio.wait(calls, timeout=patience)
            if not calls[0].done() and self.limiter.free and hedging.allowed:
                company = self._second(hedging, request, first, second, estimate, outcome.attempts + 2)
                calls.append(asyncio.create_task(company))
            waiting = set(calls)
            while waiting and first.response is None and second.response is None:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for call in calls:
                call.cancel()
            ended = await asyncio.gather(*calls, return_exceptions=True)
            if first.attempts == 0:  # cancelled before its task had begun
                self.meter.settle(0, 0.0)
                self.limiter.end(ticket, estimate, None, None, 0.0)
            winner = first if first.response else second
            outcome.join(first)
            outcome.join(second)
            outcome.hedges += second.attempts
        for end in ended:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end
        outcome.execution_time = self.clock() - started_at
        if winner.response is None:
            failures = [end for end in ended if isinstance(end, Failure)]
            outcome.failed_attempts.extend(_failed(failure, second.execution_time) for failure in failures[1:])
            return failures[0]
        outcome.response = winner.response
        hedging.observe(winner.execution_time)
        for end, part in zip(ended, (first, second), strict=False):
            if isinstance(end, Failure):
                outcome.failed_attempts.append(_failed(end, part.execution_time))
            elif part.attempts and part.response is None:
                # what a cancelled call costs nobody tells: it counts like the answered one, never too little
                usage, cost = winner.response.usage, winner.response.cost
                outcome.spend(usage, cost)
                self.meter.charge(0, usage.total_tokens, cost)
        return None

    async def _second(
        self,
        hedging: Hedging,
        request: TargetRequest,
        first: CallOutcome,
        outcome: CallOutcome,
        estimate: int,
        number: int,
    ) -> Failure | None:
        """The company: made when a place is free, while the budget allows it, and never a reason to stop the run."""
        ticket = await self.limiter.start(estimate, self.stop)
        if ticket is None:
            return None
        if first.response is None and self._affordable():
            hedging.hedges += 1
            return await self._invoke(request, outcome, ticket, estimate, number)
        # no budget, or what it waited for was the place of the very call it was to help
        self.limiter.end(ticket, estimate, None, None, 0.0)
        return None

    def _affordable(self) -> bool:
        try:
            self.meter.reserve()
        except BudgetExhausted:
            return False
        return True

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


def _failed(failure: Failure, took: float) -> FailedAttempt:
    return FailedAttempt(
        kind=failure.kind,
        http_status=failure.http_status,
        time=took,
        tokens=failure.usage.total_tokens,
        cost=failure.cost,
    )


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

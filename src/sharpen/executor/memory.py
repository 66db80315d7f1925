"""What a caller remembers of answers that were paid for, and who paid: the response cache behind one target's keys.

An answer is remembered before the task that paid for it has its result saved. A process that dies between the two
leaves an answer without a result. The run that goes on finds it by its ``origin``, and takes it over as what it is: a
call of its own, paid for and counted once. Everybody else gets a cached answer at cost 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sharpen.executor.budget import Meter
from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.ports import CachedResponse, ResponseCache, Retried
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import TargetRequest, TargetResponse

Work = Callable[[TargetRequest], Awaitable[CallOutcome]]
"""Makes a call with all its attempts."""


@dataclass(slots=True)
class Ledger:
    """What the callers of one session share: who they are, what is being asked, and what was taken over already."""

    process: str = field(default_factory=lambda: secrets.token_hex(4))
    under_way: dict[str, asyncio.Future[CallOutcome | None] | None] = field(default_factory=dict)
    taken_over: set[str] = field(default_factory=set)


class CallMemory:
    """Answers of one target. The cache is a convenience: what it cannot find is called, what it cannot keep is lost.

    ``payer`` names whose money is spent (a run and its target, say); without one no answer is ever taken over.
    ``private`` is for plans that want no cache: the name of a run, whose answers nobody else will find and which
    ``ResponseCache.forget`` drops; they are only looked up when the run is ``resumed``.
    """

    def __init__(
        self,
        cache: ResponseCache,
        keys: CacheKeys,
        ledger: Ledger | None = None,
        payer: str = "",
        private: str | None = None,
        resumed: bool = True,
    ) -> None:
        self._cache = cache
        self._keys = keys
        self._ledger = ledger or Ledger()
        self._payer = payer
        self._private = private
        self._resumed = resumed

    @property
    def may_know(self) -> bool:
        """There may be answers that need no call."""
        return self._private is None or self._resumed

    async def answer(self, request: TargetRequest, work: Work, stop: StopSignal, meter: Meter) -> CallOutcome:
        """The outcome of a call, remembered or made by ``work``.

        The same call made twice at the same time is made once, and the other one is answered by it as from a cache;
        when it fails, the next one makes it for all that wait. Waits for another process that pays for it, until
        ``stop``. What is taken over is charged to ``meter``.
        """
        key = self._keys.key(request)
        if key is None:
            return await work(request)
        if self._private is not None:
            return await self._answer_privately(self._private, key, request, work, meter)
        under_way = self._ledger.under_way
        while key in under_way:
            first = await self._first(key)
            if first is not None and first.response is not None:
                return _cached(first.response, first.execution_time)
        under_way[key] = None
        outcome: CallOutcome | None = None
        try:
            outcome = await self._answer(key, request, work, stop, meter)
            return outcome
        finally:
            waiting = under_way.pop(key)
            if waiting is not None and not waiting.done():
                waiting.set_result(outcome)

    async def _answer(
        self, key: str, request: TargetRequest, work: Work, stop: StopSignal, meter: Meter
    ) -> CallOutcome:
        try:
            found = await self._cache.claim(key, lambda: stop.requested)
        except Exception:  # noqa: BLE001 - see the class
            found = False
        if isinstance(found, CachedResponse):
            return self._taken_over(key, found, request, meter) or _cached(found.response, found.execution_time)
        outcome: CallOutcome | None = None
        try:
            outcome = await self._called(key, request, work)
            return outcome
        finally:
            if found and (outcome is None or outcome.response is None):
                with suppress(Exception):
                    await self._cache.release(key)

    async def _answer_privately(
        self, scope: str, key: str, request: TargetRequest, work: Work, meter: Meter
    ) -> CallOutcome:
        key = f"{scope}/{_digest(self._payer, request.case_id, str(request.repeat), key)}"
        found: CachedResponse | None = None
        if self._resumed:
            with suppress(Exception):
                found = await self._cache.get(key)
        outcome = self._taken_over(key, found, request, meter) if found else None
        return outcome or await self._called(key, request, work)

    async def _first(self, key: str) -> CallOutcome | None:
        """How the call that is under way ends; None when it breaks off."""
        waiting = self._ledger.under_way[key]
        if waiting is None:
            waiting = self._ledger.under_way[key] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(waiting)  # one who is cancelled must not cancel the others' wait

    async def _called(self, key: str, request: TargetRequest, work: Work) -> CallOutcome:
        outcome = await work(request)
        if outcome.response is not None:
            with suppress(Exception):  # an answer that cannot be remembered is still an answer
                await self._cache.put(key, self._kept(request, outcome, outcome.response))
        return outcome

    def _kept(self, request: TargetRequest, outcome: CallOutcome, response: TargetResponse) -> CachedResponse:
        retried = None
        if outcome.failed_attempts or outcome.hedges:
            retried = Retried(
                outcome.prompt_tokens, outcome.completion_tokens, outcome.cost, tuple(outcome.failed_attempts)
            )
        origin = f"{self._task(request)}.{self._ledger.process}" if self._payer else None
        return CachedResponse(response, outcome.execution_time, outcome.attempts, origin, retried)

    def _taken_over(self, key: str, found: CachedResponse, request: TargetRequest, meter: Meter) -> CallOutcome | None:
        """A call that this very task made in a process that is gone, charged as it was; None for anything else."""
        if not self._payer or found.origin is None or key in self._ledger.taken_over:
            return None
        task, _, process = found.origin.partition(".")
        if process == self._ledger.process or task != self._task(request):
            return None
        self._ledger.taken_over.add(key)
        response, retried = found.response, found.retried
        outcome = CallOutcome(response=response, attempts=found.attempts, execution_time=found.execution_time)
        if retried is None:
            outcome.spend(response.usage, response.cost)
        else:
            outcome.prompt_tokens, outcome.completion_tokens = retried.prompt_tokens, retried.completion_tokens
            outcome.cost = retried.cost
            outcome.failed_attempts = list(retried.failed_attempts)
            # a call that neither failed nor brought the answer was cancelled, because the other one of its pair did
            outcome.hedges = max(0, found.attempts - 1 - len(retried.failed_attempts))
            outcome.wait_time = sum(attempt.wait for attempt in retried.failed_attempts)
        meter.charge(outcome.attempts, outcome.total_tokens, outcome.cost)
        return outcome

    def _task(self, request: TargetRequest) -> str:
        return _digest(self._payer, request.case_id, str(request.repeat))[:16]


def _cached(response: TargetResponse, execution_time: float) -> CallOutcome:
    return CallOutcome(
        response=response,
        execution_time=execution_time,
        prompt_tokens=response.usage.prompt_tokens,
        completion_tokens=response.usage.completion_tokens,
        saved_cost=response.cost,
        cached=True,
    )


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

"""One gate for every call of one target: how many may be under way, how fast they may start, and when not at all."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sharpen.config.models import RateLimit
from sharpen.executor.adaptive import AdaptiveLimit
from sharpen.executor.breaker import Breaker, Circuit, is_trouble
from sharpen.executor.buckets import TokenBucket
from sharpen.executor.foresight import MAX_HOLD_S, Foresight
from sharpen.executor.refusals import Refusals, is_refusal, is_silent_503
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, TargetResponse

MIN_TIMER_S = 0.0005
"""Timers are not set closer than this: a wait that rounding left over must not keep the loop spinning."""


Ticket = tuple[int, int]
"""Of an attempt under way: in which epoch it started, and how many were under way then (0: nobody looked)."""


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
    circuit: Circuit = "closed"


class Limiter:
    """All calls of one target go through here, first come first served, whoever makes them.

    ``try_start`` or ``await start`` before an attempt, ``end`` with its ticket after it. While no limit is set, none
    has been met and fewer than ``concurrency`` calls are under way, both cost next to nothing.
    """

    def __init__(
        self,
        limit: RateLimit,
        concurrency: int,
        clock: Callable[[], float] = time.monotonic,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.concurrency = concurrency
        self.in_flight = 0
        self.epoch = 0
        """Changes whenever calls begun before must not be taken for calls begun later."""
        self.overloaded = False
        """503 without a word of when to come back is a refusal, too: the server is busy, not down."""
        self.breaker = Breaker(policy or RetryPolicy(), concurrency)
        self._requests = TokenBucket(limit.requests_per_minute, clock) if limit.requests_per_minute else None
        self._tokens = TokenBucket(limit.tokens_per_minute, clock) if limit.tokens_per_minute else None
        self.counts_tokens = self._tokens is not None
        self._adaptive: AdaptiveLimit | None = None
        self._adaptive_epoch = self._breaker_epoch = 0
        self._foresight = Foresight()
        self._held_until = -math.inf
        self._queue: deque[tuple[asyncio.Future[Ticket | None], int, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # of the timer; uvloop's does not tell when what is due already comes
        self._clock = clock
        self._began = clock()  # the first call, as soon as there is one: a window of the server may begin with it
        self._starts = 0
        self.refusals = Refusals()
        self._update()

    def state(self) -> LimiterState:
        """How it stands just now."""
        adaptive, now = self._adaptive, self._clock()
        rates = [bucket.rate for bucket in (self._requests,) if bucket]
        if adaptive and adaptive.rate is not None:
            rates.append(adaptive.rate)
        pauses = [0.0, self._held_until - now, adaptive.paused_for(now) if adaptive else 0.0]
        circuit_s = self.breaker.wait(now)
        if circuit_s < math.inf:
            pauses.append(circuit_s)
        return LimiterState(
            in_flight=self.in_flight,
            waiting=sum(not future.done() for future, _, _ in self._queue),
            concurrency=adaptive.concurrency if adaptive else self.concurrency,
            max_concurrency=self.concurrency,
            rate_per_s=min(rates, default=None),
            paused_for_s=max(pauses),
            circuit=self.breaker.state,
        )

    @property
    def free(self) -> bool:
        """Nothing but the number of calls under way holds any back."""
        return self._free

    def try_start(self, tokens: int = 0) -> Ticket | None:
        """Start an attempt of about so many tokens now; None: none may start, or others wait for it."""
        if self._queue:
            return None
        if self._free:
            if self.in_flight >= self.concurrency:
                return None
            if not self._starts:
                self._began = self._clock()
            self.in_flight += 1
            self._starts += 1
            return self._plain_ticket
        return None if self._wait(tokens) > 0 else self._take(tokens)

    async def start(self, tokens: int, stop: StopSignal, places: int | None = None) -> Ticket | None:
        """Wait until an attempt may start, and start it; None: the stop signal came first, nothing was started.

        ``places``: it must not make more calls under way than these; those that come after it wait behind it.
        """
        if stop.requested:
            return None
        if places is None and (ticket := self.try_start(tokens)):
            return ticket
        future: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()
        self._queue.append((future, tokens, self.concurrency if places is None else places))
        stop.waiting.add(future)
        self._dispatch()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and (ticket := future.result()):
                self.end(ticket, tokens, None, None, 0.0)  # its turn came in the same instant
            raise
        finally:
            stop.waiting.discard(future)
            if self._queue and self._queue[0][0].done():
                self._dispatch()

    def end(
        self, ticket: Ticket, tokens: int, response: TargetResponse | None, failure: Failure | None, took: float
    ) -> None:
        """The attempt that got this ticket is over, estimated at so many ``tokens``; it ``took`` so many seconds.

        Neither a response nor a failure: it was cancelled, and proves nothing.
        """
        self.in_flight -= 1
        if response is not None:
            self.refusals.answers += 1
            if self.refusals.met:
                self.refusals.answered(self._clock() - took)
        if response is not None and self._free and response.hints is None:
            if self.breaker.failures:
                self.breaker.answered()
        else:
            self._learn(ticket, tokens, response, failure, took)
        if self._queue:
            self._dispatch()

    def _learn(
        self, ticket: Ticket, tokens: int, response: TargetResponse | None, failure: Failure | None, took: float
    ) -> None:
        now, (epoch, level) = self._clock(), ticket
        spent = response or failure
        if self._tokens:
            self._tokens.take((spent.usage.total_tokens if spent else 0) - tokens)
        if spent is None:
            self._dropped(epoch)
        else:
            if failure is None or is_refusal(failure) or not is_trouble(failure):
                self.breaker.answered()
            elif epoch >= self._breaker_epoch and self.breaker.failed(failure, now):
                self.epoch += 1
                self._breaker_epoch = self.epoch
            if failure is not None and (is_refusal(failure) or (self.overloaded and is_silent_503(failure))):
                self._refused(now, ticket, failure, took)
            elif self._adaptive:
                self._adaptive.answered(now, epoch < self._adaptive_epoch, level)
            elif failure is not None and is_silent_503(failure):
                self._starts -= 1  # it may turn out to have been refused
        if spent is not None and spent.hints is not None:
            hold = self._foresight.hold(now, spent.hints, spent.usage.total_tokens, took, response is not None)
            self._held_until = now + hold if hold else -math.inf
        self._update()

    def verdict(self, subject: str, failure: Failure) -> str | None:
        """Why ``subject`` is given up after this failure; None while there is hope."""
        self.breaker.ever_answered |= self.refusals.answers > 0  # of those that nothing held back it hears nothing
        busy = self.in_flight and self.breaker.last is not None and is_silent_503(self.breaker.last)
        down = None if busy else self.breaker.verdict(subject)
        return down or self.refusals.verdict(self._clock(), subject, failure)

    def _dropped(self, epoch: int) -> None:
        if epoch >= self._breaker_epoch:
            self.breaker.dropped()
        if self._adaptive:
            self._adaptive.dropped(epoch < self._adaptive_epoch)

    def _refused(self, now: float, ticket: Ticket, failure: Failure, took: float) -> None:
        epoch, level = ticket
        if self._adaptive is None:
            self._adaptive = AdaptiveLimit(self.concurrency, self._began, self._starts)
            self._adaptive_epoch = epoch
        late = epoch < self._adaptive_epoch
        asked = None if failure.retry_after_s is None else min(failure.retry_after_s, MAX_HOLD_S)
        if self._adaptive.refused(now, late, level, asked, self.in_flight, took, served=self.refusals.answers > 0):
            self.refusals.episode()
            self.epoch += 1
            self._adaptive_epoch = self.epoch

    def _update(self) -> None:
        """Whether nothing but the number of calls under way needs to be looked at."""
        if self._adaptive is not None and self._adaptive.calm(self._clock()):
            self._adaptive, self.overloaded = None, False
            self._began, self._starts = self._clock(), self.in_flight
        self._plain_ticket = (self.epoch, 0)
        self._free = (
            self._requests is None
            and self._tokens is None
            and self._adaptive is None
            and self.breaker.state == "closed"
            and self._held_until <= self._clock()
        )

    def _wait(self, tokens: int) -> float:
        """Seconds until the next attempt may start; infinite: not before another one has ended."""
        if self.in_flight >= self.concurrency:
            return math.inf
        now = self._clock()
        wait = max(self.breaker.wait(now), self._held_until - now)
        if self._requests:
            wait = max(wait, self._requests.wait(1))
        if self._tokens:
            wait = max(wait, self._tokens.wait(tokens))
        if wait > 0 or self._adaptive is None:  # the pace looks only at what nothing else holds back
            return max(0.0, wait)
        return self._adaptive.wait(now, self.in_flight)

    def _take(self, tokens: int) -> Ticket:
        if not self._starts:
            self._began = self._clock()
        self.in_flight += 1
        self._starts += 1
        self.breaker.started()
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)
        if self._adaptive:
            self._adaptive.started(self._clock(), self.in_flight)
        return self.epoch, self.in_flight

    def _dispatch(self) -> None:
        """Let those start who may, in the order in which they came, and set a timer for the next one."""
        queue = self._queue
        while queue:
            future, tokens, places = queue[0]
            if not future.done():
                if self.in_flight >= places:
                    return
                if (wait := self._wait(tokens)) > 0:
                    self._wake_in(wait)
                    return
                future.set_result(self._take(tokens))
            queue.popleft()

    def _wake_in(self, seconds: float) -> None:
        if seconds == math.inf:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(seconds, MIN_TIMER_S)
        if self._timer is not None:
            if self._due <= due:  # it will look again then
                return
            self._timer.cancel()
        self._timer, self._due = loop.call_at(due, self._woken), due

    def _woken(self) -> None:
        self._timer = None
        self._dispatch()

"""What a server allows, learned from its refusals: a rate, or so many calls side by side (pure).

Nothing is limited until a server refuses a call (429, or 503: see ``limits``). Refusals of calls that started before
the first of them was known are one episode and count once (RFC 6582, "fast recovery"). An episode ends the start of
calls for a while (``pausing``); when calls are accepted again, what was exceeded is told from what was accepted
meanwhile: the number side by side (``slots``), the rate (``pacing``), or nothing at all (``tolerance``).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from sharpen.executor.pacing import FEW, SHORT_S, Pace
from sharpen.executor.pausing import PROBE_REFUSALS, Pause
from sharpen.executor.slots import PAUSE_S, Slots
from sharpen.executor.tolerance import Doubts, Tolerance

RELEVANT_S = 10.0
"""A rate that has held nothing back for so long, while the number of calls side by side did, is no limit any more."""

HELD_S = 1.0
"""A rate that held a call back so lately is what limits."""

LONG_PAUSE_S = 5.0
"""Whoever had to wait for so long has met a limit, whatever the pace was."""

LASTED = 1.5
"""Of a window longer than ``SHORT_S`` it is known what it allows as soon as calls are accepted again, if they were
until the refusal for no longer than so many windows, and none before that were in the same one: what was accepted."""

RECENT = 256
"""Starts that are remembered, to tell at a refusal how many calls side by side were accepted before."""

CALM_S = 60.0
"""Who puts up with refusals and has met none for so long is done with them."""


class AdaptiveLimit:
    """Made at the first refusal. Every ``now`` is a reading of one clock in seconds.

    ``most``: calls side by side that the plan allows; ``began``: since when calls are made; ``starts``: how many were
    started since then and not refused, those under way and the one about to be reported included. ``late``: the call
    was started before the present episode was known of. ``level``: how many were under way when it had started, itself
    included (0: nobody looked).
    """

    def __init__(self, most: int, began: float, starts: int) -> None:
        self._pause, self._pace, self._slots = Pause(), Pace(), Slots(most)
        self._doubts = Doubts()
        self._tolerance: Tolerance | None = None
        self._since = began  # when calls were accepted again
        self._starts = starts  # those accepted since then
        self._proved = True  # they are
        self._last_at = began  # the refusal before
        self._refused_at = began
        self._refused_pace = 0.0
        self._refusal_s = 0.0
        self._limit = 0.0  # what explains the refusal
        self._by_slots = False
        self._level = 0
        self._under_way: deque[list[Any]] = deque(maxlen=RECENT)  # the latest starts, and how many they made it
        self._kept = 0  # calls that were under way at the refusal, and were not refused

    @property
    def most(self) -> int:
        """Calls side by side that the plan allows."""
        return self._slots.most

    @property
    def concurrency(self) -> int:
        """Calls that may be under way."""
        return self._slots.limit

    @property
    def rate(self) -> float | None:
        """Calls that may start each second; None: not limited."""
        if self._tolerance and self._tolerance.rate is None:
            return None
        return None if self._slots.known else self._pace.rate

    def calm(self, now: float) -> bool:
        """No refusal is to be reckoned with: nothing is held back, and there were none for a good while."""
        if self.rate is not None or self._slots.known or self._pause.on or not self._proved:
            return False
        return self._tolerance is None or now - self._refused_at > CALM_S

    def paused_for(self, now: float) -> float:
        """Seconds until calls may start again after a refusal."""
        return max(0.0, self._pause.until - now) if self._pause.on else 0.0

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until the next call may start; 0: now; infinite: not before another one has ended."""
        if not self._proved:
            left = self._pause.left(now)
            if left > 0:
                return left
            self._judge(now)
        if in_flight >= self._slots.limit:
            return float("inf")
        if self._proved and (wait := self._slots.wait(now, in_flight)) > 0:
            return wait
        if not self._proved:
            if not self._pause.proving and self._pace.rate is None and in_flight >= max(1, self._kept):
                return float("inf")  # it may be their number: whoever was told a time is not refused
            if self._pause.proving and not self._pause.probed:
                return 0.0
            self._prove(now)
        return 0.0 if self._slots.known else self._pace.wait(now)

    def started(self, now: float, in_flight: int) -> None:
        """One more call has started; ``in_flight`` includes it."""
        self._starts += 1
        if not self._proved:
            self._pause.probe(now, self._refusal_s)
        if in_flight >= self.most and now - self._pace.held_at > RELEVANT_S:
            self._pace.forget()
        self._pace.started(now)
        self._slots.started_at = now
        self._under_way.append([now, in_flight])

    def answered(self, now: float, late: bool, level: int) -> None:
        """A call ended, and not by a refusal."""
        if late:
            return
        if self._tolerance:
            self._tolerance.answered(now - self._pace.held_at <= HELD_S)
            self._pace.pin(self._tolerance.rate)
            return
        if not self._proved and self._pause.probed:
            self._prove(now)
        if self._slots.known:
            self._slots.accepted(now, level)
        for start in reversed(self._under_way):
            if start[0] < now - self._refusal_s:
                break
            start[1] -= 1  # this call was over when that one arrived

    def dropped(self, late: bool) -> None:
        """A call was cancelled and proves nothing: if it was the probe, there may be another."""
        self._starts -= 1
        if not late and not self._proved:
            self._pause.drop()

    def refused(
        self, now: float, late: bool, level: int, asked: float | None, in_flight: int, took: float, served: bool = True
    ) -> bool:
        """A call was refused. Whether another episode begins, or the present one goes on with another pause.

        ``asked``: seconds that the server asks to wait; ``in_flight``: the other calls under way; ``served``: some call
        was ever answered.
        """
        self._starts -= 1
        if late:
            if level == 0 or self._level <= 0:
                self._kept = max(0, self._kept - 1)
            else:  # those that came after one too many were that, too
                self._level, self._kept = min(self._level, level), min(self._kept, level - 1)
            if self._pause.on and asked is not None:
                self._pause.prolong(now + asked)
            return False
        if self._slots.tested(now, level):
            return False
        self._refusal_s = took
        if not self._slots.known:
            for at, number in self._under_way:
                if at < now - PROBE_REFUSALS * took:  # a refusal would have come by now
                    self._slots.accepted(now, number)
        self._under_way.clear()
        pace = self.rate or max(1, self._starts) / max(now - self._since, 1e-3)
        if self._tolerance and not self._tolerance.refused(pace):
            self._pace.pin(self._tolerance.rate)
            self._refused_at = now
            return False
        self._level, self._kept = level, level - 1 if level else in_flight
        if self._proved and self._starts > 0:
            self._refused_at, self._refused_pace, self._by_slots = now, pace, self._slots.known
            self._limit = self._pace.explain(now - took, now, pace, self._starts, self._pause.window_s)
            self._pause.begin(now, asked, self._enough(pace), self._since)
        elif self._slots.refused(now, level, level - 1):
            self._pause.repeat(now, asked, PAUSE_S)
            self._level = -1
        else:
            self._pause.again(now, asked, served)
            self._level = -1
        self._proved = False
        return True

    def _enough(self, pace: float) -> float:
        """Seconds after which as much was accepted in the window as is allowed, whatever kind of limit it is."""
        if self._slots.known:
            return PAUSE_S
        safe = 0.0 if (self._pace.full and self._pace.searching) or self._pace.rate is None else self._limit
        if self._pause.window_s > SHORT_S and self._pace.found is not None:  # nobody knows when it began
            safe = min(safe, self._pace.safe)
        return self._pause.window_s * (1 - min(1.0, safe / pace)) + 2 / pace

    def _judge(self, now: float) -> None:
        """The pause is over and the fate of all calls under way before is known: was it their number?"""
        if self._level >= 0:
            self._slots.refused(now, self._level, self._kept)
            self._level = -1

    def _prove(self, now: float) -> None:
        """Calls are accepted again: find out what was exceeded, and go on."""
        pause, pace = self._pause, self._pace
        self._judge(now)
        probes = 1 if pause.proving else 0
        count, seconds = self._starts - probes, self._refused_at - self._last_at
        longer = pause.end(count, pace.rate is not None)
        self._proved = True
        waited = now - self._refused_at
        if self._tolerance:
            self._endure(self._tolerance)
        elif not self._slots.known and self._refused_pace and not (self._by_slots and pace.rate):
            explained = True
            alone = pace.rate is None or seconds >= pause.window_s
            known = longer or (alone and now - self._since <= LASTED * pause.window_s)
            if count >= FEW and pause.window_s > SHORT_S and known:
                rate = count / max(pause.window_s, self._refused_at - self._since)
                pace.settle(rate, pause.window_s, 0.0 if longer else waited)  # what was learned is not waited for again
            elif pace.rate is None or longer:
                pace.begin(count, self._refused_at - self._since, self._since, now, pause.window_s)
            else:
                explained = pace.refused(self._refused_pace, self._limit, count, seconds, pause.window_s, waited)
            if self._doubts.count(count, explained or waited >= LONG_PAUSE_S, pace.found):
                self._tolerance = self._doubts.tolerance(self._refused_pace)
                self._pace.pin(self._tolerance.rate)
        self._since, self._last_at, self._starts = now, self._refused_at, probes
        self._refused_pace = 0.0
        pace.resume(now)

    def _endure(self, tolerance: Tolerance) -> None:
        """Go on after too many refusals of those that are put up with, or do not put up with them any more."""
        if tolerance.over:
            self._tolerance = None
            self._doubts.over(tolerance)
            found = tolerance.rate if tolerance.confirmed else self._pace.accepted or tolerance.rate
            if found is not None:
                self._pace.settle(found, self._pause.window_s)
        else:
            self._pace.pin(tolerance.rate)

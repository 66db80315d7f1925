"""How many calls a second a server allows: searched for by even pacing (pure).

Calls that start evenly look alike to every limit on the rate, a token bucket of whatever size or a window of whatever
length: none is refused below the rate allowed, and soon one is above it. The pace grows until that happens. The moments
of the calls accepted until then tell the limit (the arrival curves of network calculus, Le Boudec and Thiran 2001):

- a window that is full again holds as many calls as were accepted before the first refusal;
- a bucket held that many at most, at any time, and nothing at the refusals: so the rate at which it is filled is the
  largest excess of calls over its size, divided by the time in which they came;
- of a server that allows no burst, the shortest gap that was accepted and the one that was refused are the bounds.

Then the pace follows the cubic curve of TCP CUBIC (RFC 9438) around what was found, ever more slowly as long as it
holds; where nothing is refused for twice its time, the limit was raised, and the pace doubles again. A refusal bounds
the limit from both sides, by the pace refused and by what was accepted.
"""

from __future__ import annotations

import math
from collections import deque

FEW = 16
"""So few calls prove nothing of a rate: one more or less would change it by more than the search is exact to."""

QUICK_S, DOUBLING_S = 0.25, 1.0
"""The search doubles the pace in so many seconds: where but a few calls were accepted at first (little or no burst is
allowed, and the first guess may be much too low), and else."""

FILLED = (0.5, 2.0)
"""A window is full again with so many times as many calls as were accepted at first: what is left of one fixed window
and the whole of the next. A bucket lets more through, but where it is about as large as its rate."""

SHORT_S = 1.0
"""Of a window longer than that the length was learned; the shortest one also stands for a bucket."""

GROWTH, CAREFUL_GROWTH = 1.0, 0.5
"""The search grows by so many doublings at most from call to call, the latter where little or no burst is allowed:
there each call tells as much as a window of them does elsewhere."""

TIGHT = 4
"""So few calls are no burst: one single gap between two calls may be too short for such a server."""

EXACT_S = 1e-6
"""Moments that differ by less are the same."""

MEMORY = 16384
"""Starts that are remembered: as many as fit into a window of a minute at 250 a second."""

SAME = 0.08
"""Limits that differ by at most such a share are the same."""

WIDTH = 0.03
"""The curve begins so much below what was found, is so much above it after twice its time, and steepens from there."""

MIN_CURVE_S, MAX_CURVE_S = 5.0, 120.0
"""Seconds from the curve's beginning until it is at what was found: doubled whenever that was found again."""

DOUBLINGS = 2.0
"""After twice the curve's time the pace doubles so many times in each further one."""

CURVE_PER_PAUSE = 10.0
"""The same is at least so many times the last pause, which then costs at most a twentieth."""

CURVES_PER_WINDOW = 2.0
"""The same is at least so many windows long: whoever climbs for less does not see in time that it is too much."""

MOST_FALLS = 2
"""A search that goes on downwards for longer than that converges to nothing: there is no such limit."""

CATCH_UP_S = 0.01
"""So far behind its pace a start may be made up for, where a burst is allowed: timers are not exact."""


class Pace:
    """The rate, and when the next call is due. Every ``now`` is a reading of one clock in seconds."""

    def __init__(self) -> None:
        self.found: float | None = None
        """What the limit is taken for, calls a second; None: not known yet."""
        self.held_at = -math.inf
        """When a call was last held back by it."""
        self.accepted = 0.0
        """The highest rate at which calls were accepted from one refusal to the next."""
        self._base: float | None = None
        self._doubling_s = math.inf
        self._curve_s = MIN_CURVE_S
        self._dip = WIDTH  # the curve begins so much below what was found
        self._age = 0.0
        self._refused = math.inf  # the last pace that was refused
        self._falls = 0  # refusals in a row, each at a lower pace than the one before
        self._misses = 0  # the same, each below what had been found by the one before
        self._count, self._seconds = 0, 0.0
        self._least = self._most = 0.0  # bounds of the limit at the last refusal
        self._burst, self._lasted = 0, 0.0  # so many calls were accepted before the first refusal, and for so long
        self._starts: deque[float] = deque(maxlen=MEMORY)  # of accepted calls, since the last refusal but one
        self._empty_at = -math.inf  # the last refusal
        self._next_at = -math.inf
        self._started_at = -math.inf
        self._blocked_at: float | None = None
        self.full = False
        """The last refusal was that of a window, as far as can be told."""

    @property
    def rate(self) -> float | None:
        """Calls that may start each second; None: not limited."""
        if self._base is None:
            return None
        if self.found is not None:
            times = self._age / self._curve_s - 1
            cubic = 1 + self._dip * math.pow(min(times, 1.0), 3)
            return self.found * cubic * math.pow(2.0, min(DOUBLINGS * max(0.0, times - 1), 64))
        return self._base * math.pow(2.0, min(self._age / self._doubling_s, 64))

    @property
    def _tight(self) -> bool:
        """Little or no burst is allowed: one single gap between two calls may be too short."""
        return 0 < self._burst <= TIGHT

    @property
    def safe(self) -> float:
        """A rate that was accepted, on the whole; 0: none is known."""
        return 0.0 if self.found is None else (1 - self._dip) * self.found

    @property
    def searching(self) -> bool:
        """Growing: no limit was found yet."""
        return self._base is not None and self.found is None and self._doubling_s < math.inf

    def begin(self, count: int, lasted: float, since: float, now: float, window_s: float) -> None:
        """Search from what was accepted so far: so many calls ``since`` then, all of them in the first ``lasted``."""
        probes = [start for start in self._starts if start > since + lasted]
        self.forget()
        self._burst, self._lasted, self._empty_at = count, lasted * (count - 1) / max(1, count), since + lasted
        self._starts.extend(since + lasted * number / count for number in range(count))
        self._starts.extend(probes)
        self._doubling_s = QUICK_S if count < FEW else DOUBLING_S
        self._base = max(0.95 * count / max(now - since, window_s), 1 / self._doubling_s)

    def pin(self, rate: float | None) -> None:
        """Somebody else says how fast."""
        if rate is None:
            self.forget()
        else:
            self._base, self.found, self._doubling_s, self._age = rate, None, math.inf, 0.0

    def forget(self) -> None:
        """Hold nothing back any more."""
        self._base = self.found = None
        self._refused = math.inf
        self._count, self._seconds = 0, 0.0
        self._burst, self._lasted, self._least, self.accepted, self._age = 0, 0.0, 0.0, 0.0, 0.0
        self._starts.clear()
        self._curve_s = MIN_CURVE_S

    def settle(self, rate: float, window_s: float, pause_s: float = 0.0) -> None:
        """Take this for the limit, and stay near it."""
        self._curve_s = max(
            2 * self._curve_s if self.found is not None and _same(rate, self.found) else MIN_CURVE_S,
            CURVES_PER_WINDOW * window_s,
            CURVE_PER_PAUSE * pause_s,
        )
        self._curve_s = min(self._curve_s, MAX_CURVE_S)
        self._base, self.found, self._dip, self._age = rate, rate, WIDTH, 0.0

    def explain(self, at: float, now: float, pace: float, count: int, window_s: float) -> float:
        """The limit that explains a refusal ``now`` of a call that started ``at`` that moment, or nearly does.

        ``count`` calls were accepted since the last refusal.
        """
        starts = [start for start in self._starts if start <= at + EXACT_S]
        last = starts.pop() if starts else at  # the refused call itself
        self._starts = deque(starts, MEMORY)  # those on their way when the refusal came may have been refused as well
        empty_at, self._empty_at = self._empty_at, now
        since = max(1, count) / max(at - empty_at, 1e-3)  # nothing was left at the last refusal
        most, least = since, 0.0
        if self._burst and starts:
            for number, start in enumerate(starts):
                excess, seconds = len(starts) - number - self._burst, last - start - self._lasted
                if excess < 0 or seconds <= 0:
                    break
                most = max(most, (excess + 1) / seconds)
                accepted_s = starts[-1] - start - self._lasted
                if excess and accepted_s > 0:
                    least = max(least, excess / accepted_s)
        # where each gap tells, whatever was accepted once is kept in mind
        self._least = min(pace, max(least, self._least if self._tight else 0.0))
        self._most = max(self._least, min(pace, most))
        lately = sum(start > at - window_s for start in starts)
        limit = max(since, self._least if self._tight else (self._least + self._most) / 2)
        window = min(lately, self._burst) / window_s
        if window_s > SHORT_S:  # its length is known, and it is full
            limit = max(limit, lately / window_s)
        self.full = (
            self._burst > 1
            and FILLED[0] * self._burst <= lately <= FILLED[1] * self._burst
            and window > limit
            and (self.found is None or window < pace)  # a pace below it would not have been refused
        )
        return window if self.full else limit

    def refused(self, pace: float, limit: float, count: int, seconds: float, window_s: float, pause_s: float) -> bool:
        """An episode at ``pace`` is over, which this ``limit`` explains. Whether a limit on the rate does so at all.

        ``count`` calls were accepted in the ``seconds`` between the refusals of the episode before and of this one.
        """
        self._count, self._seconds = self._count + count, self._seconds + seconds
        explained = pace >= self.accepted
        if self._count >= FEW:
            self.accepted = max(self.accepted, min(pace, self._count / max(self._seconds, window_s)))
            self._count, self._seconds = 0, 0.0
        step = WIDTH / 2 if self._tight else WIDTH
        self._falls = self._falls + 1 if pace < (1 - step) * self._refused < math.inf else 0
        limit = min(pace, limit)
        missed = self.found is not None and pace < (1 - WIDTH / 2) * self.found
        sure = self._tight and count >= FEW and limit >= (1 - WIDTH) * pace  # it is known from both sides
        self._misses = self._misses + 1 if missed and not sure else 0
        self._refused = pace
        dip = WIDTH
        if self.searching and self._tight and not self.full:
            low, limit = limit, math.sqrt(limit * max(limit, self._most))
            dip = 1 - (1 - 2 * WIDTH) * low / limit
        elif not (self.full or (self.searching and count >= FEW)):
            limit = limit * (1 - WIDTH / 2) if self._tight else math.sqrt(limit * pace)
            limit = min(limit, pace * (1 - WIDTH * (2.0 ** min(self._misses, MOST_FALLS) - 1)))
        self.settle(limit, window_s, pause_s if count >= FEW or self.full else 0.0)
        self._dip = dip
        return explained and self._falls <= MOST_FALLS

    def wait(self, now: float) -> float:
        """Seconds until the next call may start."""
        if self._base is None or now >= self._next_at:
            return 0.0
        if self._blocked_at is None:
            self._blocked_at = now
        self.held_at = now
        return self._next_at - now

    @property
    def held(self) -> bool:
        """Whether the call that started last had to wait for its turn."""
        return self._next_at > self._started_at and self.held_at >= self._started_at - 1.0

    def started(self, now: float) -> None:
        """A call has started. Only while it holds something back does a rate grow."""
        before, self._started_at = self.rate, now
        self._starts.append(now)
        if before is None:
            return
        if self._blocked_at is None:
            self._next_at = now + 1 / before  # who did not wait for the pace is not behind it
            return
        waited = now - self._blocked_at
        self._blocked_at = None
        most = self._doubling_s * (CAREFUL_GROWTH if self._tight else GROWTH) if self.searching else math.inf
        self._age += min(waited, most)
        self._next_at = max(self._next_at, now - (0.0 if self._tight else CATCH_UP_S)) + 1 / (self.rate or before)

    def resume(self, now: float) -> None:
        """Calls may start again after a pause."""
        rate = self.rate
        self._next_at = now if rate is None else max(now, self._started_at + 1 / rate)
        self._blocked_at = None
        self.held_at = now


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(a, b)

"""How many calls a second a server allows: searched for by even pacing (pure).

Calls that start evenly look alike to every limit on the rate, a token bucket of whatever size or a window of whatever
length: none is refused below the rate allowed, and soon one is above it. What is left is a search for one number, and
each refusal bounds it from both sides (the arrival curves of network calculus, Le Boudec and Thiran 2001):

- the pace that was refused is above the limit, or just at it where no burst is allowed;
- the calls accepted between two refusals, divided by the time between them, are below it, or just at it where a bucket
  saved up what was not used.

The interval is halved, by the ratio of its ends, until they are close or the same pace was refused twice. Then the pace
follows the cubic curve of TCP CUBIC (RFC 9438)
around what was found, ever more slowly as long as it holds.
"""

from __future__ import annotations

import math

FEW = 16
"""So few calls prove nothing of a rate: one more or less would change it by more than the search is exact to."""

QUICK_S, DOUBLING_S = 0.25, 1.0
"""The search doubles the pace in so many seconds: where but a few calls were accepted at first (no burst is allowed,
and the first guess much too low), and else."""

CLOSE = 1.1
"""An interval whose ends differ by such a factor needs no more halving: the curve covers it."""

SAME_PACE = 0.04
"""Paces that differ by at most such a share are the same."""

WIDTH = 0.03
"""The curve begins so much below what was found, is so much above it after twice its time, and steepens from there."""

MIN_CURVE_S, MAX_CURVE_S = 5.0, 120.0
"""Seconds from the curve's beginning until it is at what was found: doubled whenever that was found again."""

CURVE_PER_PAUSE = 10.0
"""The same is at least so many times the last pause, which then costs at most a twentieth."""

CURVES_PER_WINDOW = 2.0
"""The same is at least so many windows long: whoever climbs for less does not see in time that it is too much."""

LESS = 0.8
"""Where nothing is known to be below the limit, it is looked for down to this share of what was refused, once
more for each time that it was too much; cubed after the quick search, which doubled."""

SHORT_WINDOW_S = 1.0
"""Where the window is longer than that, what was accepted says more than what is tried for a while."""

MOST_FALLS = 3
"""A search that goes on downwards for longer than that converges to nothing: there is no such limit."""

MIN_ROUND_S = 2.0
"""A pace must last for so long, and twice as long as the last pause, to be taken for accepted: what a bucket saved up
meanwhile, or a new window, lets more through at first."""

CATCH_UP_S = 0.01
"""So far behind its pace a start may be made up for: timers are not exact."""


class Pace:
    """The rate, and when the next call is due. Every ``now`` is a reading of one clock in seconds."""

    def __init__(self) -> None:
        self.found: float | None = None
        """What the limit is taken for, calls a second; None: not known yet."""
        self.held_at = -math.inf
        """When a call was last held back by it."""
        self._base: float | None = None
        self._doubling_s = DOUBLING_S
        self.accepted = 0.0
        """The highest rate at which calls were accepted from one refusal to the next."""
        self._falls = 0  # refusals in a row, each at a lower pace than the one before
        self._low = 0.0
        self._high = math.inf
        self._round_s = MIN_ROUND_S
        self._curve_s = MIN_CURVE_S
        self._age = 0.0
        self._refused: float | None = None  # the last pace that was refused
        self._pause_s = 0.0
        self._count, self._seconds = 0, 0.0
        self._next_at = -math.inf
        self._started_at = -math.inf
        self._blocked_at: float | None = None

    @property
    def rate(self) -> float | None:
        """Calls that may start each second; None: not limited."""
        if self._base is None:
            return None
        if self.found is not None:
            return self.found * (1 + WIDTH * math.pow(self._age / self._curve_s - 1, 3))
        if self._high == math.inf:
            return self._base * math.pow(2.0, min(self._age / self._doubling_s, 64))
        return self._base

    @property
    def safe(self) -> float:
        """A rate that was accepted, on the whole; 0: none is known."""
        return (1 - WIDTH) * self.found if self.found is not None else self._low

    def begin(self, count: int, seconds: float, few: int = FEW) -> None:
        """Search from what was accepted so far: so many calls in so long."""
        self.forget()
        self._doubling_s = QUICK_S if count < few else DOUBLING_S
        self._base = 0.95 * max(1, count) / (min(seconds, 1.0) if self.quick else seconds)

    @property
    def quick(self) -> bool:
        """Too few calls were accepted for a guess: the search is a quick one."""
        return self._doubling_s == QUICK_S

    def pin(self, rate: float | None) -> None:
        """Somebody else says how fast."""
        if rate is None:
            self.forget()
        else:
            self._base, self.found, self._high = rate, None, rate
            self._age, self._round_s = 0.0, math.inf

    def forget(self) -> None:
        """Hold nothing back any more."""
        self._base = self.found = self._refused = None
        self._count, self._seconds = 0, 0.0
        self.accepted, self._low, self._high, self._age = 0.0, 0.0, math.inf, 0.0
        self._curve_s = MIN_CURVE_S

    def settle(self, rate: float, window_s: float, pause_s: float = 0.0) -> None:
        """Take this for the limit, and stay near it."""
        least = min(MAX_CURVE_S, max(MIN_CURVE_S, CURVES_PER_WINDOW * window_s, CURVE_PER_PAUSE * pause_s))
        again = self.found is not None and _same(rate, self.found, 2 * SAME_PACE)
        self._curve_s = max(least, min(MAX_CURVE_S, 2 * self._curve_s if again else MIN_CURVE_S))
        self._base, self.found, self._low, self._age = rate, rate, (1 - WIDTH) * rate, 0.0

    def refused(self, pace: float, count: int, seconds: float, window_s: float, pause_s: float) -> bool:
        """An episode at ``pace`` is over. Whether a limit on the rate explains it.

        ``count`` calls were accepted in the ``seconds`` between the refusals of the episode before and of this one.
        """
        self._count, self._seconds = self._count + count, self._seconds + seconds
        counted = None
        if self._count >= FEW:
            counted = min(pace, self._count / max(self._seconds, window_s))
            self._count, self._seconds = 0, 0.0
        explained, known = pace >= self.accepted, self._high < math.inf or self.found is not None
        self.accepted = max(self.accepted, counted or 0.0)
        twice = self._refused is not None and _same(pace, self._refused, SAME_PACE)
        falls = self._refused is not None and pace < (1 - SAME_PACE) * self._refused
        self._falls = self._falls + 1 if falls else 0
        explained = explained and self._falls <= MOST_FALLS
        self._refused = self._high = pace
        if self._low > 0.95 * pace:
            self._low = 0.0
        self._low = max(self._low, counted or 0.0)
        if twice:
            self.settle((1 - WIDTH / 2) * pace, window_s, pause_s)
        else:
            guess = self._low or pace * LESS ** (1 + self._falls)
            if not known and self.quick:  # there is no burst that what was accepted could be explained by
                guess = max(guess, pace * LESS**3)
            self._halve(window_s, pause_s, guess)
        return explained

    def _halve(self, window_s: float, pause_s: float, low: float) -> None:
        self._pause_s = pause_s
        middle = math.sqrt(low * self._high)
        if self._high <= CLOSE * low or window_s > SHORT_WINDOW_S:  # a long window is too long to halve and halve
            self.settle(middle, window_s, pause_s)
            return
        self.found, self._base, self._age = None, middle, 0.0
        self._round_s = max(MIN_ROUND_S + 2 * pause_s, FEW / 2 / middle)

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
        if before is None:
            return
        if self._blocked_at is None:
            self._next_at = now + 1 / before  # who did not wait for the pace is not behind it
            return
        waited = now - self._blocked_at
        self._blocked_at = None
        searching = self.found is None and self._high == math.inf
        self._age += min(waited, self._doubling_s) if searching else waited  # at most twice the pace from call to call
        if self.found is None and not searching and self._age >= self._round_s:
            self._low = before
            self._halve(0.0, self._pause_s, before)
        self._next_at = max(self._next_at, now - CATCH_UP_S) + 1 / (self.rate or before)

    def resume(self, now: float) -> None:
        """Calls may start again after a pause."""
        rate = self.rate
        self._next_at = now if rate is None else max(now, self._started_at + 1 / rate)
        self._blocked_at = None
        self.held_at = now


def _same(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * max(a, b)

"""Refusals that have nothing to do with how much is called: told from a limit, and put up with (pure).

Some servers refuse a share of all calls whatever the load: a broken backend among many, another tenant's storm. To go
slower does not help against that, and whoever does so on every refusal comes to a standstill (what is known of TCP on
lossy links). A sequential probability ratio test (A. Wald, Annals of Mathematical Statistics 16, 1945) decides, call by
call, between "the share refused is what it was at a much lower rate" and "it is more".
"""

from __future__ import annotations

import math

LEAP, SHORT_LEAP = 8.0, 1.0
"""The first rate tried is so many times the one that seemed to be refused: under a limit seven of eight calls fail.
After a leap that was too far the next attempts stay at the rate, whose refusals are counted."""

FULL_GROWTH, CAREFUL_GROWTH, BACK = 2.0, 1.05, 0.7
"""Factors of the rate: for each verdict "no more than before", the same after an excess, and for an excess."""

MORE = 0.2
"""An excess is a share of refusals that is higher by so much."""

MIN_SHARE, MAX_SHARE = 0.01, 0.35
"""The shares that are put up with. A server that refuses more is not helped by more calls."""

SURE, CERTAIN = 4.0, 8.0
"""Logarithms of the odds at which the test decides for no excess (wrong once in fifty) and for one (in 3,000)."""

MEMORY = 400
"""The share is that of so many of the latest calls, the older of them counting less."""

STRIKES = 3
"""So many verdicts of excess in a row, and it is a limit after all."""


class Tolerance:
    """Begins with a ``leap`` to a multiple of ``rate``. ``share``: of the calls so far that were refused."""

    def __init__(self, share: float, rate: float, leap: float = LEAP) -> None:
        self.rate: float | None = leap * rate
        """Calls that may start each second; None: not limited."""
        self.over = False
        """It was a limit after all."""
        self.confirmed = False
        """More calls did not mean that more of them were refused, at least once."""
        self._share = min(max(share, MIN_SHARE), MAX_SHARE)
        self._leap = leap
        self._growth = FULL_GROWTH if leap > SHORT_LEAP else CAREFUL_GROWTH
        self._known = MEMORY / 8
        self._known_refused = self._share * self._known
        self._odds, self._calls = 0.0, 0
        self._least = 2 / self._share  # twice as many as were made between two refusals
        self._strikes = STRIKES - 1  # the leap has one chance only

    @property
    def _excess(self) -> float:
        return self._share + MORE if self.confirmed else max(1 - 1 / self._leap, self._share + MORE)

    def answered(self, held: bool) -> None:
        """A call was not refused. ``held``: the rate held calls back since the last verdict."""
        self._calls += 1
        self._count(0)
        self._odds += math.log((1 - self._share) / (1 - self._excess))
        if self._odds < SURE:
            return
        if not self.confirmed and self._calls < self._least:  # a bucket or a window may hold a few
            self._odds = SURE
            return
        self._share = min(max(self._known_refused / self._known, MIN_SHARE), MAX_SHARE)
        if self.rate is not None:
            self.rate = self.rate * self._growth if held else None
        self._growth = min(FULL_GROWTH, 1 + 1.5 * (self._growth - 1))
        self._strikes, self.confirmed = 0, True
        self._odds = 0.0

    def refused(self, pace: float) -> bool:
        """A call was refused, at ``pace`` calls a second. Whether that makes too many of them."""
        self._count(1)
        self._odds += math.log(self._share / self._excess)
        if self._odds > -(CERTAIN if self.confirmed else SURE):
            return False
        self._odds = 0.0
        self._strikes += 1
        self.over = self._strikes >= STRIKES
        self.rate = BACK * min(pace, self.rate or pace)
        self._growth = CAREFUL_GROWTH
        return True

    def _count(self, refused: int) -> None:
        if self._growth < FULL_GROWTH:  # a part of the refusals may be due to the rate
            return
        self._known += 1
        self._known_refused += refused
        if self._known > MEMORY:
            self._known /= 2
            self._known_refused /= 2


DOUBTS, MAX_DOUBTS = 3.0, 16.0
"""So many episodes that no limit explains (half of those that one does taken off), and it is found out whether going
slower helps at all; half as many again whenever it did."""

MIN_CALLS = 40
"""Nothing is tried out before so many calls were accepted: limits of a handful look like chance."""


class Doubts:
    """Counts the episodes that no limit explains: below a pace that was accepted before, on the whole."""

    def __init__(self) -> None:
        self._unexplained = 0.0
        self._enough, self._leap = DOUBTS, LEAP
        self._calls = self._refusals = self._total = 0
        self._trusted: float | None = None

    def count(self, calls: int, explained: bool, found: float | None) -> bool:
        """An episode ended after so many accepted calls. Whether there are enough to find out.

        ``found``: calls a second that the limit is taken for.
        """
        self._total += calls
        if explained:
            self._unexplained = max(0.0, self._unexplained - 0.5)
        else:
            self._unexplained += 1.0
        if self._unexplained == 0:
            self._calls = self._refusals = 0
            self._trusted = found
            return False
        self._calls += calls
        self._refusals += 1
        return self._unexplained >= self._enough and self._total >= MIN_CALLS

    def tolerance(self, pace: float) -> Tolerance:
        """What to find out with."""
        return Tolerance(self._refusals / (self._refusals + self._calls), self._trusted or pace, self._leap)

    def over(self, tolerance: Tolerance) -> None:
        """It was a limit after all: it takes more to try again, and less is tried."""
        self._unexplained, self._calls, self._refusals = 0.0, 0, 0
        if tolerance.confirmed:
            return
        if self._leap == SHORT_LEAP:
            self._enough = min(MAX_DOUBTS, self._enough * 1.5)
        self._leap = SHORT_LEAP

"""How many calls side by side a server allows: told from a limit on the rate, and kept (pure).

A limit on the number of calls side by side never lets one more through, and always as many. So it is taken for one when
two episodes in a row came at the same number and no call was ever accepted beside so many; a single call that was
accepted beside them, or refused beside fewer, shows that it is none. Once found, one more is tried now and then
(additive increase, Chiu and Jain, Computer Networks and ISDN Systems 17, 1989).
"""

from __future__ import annotations

MIN_TEST_S, MAX_TEST_S = 30.0, 120.0
"""Seconds until one more call side by side is tried, doubled whenever that was refused."""

SHORT_TEST_S = 1.0
"""The same after one more was accepted, for there may be many more."""

ENOUGH, SMALL = 2, 8
"""So many episodes at the same number are believed, one more each time that it was wrong; and one more where it is
smaller than that, for so few are under way by chance."""

FIRST_TEST_S = 2.0
"""Seconds until the first test of so small a number, or where a refusal costs next to nothing."""

SPACED = 0.9
"""The one more is started alone, so much of the usual time between two starts after the last."""

SMOOTHING = 0.2
"""Weight of the latest time between two answers in their mean."""

PAUSE_S = 0.1
"""The pause after a refusal: one of those under way ends soon, and until then none is started anyhow."""


class Slots:
    """``most``: calls side by side that the plan allows."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.known = False
        """The number of calls side by side is what the server limits."""
        self._kept: int | None = None  # so many were under way at the last refusal
        self._times, self._enough = 0, ENOUGH
        self._accepted = 0
        self._test_s = MIN_TEST_S
        self._raised = self._confirmed = False
        self._changed_at = 0.0
        self._gap_s = self._accepted_at = 0.0
        self.started_at = 0.0

    def accepted(self, now: float, level: int) -> None:
        """A call that was the ``level``-th under way was accepted."""
        self._accepted = max(self._accepted, level)
        if not self.known:
            return
        self._gap_s += (now - self._accepted_at - self._gap_s) * SMOOTHING
        self._accepted_at = now
        self._confirmed |= level >= self.limit
        if self._raised and level >= self.limit:
            self._raised, self._changed_at = False, now
            self._test_s = max(SHORT_TEST_S, self._test_s / 4)
        elif not self._raised and now - self._changed_at >= self._test_s and level >= self.limit:
            self.limit, self._raised = min(self.most, self.limit + 1), True
            if self.limit == self.most:
                self.forget()

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until the one more that is tried may start: a rate that allows no burst must not be the reason."""
        if not (self.known and self._raised) or in_flight < self.limit - 1:
            return 0.0
        return max(0.0, self.started_at + SPACED * self._gap_s - now)

    def refused(self, now: float, level: int, kept: int, dear: bool) -> bool:
        """An episode began with the call that was the ``level``-th (0: nobody looked); ``kept`` others were accepted.

        ``dear``: the server names the pause. Whether the number of calls side by side explains it.
        """
        if self.known:
            if self._raised and level >= self.limit:
                self.limit, self._raised, self._changed_at = self.limit - 1, False, now
                self._test_s = min(MAX_TEST_S, max(MIN_TEST_S, 2 * self._test_s))
                return True
            if level == self.limit == kept + 1 > 1 and not self._confirmed:
                self.limit, self._confirmed = kept, True  # one had ended when they were counted
                return True
            self.forget()
            self._accepted = 0
            self._enough += 1
            return False
        self._accepted = max(self._accepted, kept)
        if 0 < level <= self._accepted or kept < 1:
            self._kept = None
            return False
        self._times = self._times + 1 if kept == self._kept else 1
        self._kept = kept
        if self._times < self._enough + (kept < SMALL):
            return False
        self.known, self.limit = True, kept
        self._changed_at, self._test_s = now, MIN_TEST_S if dear and kept >= SMALL else FIRST_TEST_S
        self._confirmed, self._gap_s, self._accepted_at = False, 0.0, now
        return True

    def forget(self) -> None:
        """It is no limit (any more)."""
        self.known, self.limit, self._kept, self._raised = False, self.most, None, False

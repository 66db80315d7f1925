"""How many calls side by side a server allows: told from a limit on the rate, and kept (pure).

A limit on the number of calls side by side never lets one more through, and always as many. So it is taken for one when
two episodes in a row came at the same number and no call was accepted beside so many; a single call that was accepted
beside them, or refused beside fewer, shows that it is none. Once found, one more is tried now and then (additive
increase, Chiu and Jain, Computer Networks and ISDN Systems 17, 1989); its refusal pauses nobody, for that the others go
is known.
"""

from __future__ import annotations

FIRST_TEST_S, MAX_TEST_S = 2.0, 120.0
"""Seconds until one more call side by side is tried, doubled whenever that was refused."""

SHORT_TEST_S = 1.0
"""The same after one more was accepted, for there may be many more."""

ENOUGH = 2
"""So many episodes at the same number are believed, one more each time that it was wrong; and one more of a single
call, for a rate that allows no burst looks like it."""

REST_S = 0.5
"""Before one more is tried, one place stays free for so long: another process that shares the limit may take it, which
would else never find one."""

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
        self._test_s = FIRST_TEST_S
        self._raised = False
        self._changed_at = self._rest_until = 0.0
        self._gap_s = self._accepted_at = 0.0
        self.started_at = 0.0

    def accepted(self, now: float, level: int) -> None:
        """A call that was the ``level``-th under way was accepted."""
        self._accepted = max(self._accepted, level)
        if not self.known:
            return
        self._gap_s += (now - self._accepted_at - self._gap_s) * SMOOTHING
        self._accepted_at = now
        if self._raised and level >= self.limit:
            self._raised, self._changed_at = False, now
            self._test_s = max(SHORT_TEST_S, self._test_s / 4)
            if self.limit == self.most:
                self.forget()
        elif not self._raised and now - self._changed_at >= self._test_s and level >= self.limit:
            self.limit, self._raised, self._rest_until = self.limit + 1, True, now + REST_S

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until the one more that is tried may start: a rate that allows no burst must not be the reason."""
        if not (self.known and self._raised) or in_flight < self.limit - 2:
            return 0.0
        if in_flight < self.limit - 1:
            return max(0.0, self._rest_until - now) if in_flight else 0.0
        return max(0.0, self.started_at + SPACED * self._gap_s - now)

    def tested(self, now: float, level: int) -> bool:
        """Whether the refused call, the ``level``-th, was the one more: of the others it tells nothing.

        Or one more than goes since another process took the place left free.
        """
        if self.known and self._raised and level >= max(2, self.limit - 1):
            self.limit, self._raised, self._changed_at = level - 1, False, now
            self._test_s = min(MAX_TEST_S, 2 * self._test_s)
        return self.known and level > self.limit

    def refused(self, now: float, level: int, kept: int) -> bool:
        """An episode began with the call that was the ``level``-th (0: nobody looked); ``kept`` others were accepted.

        Whether the number of calls side by side explains it.
        """
        if self.known:
            self.forget()
            self._accepted = 0
            self._enough += 1
            return False
        self._accepted = max(self._accepted, kept)
        if 0 < level <= self._accepted or kept < 1:
            self._kept, self._accepted = None, kept  # or fewer were accepted: they are counted anew
            return False
        self._times = self._times + 1 if kept == self._kept else 1
        self._kept = kept
        if self._times < self._enough + (kept == 1):
            return False
        self.known, self.limit = True, kept
        self._changed_at, self._test_s = now, FIRST_TEST_S
        self._gap_s, self._accepted_at = 0.0, now
        return True

    def forget(self) -> None:
        """It is no limit (any more)."""
        self.known, self.limit, self._kept, self._raised = False, self.most, None, False

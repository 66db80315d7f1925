"""What the refusals of a target's calls tell: a limit, what a call asks, or a server that serves nobody (pure)."""

from __future__ import annotations

import math

from sharpen.errors import ErrorKind
from sharpen.executor.breaker import is_trouble
from sharpen.targets.base import Failure

ANSWERED_S = 300.0
"""Who answered a call within so many seconds before a refusal will answer the refused one, too."""

MANY = 30
"""Who answered so many calls and then refuses whatever comes has a limit. Of fewer, it may be what the call asks."""

SEVERAL = 3
"""So many calls that were refused and not answered yet are refused for a limit, and not each for what it asks."""

STRANGE_S, SHUT_S = 60.0, 600.0
"""Who never answered a call is asked for so long, since a window of a minute may have been full before the first call;
who did, for so long: every window that is usual is over by then (``pausing.WINDOWS_S``)."""

ASKED_AGAIN = 3
"""And so many times, after pauses: two may be another user's doing, where the server asks for long ones."""


class Refusals:
    """Watches the calls of one target. Every time is a reading of one clock, in seconds."""

    def __init__(self) -> None:
        self.answers = 0
        """Calls that were answered."""
        self.met = False
        """A call was refused, or may have been: from then on every answer is told to ``answered``."""
        self.waiting = 0
        """Calls that were refused while others were served, and are not over."""
        self.era = 0
        """Another one begins with an answer after refusals."""
        self._answers_known = 0
        self._answered_at = -math.inf  # or later: when it was seen
        self._served_from = -math.inf  # since then: the latest start of a call that was answered
        self._relented_at = -math.inf
        self._shut_at = 0.0  # the first refusal since a call was answered
        self._shut_calls = self._shut_episodes = 0  # since then

    def answered(self, started_at: float) -> None:
        """A call that started then was."""
        self._served_from = max(self._served_from, started_at)
        self.era += self._shut_calls > 0
        self._shut_calls = self._shut_episodes = 0

    def count(self, now: float, failure: Failure, in_flight: int, first: bool) -> bool:
        """Note a call that has just failed so. Whether it was refused by a server that serves, or may serve, others.

        ``in_flight``: other calls under way; ``first``: this call had not been refused in this ``era``.
        """
        if not is_refusal(failure) and not is_silent_503(failure):
            return False
        self.met = True
        if self.answers != self._answers_known:
            self._answers_known, self._answered_at = self.answers, now
        self._shut_at = self._shut_at if self._shut_calls else now
        self._shut_calls += first or not self._shut_calls
        return in_flight > 0 or now - self._answered_at < ANSWERED_S

    def episode(self) -> None:
        """Calls were refused after a pause, or for the first time."""
        self._shut_episodes += 1

    def over(self, now: float, answered: bool) -> None:
        """One of those ``waiting`` is."""
        self.waiting -= 1
        if answered:
            self._relented_at = now

    def limit_is_to_blame(self, now: float, refused_at: float, in_flight: int) -> bool:
        """Whether a call refused since then is worth more than its retries, for it is not refused for what it asks.

        Others are under way that may take its place, several wait after a refusal (and some call was answered),
        calls that had been refused were answered lately, or of many that were answered none came later.
        """
        several = self.answers > 0 and self.waiting >= SEVERAL
        if in_flight or several or now - self._relented_at < ANSWERED_S:
            return True
        return self.answers >= MANY and not self.served_since(refused_at)

    def served_since(self, moment: float) -> bool:
        """Whether a call that started later than that was answered: the server is not down."""
        return self._served_from > moment

    def verdict(self, now: float, subject: str, failure: Failure) -> str | None:
        """Why ``subject`` is given up after this failure: it refuses every call. None while there is hope."""
        shut_s = now - self._shut_at
        hope = self._shut_calls < SEVERAL or self._shut_episodes < ASKED_AGAIN
        if hope or shut_s < (SHUT_S if self.answers else STRANGE_S) or not is_refusal(failure):
            return None
        never = "" if self.answers else " and never answered one"
        return f"{subject} has refused every call for {shut_s:.0f} s{never}: {failure.message}"


def is_refusal(failure: Failure) -> bool:
    """Whether the server refused the call because of too many: 429, or 503 that says when to come back."""
    if failure.kind is ErrorKind.RATE_LIMIT:
        return failure.retryable
    return failure.kind is ErrorKind.SERVER and failure.retryable and failure.retry_after_s is not None


def is_silent_503(failure: Failure) -> bool:
    """Whether the server is out of service and does not say for how long: overloaded, or down."""
    return failure.http_status == 503 and is_trouble(failure) and failure.retry_after_s is None

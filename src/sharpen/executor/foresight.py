"""What a server says it has left → how long to start nothing, so that it need not refuse (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sharpen.targets.base import RateHints

MIN_SPAN_S = 0.5
"""Two looks at a reset must be so far apart to tell a bucket from a window."""

MAX_HOLD_S = 300.0
"""Nothing that a server says holds calls back for longer; then they find out by themselves."""

SMOOTHING = 0.1
"""Weight of the newest call in the mean number of tokens of a call."""


@dataclass(slots=True)
class _Gauge:
    """One limit as the server tells of it: is it a window, reset at one moment, or a bucket that fills steadily?

    The moment of a window's reset stands still. That of a bucket, by which it would be full, moves away as fast as
    time goes by, or faster, while it is drawn from.
    """

    seen_at: float = -math.inf
    moment: float = 0.0
    moved: bool = False  # within one look, so that it was no new window

    def hold(
        self, now: float, took: float, needed: float, limit: float | None, remaining: float | None, reset_s: float
    ) -> float:
        """Seconds until ``needed`` will be there, by an answer that ``took`` so long.

        A bucket has been filled since the call was let in; when a window began is told as of the answer, to be safe.
        """
        moment, elapsed = now + reset_s, now - self.seen_at
        steady = self.moved
        if elapsed >= MIN_SPAN_S:
            steady = moment - self.moment >= 0.5 * elapsed
            if now <= self.moment:
                self.moved = steady
        if elapsed == math.inf or (now > self.moment and reset_s >= MIN_SPAN_S):  # the first look, or another window
            self.seen_at, self.moment = now, moment
        if remaining is None or remaining >= needed:
            return 0.0
        if steady and limit is not None and limit > remaining:
            return max(0.0, reset_s * min(1.0, (needed - remaining) / (limit - remaining)) - took)
        return reset_s


class Foresight:
    """Heeds the hints of one server. All times are readings of one clock, in seconds."""

    def __init__(self) -> None:
        self._requests = _Gauge()
        self._tokens = _Gauge()
        self._tokens_a_call = 0.0
        self._held_until = self._told_until = -math.inf  # of the latest hold that was cut short
        self._refuted = False

    def hold(self, now: float, hints: RateHints, used: int, took: float = 0.0, accepted: bool = True) -> float:
        """Seconds to start nothing after an answer that used so many tokens and ``took`` so long; 0: call on.

        At most ``MAX_HOLD_S``. A server that then accepts a call, long before anything was to be left, is not heeded
        any more. ``accepted``: the call was not refused.
        """
        if self._refuted or (accepted and self._held_until <= now - took and now < self._told_until):
            self._refuted = True
            return 0.0
        if used:
            self._tokens_a_call += (used - self._tokens_a_call) * (SMOOTHING if self._tokens_a_call else 1.0)
        requests = self._requests.hold(
            now, took, 1.0, hints.limit_requests, hints.remaining_requests, hints.reset_requests_s or 0.0
        )
        needed = max(1.0, self._tokens_a_call)
        tokens = self._tokens.hold(
            now, took, needed, hints.limit_tokens, hints.remaining_tokens, hints.reset_tokens_s or 0.0
        )
        hold = max(requests, tokens)
        if hold > MAX_HOLD_S:
            self._held_until, self._told_until = now + MAX_HOLD_S, now + hold
        return min(hold, MAX_HOLD_S)

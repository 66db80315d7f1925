"""How many calls a server lets run side by side, and how many a second: learned from its refusals (pure).

Nothing is limited until a server refuses a call (429, or 503 with Retry-After). From then on the limits come down
multiplicatively and feel their way up again. What is borrowed, and from where:

- the rate follows the cubic curve of TCP CUBIC (RFC 9438), as the AWS SDKs' adaptive retry mode does for a client's
  request rate: quickly back to what was found possible, a while near it, then on to see whether more is possible now;
- the concurrency is AIMD (Chiu and Jain, Computer Networks and ISDN Systems 17, 1989), with slow start until it is
  known (RFC 5681), as in Netflix' concurrency-limits;
- refusals of calls that started before the first of them was known are one episode and count once (RFC 6582, "fast
  recovery"). An episode ends the start of calls for as long as the server asks. When it does not say how long, for a
  second and then twice as long each time, with one single call in between to find out.

How much a server allows is measured, not guessed: what it accepted between two resumptions, divided by the time
between them. That is exact for token buckets and for windows, fixed or sliding, as long as the server was kept busy.
Two measurements in a row that agree are believed; until then the search is wide.
"""

from __future__ import annotations

import math

from sharpen.executor.tolerance import LEAP, SHORT_LEAP, Tolerance

PAUSE_S = 1.0
"""The first pause when the server names none; the most common window that limits are enforced over."""

SHORT_PAUSE_S = 0.1
"""The same when the number of calls side by side is known to be what the server limits: one of them ends soon."""

MAX_PAUSE_S = 10.0
"""Pauses that the server did not ask for grow up to this: of a window of a minute at most a sixth is lost."""

STEP_BACK = 0.9
"""After an episode the rate starts at this share of what was measured, and below the rate that was refused."""

FIRST_STEP_BACK, LATER_STEP_BACK = 0.75, 0.6
"""After a rate that doubled, or that followed a curve, was refused and soon accepted again, so much of it is tried at
least."""

DOUBLING_S = 0.5
"""While nothing is known of the rate but that it was refused, it doubles in so many seconds."""

AGREEMENT = 0.25
"""Two measurements that differ by at most this share of the larger one agree."""

MIN_CURVE_S, MAX_CURVE_S = 5.0, 60.0
"""Seconds from the step back until the rate is what was measured: half as long as the last episode was ago."""

MIN_PROBE_S, MAX_PROBE_S = 10.0, 60.0
"""Seconds until one more call side by side is tried, doubled whenever that was refused."""

SURE_CURVE_S = 20.0
"""The least of the same when the same rate was refused twice."""

LONG_PAUSE_S = 5.0
"""A pause that long means that nothing was to be had meanwhile (a window); a shorter one only that nobody asked."""

CATCH_UP_S = 0.01
"""So far behind its pace a start may be made up for: timers are not exact."""

RELEVANT_S = 10.0
"""A rate that has held nothing back for so long, while the number of calls side by side did, is no limit any more."""


DOUBTS, MAX_DOUBTS = 4.0, 16.0
"""So many episodes that no limit explains (half of those that one does taken off), and it is found out whether going
slower helps at all; half as many again whenever it did."""

MIN_CALLS = 40
"""Nothing is tried out before so many calls were accepted: limits of a handful look like chance."""

FEW = 20
"""So few calls in so short a time as ``MIN_CURVE_S``, or below the rate of before, exceed nothing."""

SAME_MEASURED, SAME_PACE = 0.15, 0.1
"""An episode is explained when what was accepted, or the rate that was refused, differs by at most such a share from
the one before."""

HELD_S = 1.0
"""A rate that held a call back so lately is what limits."""

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
        self.most = most
        self.concurrency = most
        self._since = began
        self._starts = starts
        # the pause
        self._paused = False
        self._until = 0.0
        self._asked = False
        self._pause_s = PAUSE_S
        self._probe_ends: float | None = None
        self._proved = True
        # the episode
        self._paused_at = began
        self._by_rate = False
        self._in_flight = 0
        self._accepted_level = 0
        self._refused_too = 0
        self._refusal_s = 0.0
        self._refused_rate: float | None = None
        self._refused_pace: float | None = None
        # the rate: a curve over the time that it held something back
        self._floor: float | None = None
        self._plateau: float | None = None
        self._amplitude = 0.0
        self._curve_s = MIN_CURVE_S
        self._age = 0.0
        self._next_at = 0.0
        self._paced_at = -math.inf
        self._blocked_at: float | None = None
        self._measured: float | None = None
        self._held = self._kept_pace = False
        self._started_at = -math.inf
        # refusals that no limit explains
        self._tolerance: Tolerance | None = None
        self._unexplained = 0.0
        self._doubts, self._leap = DOUBTS, LEAP
        self._doubted_calls = self._doubted_refusals = 0
        self._last_refused_rate: float | None = None
        self._total = 0
        self._refused_at = began
        # the number of calls side by side
        self._kept: int | None = None
        self._slots_known = False
        self._probe_s = MIN_PROBE_S
        self._full = False
        self._raised = False
        self._round = 0
        self._changed_at = began

    @property
    def rate(self) -> float | None:
        """Calls that may start each second; None: not limited."""
        if self._tolerance:
            return self._tolerance.rate
        if self._floor is None:
            return None
        if self._plateau is None:
            return self._floor * math.pow(2.0, min(self._age / DOUBLING_S, 64))
        return self._plateau + self._amplitude * (self._age / self._curve_s - 1) ** 3

    @property
    def unlimited(self) -> bool:
        """Nothing is held back any more."""
        return self.rate is None and self.concurrency >= self.most and not self._paused and self._proved

    def calm(self, now: float) -> bool:
        """No refusal is to be reckoned with: nothing is held back, and there were none for a good while."""
        return self.unlimited and (self._tolerance is None or now - self._refused_at > CALM_S)

    def paused_for(self, now: float) -> float:
        """Seconds until calls may start again after a refusal."""
        return max(0.0, self._until - now) if self._paused else 0.0

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until the next call may start; 0: now; infinite: not before another one has ended."""
        if self._paused:
            if now < self._until:
                return self._until - now
            self._resume(now)
        if in_flight >= (self.concurrency if self._proved or self._by_rate else self._in_flight_kept):
            return math.inf
        if not self._proved and self._probe_ends is not None:
            if now < self._probe_ends:  # a refusal comes quickly: what takes longer was accepted
                return self._probe_ends - now
            self._prove(now)
        if now < self._next_at and self.rate is not None:
            if self._blocked_at is None:
                self._blocked_at = now
            self._paced_at = now
            return self._next_at - now
        return 0.0

    def started(self, now: float, in_flight: int) -> None:
        """One more call has started; ``in_flight`` includes it."""
        self._starts += 1
        self._started_at = now
        if in_flight >= self.concurrency:
            self._full = True
            if self._floor is not None and now - self._paced_at > RELEVANT_S:
                self._floor = self._plateau = None
        if not self._proved and not self._asked:
            self._probe_ends = now + max(0.05, 3 * self._refusal_s)
        rate = self.rate
        if rate is not None:
            self._held = self._blocked_at is not None
            if self._blocked_at is None:
                self._next_at = now + 1 / rate  # who did not wait for the pace is not behind it
                return
            self._age += now - self._blocked_at  # only while it holds something back does a rate grow
            self._blocked_at = None
            self._next_at = max(self._next_at, now - CATCH_UP_S) + 1 / (self.rate or rate)

    def answered(self, now: float, late: bool, level: int) -> None:
        """A call ended, and not by a refusal."""
        if late:
            return
        if self._tolerance:
            self._tolerance.answered(now - self._paced_at <= HELD_S)
            return
        self._accepted_level = max(self._accepted_level, level)
        if not self._proved:
            self._prove(now)
        self._round += 1
        if self._round < self.concurrency:
            return
        full, self._full, self._round = self._full, False, 0
        if not full or self.concurrency >= self.most:
            return
        if not self._slots_known:
            self.concurrency = min(self.most, self.concurrency * 2)
        elif now - self._changed_at >= self._probe_s:
            self.concurrency += 1
        else:
            return
        if self._slots_known and self._raised:
            self._probe_s = max(1.0, self._probe_s / 4)  # the last one was not refused: there is more to be had
        self._raised = True
        self._changed_at = now

    def refused(self, now: float, late: bool, level: int, asked: float | None, in_flight: int, took: float) -> bool:
        """A call was refused. Whether another episode begins, or the present one goes on with another pause.

        ``asked``: seconds that the server asks to wait; ``in_flight``: the other calls under way.
        """
        self._starts -= 1
        if late:
            self._refused_too += 1
            if self._paused and asked is not None:
                self._until = max(self._until, now + asked)
                self._asked = True
            return False
        self._refusal_s = took
        if self._tolerance and not self._tolerance.refused(self._pace(now)):
            self._refused_at = now
            return False
        self._refused_at = now
        if self._proved and self._starts > 0:
            self._begin_episode(now, level, in_flight)
        else:
            self._pause_s = min(MAX_PAUSE_S, self._pause_s * 2)
        self._paused, self._asked = True, asked is not None
        self._until = now + (self._pause_s if asked is None else asked)
        return True

    def _begin_episode(self, now: float, level: int, in_flight: int) -> None:
        """Tell by what was exceeded: where as many were accepted side by side before, it was the rate."""
        self._kept_pace = self._held and self._plateau is not None and in_flight + 1 < self.concurrency
        self._by_rate = self._kept_pace or 0 < level <= max(1, self._accepted_level)
        self._in_flight, self._refused_too = in_flight, 0
        self._refused_rate = self._pace(now)
        self._pause_s = SHORT_PAUSE_S if self._slots_known and not self._by_rate else PAUSE_S
        self._paused_at = now

    def _pace(self, now: float) -> float:
        """Calls that are started each second at present."""
        return self.rate or max(1, self._starts) / max(now - self._since, 1e-3)

    def _doubt(self, measured: float, span: float, pause: float) -> None:
        """Count the episodes that look like no limit: a real one is soon met at the same height again and again."""
        refused = self._refused_rate or measured
        if self._last_refused_rate is None or self._measured is None or (self._slots_known and not self._by_rate):
            explained, soon = True, False
        else:
            same = _agree(measured, self._measured, share=SAME_MEASURED)
            same = same or _agree(refused, self._last_refused_rate, share=SAME_PACE)
            same = same and refused >= 0.95 * (self._plateau or 0.0)
            below = refused < (self._plateau or 0.0)
            soon = self._starts < FEW and (below or span - pause < MIN_CURVE_S)
            explained = pause >= LONG_PAUSE_S or (same and not soon)
        self._last_refused_rate = refused
        self._doubted_calls += self._starts
        self._total += self._starts
        if not explained:
            self._unexplained += 1.5 if soon else 1.0
            self._doubted_refusals += 1
        elif self._unexplained > 0:
            self._unexplained -= 0.5
            self._doubted_refusals += 1
        if self._unexplained <= 0:
            self._doubted_calls = self._doubted_refusals = 0

    def dropped(self, late: bool) -> None:
        """A call was cancelled and proves nothing: if it was the probe, there may be another."""
        if not late and not self._proved:
            self._probe_ends = None

    def _resume(self, now: float) -> None:
        """The pause is over. Set the limits by what was learned, unless a probe has to go first."""
        self._paused, self._proved, self._probe_ends = False, False, None
        if self._asked:
            self._prove(now)

    def _prove(self, now: float) -> None:
        """Calls are accepted again: measure, step back, and go on."""
        self._proved, self._probe_ends = True, None
        span, pause = max(now - self._since, 1e-3), now - self._paused_at
        measured = max(1, self._starts) / span
        if self._tolerance is None:
            self._doubt(measured, span, pause)
        if self._tolerance:
            self._endure(self._tolerance)
        elif self._unexplained >= self._doubts and self._total >= MIN_CALLS:
            share = self._doubted_refusals / (self._doubted_refusals + self._doubted_calls)
            self._tolerance = Tolerance(share, self._refused_rate or measured, self._leap)
            self.concurrency = self.most
        elif self._by_rate:
            self._step_back_rate(measured, span, pause)
        else:
            self._step_back_slots(now)
            if self._slots_known:
                self._floor = self._plateau = None
            elif self._measured is not None:
                self._step_back_rate(measured, span, pause)
            else:
                self._floor, self._plateau, self._age = STEP_BACK * measured, None, 0.0
        self._measured = measured
        self._since, self._starts, self._accepted_level = now, 0, 0
        rate = self.rate
        self._next_at = now if rate is None else max(now, self._started_at + 1 / rate)  # a probe has just gone
        self._paced_at = now
        self._blocked_at = None

    def _endure(self, tolerance: Tolerance) -> None:
        """Go on after too many refusals of those that are put up with, or do not put up with them any more."""
        if not tolerance.over:
            return
        self._tolerance, self._unexplained = None, 0.0
        self._doubted_calls = self._doubted_refusals = 0
        if tolerance.confirmed and tolerance.rate is not None:
            self._doubts, self._leap = DOUBTS, LEAP
            self._plateau, self._floor = tolerance.rate, STEP_BACK * tolerance.rate
            self._amplitude, self._curve_s = self._plateau - self._floor, MIN_CURVE_S
        else:  # the curve from before goes on, from its beginning
            self._doubts = min(MAX_DOUBTS, self._doubts * 1.5)
            self._leap = max(SHORT_LEAP, self._leap / 2)
        self._age = 0.0

    @property
    def _in_flight_kept(self) -> int:
        """Calls that were under way when the episode began and were not refused."""
        return max(1, self._in_flight - self._refused_too)

    def _step_back_slots(self, now: float) -> None:
        kept = self._in_flight_kept
        self._slots_known = self._kept is not None and _agree(kept, self._kept, slack=1.0)
        if self._slots_known and self._kept is not None:
            kept = max(kept, self._kept)  # one may have ended while the refusal was on its way
        self._kept = kept
        self.concurrency = max(1, min(kept, self.concurrency - 1))
        if self._slots_known:
            self._probe_s = min(MAX_PROBE_S, self._probe_s * 2) if self._raised else MIN_PROBE_S
        self._raised = False
        self._round, self._full, self._changed_at = 0, False, now

    def _step_back_rate(self, measured: float, span: float, pause: float) -> None:
        """Lay the curve between what was accepted, on the whole, and the rate at which it was refused.

        A pace that is refused twice at the same height is the limit. One that is refused after a good while is above
        it, and what was accepted below. When two measurements agree, it is nearer to them (a bucket had filled up).
        """
        if self._by_rate:
            self.concurrency, self._kept, self._slots_known = self.most, None, False
        refused = self._refused_rate or measured
        if pause < LONG_PAUSE_S:  # one that nobody made use of: more may be had than was accepted
            if self._plateau is None and self._held:
                measured = max(measured, FIRST_STEP_BACK * refused)
            elif self._kept_pace and self._unexplained < 2:
                measured = max(measured, LATER_STEP_BACK * refused)
        measured = min(measured, refused)
        between = math.sqrt(measured * refused)
        self._floor = STEP_BACK * measured
        twice = self._kept_pace and self._refused_pace is not None and _agree(refused, self._refused_pace, share=0.1)
        if self._kept_pace and pause < LONG_PAUSE_S and span - pause >= MIN_CURVE_S:
            self._plateau = between
        elif self._measured is not None and _agree(measured, self._measured):
            self._plateau = math.sqrt(measured * between) if pause < LONG_PAUSE_S else measured
        else:
            self._plateau = max(self._floor, STEP_BACK * between)
        self._refused_pace = refused if self._kept_pace else None
        self._amplitude = max(self._plateau - self._floor, 0.05 * self._plateau)
        self._curve_s = min(MAX_CURVE_S, max(MIN_CURVE_S, span / 2))
        self._age = 0.0
        if twice:  # the better it is known, the more seldom it is put to the test
            self._floor, self._plateau = STEP_BACK * refused, 0.97 * refused
            self._amplitude, self._curve_s = self._plateau - self._floor, min(MAX_CURVE_S, max(SURE_CURVE_S, span))


def _agree(a: float, b: float, slack: float = 0.0, share: float = AGREEMENT) -> bool:
    return abs(a - b) <= max(slack, share * max(a, b))

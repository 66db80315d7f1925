"""The limit is told from the moments of accepted calls; what rounding and small buckets must not do to it (pure)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.executor.foresight import Foresight
from sharpen.executor.pacing import CATCH_UP_S, Pace
from sharpen.executor.pausing import Pause
from sharpen.targets.base import RateHints


def _searched(rate: float, capacity: int, seconds: float = 600.0) -> tuple[Pace, float]:
    """A search against a bucket, until the first refusal of a paced call; when that was."""
    pace, now, level = Pace(), 1.0, 0.0
    pace.begin(capacity, 0.0, 0.0, now, 1.0)
    pace.resume(now)
    level = min(capacity, rate * now)
    while now < seconds:
        wait = pace.wait(now)
        now, level = now + wait, min(capacity, level + wait * rate)
        pace.started(now)
        if level < 1 - 1e-9:
            return pace, now
        level -= 1
    raise AssertionError("never refused")


@settings(max_examples=50, deadline=None)
@given(rate=st.floats(1, 200), capacity=st.sampled_from([1, 2, 3, 4, 20, 50, 200]))
def test_the_moments_of_accepted_calls_tell_what_a_bucket_is_filled_with(rate: float, capacity: int) -> None:
    """Whatever its size: never above the limit by more than a call or two, and not far below."""
    pace, now = _searched(rate, capacity)
    refused_pace = pace.rate
    assert refused_pace is not None
    limit = pace.explain(now, now, refused_pace, len(pace._starts) - 1 - capacity, 1.0)
    if pace.full:  # about as large as its rate: nobody can tell it from a window yet
        assert limit <= capacity
        return
    if refused_pace > 4 * rate or len(pace._starts) <= capacity + 1:
        return  # the very first gap was much too short, there is nothing to learn from
    assert limit <= 1.1 * rate + 1
    assert limit >= 0.4 * min(rate, refused_pace)


@pytest.mark.parametrize("rate", [5.0, 20.0, 50.0])
def test_without_burst_the_curve_begins_below_the_gap_that_was_accepted(rate: float) -> None:
    pace, now = _searched(rate, 1)
    refused_pace = pace.rate or 0.0
    limit = pace.explain(now, now, refused_pace, 1, 1.0)
    assert limit <= rate * (1 + 1e-6)  # the shortest gap that was accepted
    pace.refused(refused_pace, limit, 20, now - 1.0, 1.0, 0.1)
    assert pace.rate is not None
    assert pace.found is not None
    assert 0.6 * rate <= pace.rate < rate
    assert pace.rate < pace.found <= 1.3 * rate


def test_the_refused_call_does_not_count_as_accepted_whatever_the_clocks_say() -> None:
    limits = []
    for lag in (-1e-9, 0.0, 0.004):  # between the start as it was noted and as it was timed
        pace, now = _searched(20.0, 1)
        limits.append(pace.explain(now + lag, now + 0.01, pace.rate or 0.0, 1, 1.0))
    assert limits == pytest.approx([limits[0]] * 3, rel=0.01)


@pytest.mark.parametrize(("burst", "made_up"), [(1, 0.0), (100, CATCH_UP_S)])
def test_a_late_start_is_made_up_for_only_where_a_burst_is_allowed(burst: int, made_up: float) -> None:
    pace = Pace()
    pace.begin(burst, 0.0, 0.0, 1.0, 1.0)
    pace.settle(10.0, 1.0)
    pace.resume(1.0)
    pace.started(1.0)
    due = 1.0 + pace.wait(1.0)
    late = due + 0.02
    pace.started(late)
    gap = 1 / (pace.rate or math.nan)
    assert pace.wait(late) == pytest.approx(gap - made_up, rel=1e-3)


def test_whole_seconds_do_not_make_a_window_longer_than_it_is() -> None:
    """A window of a minute that has been used for 12.3 s: 47.7 s are left, the server says 48."""
    pause = Pause()
    pause.begin(12.3, 48.0, 1.0, 0.0)
    assert pause.window_s == 60.0
    full = Pause()
    full.begin(0.2, 60.0, 1.0, 0.0)  # 59.8 s are left, told as 60
    assert full.window_s == 60.0


def test_a_small_bucket_that_tells_of_itself_is_not_taken_for_a_window() -> None:
    """Five calls, one each 0.2 s: its reset moves on while it is used; the next call is there long before."""
    foresight, held = Foresight(), []
    for number in range(20):
        now = 0.2 * number
        hints = RateHints(limit_requests=5, remaining_requests=0, reset_requests_s=1.0)
        held.append(foresight.hold(now, hints, 0))
    assert held[0] == 1.0  # nothing is known of it yet
    assert held[4:] == pytest.approx([0.2] * 16)


def test_a_window_that_tells_of_itself_is_waited_for() -> None:
    foresight, held = Foresight(), []
    for number in range(5):
        now = 0.2 * number
        held.append(foresight.hold(now, RateHints(limit_requests=5, remaining_requests=0, reset_requests_s=1 - now), 0))
    assert held == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])

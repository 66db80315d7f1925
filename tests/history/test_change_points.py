"""Change points: how often they are found where there is none, and how soon where there is one."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.history.change_points import CountWatch, RankWatch, count_shifts, value_shifts


def run_length(watch, points, threshold, longest):
    """With which point the watch first gives an alarm; ``longest`` when it gives none."""
    for number in range(1, longest + 1):
        evidence = watch.add(next(points))[1:]
        if len(evidence) and np.logaddexp.reduce(evidence) >= math.log(threshold):
            return number
    return longest


def counts(rng, rate, of):
    while True:
        yield float(rng.binomial(of, rate)), float(of)


def unlike_cases(rng, of):
    """Cases of every difficulty: the same ones in each run."""
    rates = np.linspace(0.02, 0.98, of)
    while True:
        yield float((rng.random(of) < rates).sum()), float(of)


def values(rng, draw):
    while True:
        yield draw(), float(rng.random())


THRESHOLD = 20
WORLDS = {
    "half of 20": lambda rng: (CountWatch(), counts(rng, 0.5, 20)),
    "nearly all of 50": lambda rng: (CountWatch(), counts(rng, 0.97, 50)),
    "cases of every difficulty": lambda rng: (CountWatch(), unlike_cases(rng, 30)),
    "normal values": lambda rng: (RankWatch(), values(rng, lambda: float(rng.normal()))),
    "heavy tails": lambda rng: (RankWatch(), values(rng, lambda: float(rng.pareto(1)))),
    "always the same value": lambda rng: (RankWatch(), values(rng, lambda: 18.0)),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_average_run_length_without_a_change_is_at_least_half_the_threshold(world):
    """The bound that the module states, at a threshold low enough to see alarms; the mean of 60 series."""
    rng = np.random.default_rng(7)
    lengths = [run_length(*WORLDS[world](rng), THRESHOLD, 60) for _ in range(60)]
    assert np.mean(lengths) >= THRESHOLD / 2
    within = 10
    assert np.mean([length <= within for length in lengths]) <= within / THRESHOLD


def test_at_the_threshold_that_is_used_a_year_of_steady_runs_is_quiet():
    rng = np.random.default_rng(3)
    assert count_shifts([int(k) for k in rng.binomial(40, 0.8, 250)], [40] * 250) == ()
    assert value_shifts(list(rng.lognormal(size=250))) == ()
    assert value_shifts([18.0] * 250) == ()


def test_a_drop_in_success_is_seen_in_the_run_in_which_it_happens():
    (shift,) = count_shifts([19] * 12 + [4] * 6, [20] * 18)
    assert (shift.at, shift.noticed) == (12, 12)
    assert (shift.earliest, shift.latest) == (12, 12)
    assert shift.evidence > 1000


def test_a_small_drop_takes_a_few_runs_and_its_place_is_told_as_a_range():
    rng = np.random.default_rng(5)
    passed = [int(k) for k in (*rng.binomial(30, 0.95, 20), *rng.binomial(30, 0.75, 20))]
    (shift,) = count_shifts(passed, [30] * 40)
    assert shift.noticed > 20
    assert shift.earliest <= 20 <= shift.latest


def test_several_changes_are_found_one_after_the_other():
    shifts = count_shifts([5] * 8 + [19] * 8 + [10] * 8, [20] * 24)
    assert [shift.at for shift in shifts] == [8, 16]
    shifts = value_shifts([100.0 + n % 3 for n in range(20)] + [300.0 + n % 3 for n in range(20)])
    assert [shift.at for shift in shifts] == [20]
    assert 20 < shifts[0].noticed < 30


def test_values_go_down_as_well_as_up():
    rng = random.Random(1)
    falling = [rng.gauss(100, 5) for _ in range(20)] + [rng.gauss(50, 5) for _ in range(15)]
    (shift,) = value_shifts(falling)
    assert abs(shift.at - 20) <= 1


def test_what_says_nothing_changes_nothing():
    assert count_shifts([], []) == ()
    assert count_shifts([3], [5]) == ()
    assert value_shifts([]) == ()
    assert value_shifts([1.0]) == ()
    with_gaps = count_shifts([19, 0, 19, 0, 19, 19, 4, 0, 4, 4], [20, 0, 20, 0, 20, 20, 20, 0, 20, 20])
    assert [shift.at for shift in with_gaps] == [6]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=25))
def test_places_are_in_order_and_within_the_series(pairs):
    shifts = count_shifts([min(pair) for pair in pairs], [max(pair) for pair in pairs])
    places = [shift.at for shift in shifts]
    assert places == sorted(set(places))
    for shift in shifts:
        assert 0 < shift.earliest <= shift.at <= shift.latest <= shift.noticed < len(pairs)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=25), st.floats(0.1, 100))
def test_values_count_by_their_ranks_alone(series, factor):
    squeezed = sorted(set(series))
    ranks = [float(squeezed.index(value)) for value in series]
    assert value_shifts(series) == value_shifts(ranks) == value_shifts([rank * factor + 3 for rank in ranks])

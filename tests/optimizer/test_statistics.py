import math
import random
import tracemalloc
from array import array
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sharpen.optimizer import statistics
from sharpen.optimizer.statistics import (
    SAMPLED,
    SUMMED,
    Observations,
    holm,
    mcnemar_exact,
    mean_interval,
    nearest_rank,
    paired_interval,
    smallest_provable_sample,
    wilson,
)

counts = st.integers(0, 60)


def test_holm_as_in_his_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0.1, 100))
def test_nearest_rank_is_an_observed_value_that_enough_values_reach(values, percent):
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-6
    assert nearest_rank([], percent) is None


def test_nearest_rank_by_hand():
    values = list(range(1, 101))
    assert (nearest_rank(values, 95), nearest_rank(values, 99), nearest_rank([7.0], 99)) == (95, 99, 7.0)


@pytest.mark.parametrize(
    "value",
    [
        lambda n: random.Random(n).lognormvariate(0, 1),  # latencies
        lambda n: float(n),
        lambda n: 0.5,
        lambda n: float(n % 2),
        lambda n: float(n % (90_000 // SAMPLED)),  # an even sample sees one of them alone
        lambda n: 1.0 if n % (90_000 // SAMPLED) == 0 else -float(n),
    ],
)
def test_nearest_rank_of_many_values_is_that_of_all_of_them_in_order(value):
    values = array("d", map(value, range(90_000)))
    ordered = sorted(values)
    for percent in (0.001, 1, 50, 95, 99, 99.99, 100):
        assert nearest_rank(values, percent) == ordered[max(1, math.ceil(percent / 100 * len(values))) - 1]


latencies = st.lists(st.floats(-1e6, 1e6) | st.integers(0, 3).map(float), max_size=200)


@given(latencies, st.integers(0, 30), st.floats(0.1, 100), st.floats(0.1, 100), st.integers(1, 20))
@settings(max_examples=100)
def test_what_is_held_of_observations_gives_the_percentiles_of_all_of_them(values, fewer, one, other, spare):
    lowest, percent = sorted((one, other))
    with mock.patch.object(statistics, "SPARE", spare):
        observations = Observations(len(values) + fewer, lowest)
    for value in values:
        observations.add(value)
    assert len(observations) == len(values)
    for asked in (lowest, percent, percent, 100):
        assert observations.percentile(asked) == nearest_rank(values, asked)


@pytest.mark.parametrize("lowest", [50, 95])
@pytest.mark.parametrize(
    "value",
    [
        lambda n: random.Random(n).lognormvariate(0, 1),  # latencies
        lambda n: float(n),
        lambda n: -float(n),
        lambda n: 0.5,
        lambda n: float(n % 20 == 0),
    ],
)
def test_percentiles_of_many_observations_are_those_of_all_of_them_in_order(value, lowest):
    values = [value(n) for n in range(60_000)]
    observations = Observations(len(values), lowest)
    for each in values:
        observations.add(each)
    ordered = sorted(values)
    for percent in (lowest, 95, 99, 100):
        assert observations.percentile(percent) == ordered[math.ceil(percent / 100 * len(values)) - 1]


def test_observations_hold_those_that_can_be_asked_for_and_their_room_does_not_grow():
    observations = Observations(100_000, lowest=95)
    for value in range(100_000):
        observations.add(float(value))
    assert observations._room.nbytes < 8 * 20_000  # a fifth of them


def test_more_observations_than_expected_are_counted_and_the_highest_percentiles_hold():
    observations = Observations(10, lowest=50)
    for value in range(50_000):
        observations.add(float(value))
    assert (len(observations), observations.percentile(100)) == (50_000, 49_999.0)
    assert observations.percentile(50) in range(25_000, 50_000)


def test_nearest_rank_of_many_values_takes_no_second_list_of_them():
    """A million latencies are 8 MB; as a list of floats in order they would be 32 MB more."""
    random_values = random.Random(0)
    values = array("d", (random_values.random() for _ in range(200_000)))
    tracemalloc.start()
    try:
        for percent in (50, 95, 99):
            nearest_rank(values, percent)
        assert tracemalloc.get_traced_memory()[1] < 1.5e6
    finally:
        tracemalloc.stop()


@given(counts, counts)
@settings(max_examples=80, deadline=None)
def test_mcnemar_is_the_binomial_test_on_discordant_pairs(fixed, broken):
    expected = stats.binomtest(fixed, fixed + broken, 0.5).pvalue if fixed + broken else 1.0
    assert mcnemar_exact(fixed, broken) == pytest.approx(expected)
    assert mcnemar_exact(fixed, broken) == mcnemar_exact(broken, fixed)


@pytest.mark.parametrize(("alpha", "pairs"), [(0.05, 6), (0.01, 8), (0.5, 2), (0.9, 2)])
def test_smallest_provable_sample_is_just_provable(alpha, pairs):
    assert smallest_provable_sample(alpha) == pairs
    assert mcnemar_exact(pairs, 0) <= alpha
    assert mcnemar_exact(pairs - 1, 0) > alpha


def test_newcombes_own_example():
    # Newcombe (1998), table III: 36 / 12 / 2 / 0 of 50 pairs, method 10
    assert paired_interval(36, 12, 2, 0, 0.05) == pytest.approx((0.0569, 0.3404), abs=5e-4)


@given(counts, counts, counts, counts)
@settings(max_examples=150)
def test_the_paired_interval_holds_the_effect_and_mirrors(both, fixed, broken, neither):
    low, high = paired_interval(both, fixed, broken, neither, 0.05)
    assert -1 <= low <= high <= 1
    n = both + fixed + broken + neither
    if n:
        assert low - 1e-9 <= (fixed - broken) / n <= high + 1e-9
        mirrored = paired_interval(both, broken, fixed, neither, 0.05)
        assert mirrored == pytest.approx((-high, -low), abs=1e-9)


def test_wilson_against_scipy():
    expected = stats.binomtest(7, 20).proportion_ci(0.95, method="wilson")
    assert wilson(7, 20, 1.959963984540054) == pytest.approx((expected.low, expected.high))
    assert wilson(0, 0, 1.96) == (0.0, 1.0)


def test_mean_interval_against_scipy():
    differences = [0.0, 0.5, 0.25, -0.25, 1.0, 0.5]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert mean_interval(differences, 0.05) == pytest.approx((expected.low, expected.high))
    assert mean_interval([0.3], 0.05) == (-1.0, 1.0)


@pytest.mark.parametrize(("fixed", "broken"), [(1_100, 1_000), (1_500, 700), (1_200, 1_201), (2_100, 0)])
def test_mcnemar_of_many_pairs_is_the_same_sum(fixed: int, broken: int) -> None:
    pairs = fixed + broken
    assert pairs > SUMMED
    summed = 2 * sum(math.comb(pairs, k) for k in range(min(fixed, broken) + 1)) / 2**pairs
    assert mcnemar_exact(fixed, broken) == pytest.approx(min(1.0, summed), rel=1e-12, abs=0)

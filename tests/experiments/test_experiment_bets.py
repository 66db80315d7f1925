"""The evidence: bets on bounded differences, the intervals and verdicts they give, and how often they are wrong."""

import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.experiments.asymptotic import FEWEST, RunningMean
from sharpen.experiments.bets import FINEST, Differences, stakes
from sharpen.experiments.planning import fixed_size, log_wealths, plan_samples, simulate
from sharpen.experiments.sequential import Rule, Sequential
from sharpen.experiments.split_check import CONCENTRATION, SplitTest

differences = st.lists(st.floats(-1, 1), min_size=1, max_size=40)


def seen(values: list[float], effect: float = 0.05) -> Differences:
    found = Differences(effect)
    found.add(values)
    return found


def test_weights_are_one_unit_of_money() -> None:
    for effect in (0.001, 0.05, 0.9):
        stake, weight = stakes(effect)
        assert math.isclose(float(np.exp(weight).sum()), 1)
        assert 0 < stake.min() < stake.max() < 1


def test_the_wealth_is_the_product_that_the_module_names() -> None:
    values, mean = [0.5, -1.0, 0.25], 0.1
    stake, weight = stakes(0.05)
    product = [
        w * math.prod(1 - c + c * (1 + d) / (1 + mean) for d in values)
        for c, w in zip(stake, np.exp(weight), strict=True)
    ]
    assert math.isclose(seen(values).log_wealth(mean), math.log(sum(product)), rel_tol=1e-9)


def test_no_game_of_fair_coins_pays_on_average() -> None:
    """Exactly: over all sequences of length 8 the mean wealth is 1, whatever has been bet."""
    total = sum(math.exp(seen(list(signs)).log_wealth(0.0)) for signs in itertools.product((-1.0, 1.0), repeat=8))
    assert math.isclose(total / 2**8, 1, rel_tol=1e-9)


def test_cases_on_which_both_agree_count_for_nothing_at_zero() -> None:
    assert math.isclose(seen([1, 1, -1]).log_wealth(0.0), seen([1, 0, 0, 1, 0, -1]).log_wealth(0.0), rel_tol=1e-12)


@settings(max_examples=60, deadline=None)
@given(differences)
def test_order_matters_not_and_both_sides_mirror_each_other(values: list[float]) -> None:
    shuffled = list(values)
    Random(1).shuffle(shuffled)
    assert math.isclose(seen(values).log_wealth(0.1), seen(shuffled).log_wealth(0.1), rel_tol=1e-9, abs_tol=1e-9)
    mirrored = seen([-value for value in values])
    assert math.isclose(
        seen(values).log_wealth(0.1), mirrored.log_wealth(-0.1, above=False), rel_tol=1e-9, abs_tol=1e-9
    )
    low, high = seen(values).interval(0.05)
    assert mirrored.interval(0.05) == pytest.approx((-high, -low))


@settings(max_examples=60, deadline=None)
@given(differences, st.floats(-0.9, 0.9), st.floats(0, 0.09))
def test_the_wealth_falls_in_the_mean_that_is_denied(values: list[float], mean: float, more: float) -> None:
    assert seen(values).log_wealth(mean) >= seen(values).log_wealth(mean + more) - 1e-9


@settings(max_examples=60, deadline=None)
@given(differences)
def test_the_interval_holds_what_the_bets_have_not_excluded(values: list[float]) -> None:
    found = seen(values)
    low, high = found.interval(0.1)
    assert -1 <= low <= found.mean + 1e-6
    assert found.mean - 1e-6 <= high <= 1
    if low > -1:
        assert found.log_wealth(low - 1e-5) >= math.log(20) - 1e-3
    assert found.log_wealth(min(1.0, low + 1e-5)) < math.log(20) + 1e-3


def test_very_many_distinct_differences_are_rounded_against_the_claim() -> None:
    values = [0.2 + 0.3 * math.sin(number) for number in range(3 * FINEST)]
    rounded = seen(values)
    stake, weight = stakes(0.05)
    shares = [(1 + d) / 2 / 0.55 - 1 for d in values]
    logs = [w + sum(math.log1p(c * x) for x in shares) for c, w in zip(stake, weight, strict=True)]
    true = float(np.logaddexp.reduce(logs))
    assert true * 0.95 < rounded.log_wealth(0.1) <= true


@pytest.mark.parametrize("wrong", [1.1, -1.0001, math.nan])
def test_a_difference_out_of_bounds_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        seen([wrong])


def test_a_verdict_stays_and_says_when_the_interval_excludes_zero() -> None:
    test = Sequential(Rule(effect=0.1))
    states = [test.look([1.0]) for _ in range(20)]
    first = states.index("win")
    assert states[:first] == ["open"] * first
    assert all(look.low <= 0 for look in test.looks[:first])
    assert test.looks[first].low > 0
    for _ in range(60):
        test.look([-1.0])
    assert test.state == "win"
    assert test.e_values[0] >= 40


def test_loss_and_futility() -> None:
    losing, giving_up = Sequential(Rule(effect=0.1)), Sequential(Rule(effect=0.3))
    assert losing.look([-1.0] * 30) == "loss"
    assert giving_up.look([0.0, 0.0, 0.0, 0.1, -0.1] * 20) == "futility"
    assert giving_up.interval[1] < 1


def test_more_comparisons_take_more_evidence() -> None:
    one, five = Sequential(Rule()), Sequential(Rule(comparisons=5))
    values = [1.0] * 9
    assert (one.look(values), five.look(values)) == ("win", "open")
    assert five.interval[0] < one.interval[0]


def test_whether_it_could_still_be_won() -> None:
    test = Sequential(Rule())
    test.look([-1.0, 0.0, 1.0])
    assert test.could_win(100)
    assert not test.could_win(3)


def test_looks_of_no_samples_change_nothing() -> None:
    test = Sequential(Rule())
    assert test.look([]) == "open"
    assert test.looks == []


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_peeking_after_every_observation_keeps_the_level(share: float) -> None:
    """400 A/A experiments, looked at 150 times each: benchmarks/ab.py has 10,000 of 1,000."""
    rule = Rule(power=1 - 1e-12)
    found = simulate(rule, share / 2, share / 2, range(1, 151), experiments=400)
    assert (found.won | found.lost).mean() <= rule.alpha


def test_simulated_and_real_experiments_end_alike() -> None:
    random, rule = np.random.default_rng(2), Rule(effect=0.1)
    looks = range(1, 80)
    draws = [random.multinomial(1, (0.4, 0.2, 0.4), 1)[0] for _ in looks]
    test, counts = Sequential(rule), np.zeros(3)
    for draw in draws:
        counts += draw
        value = float(draw[0] - draw[1])
        test.look([value])
        assert math.isclose(
            log_wealths(counts[None], (1.0, 0.0, 0.5), 0.5, rule.effect)[0],
            test._seen.log_wealth(0.0),
            abs_tol=1e-9,
        )


def test_a_sequential_test_saves_samples_and_keeps_its_power() -> None:
    plan = plan_samples(Rule(effect=0.1), changed=0.3, available=1000)
    assert plan.fixed == fixed_size(Rule(effect=0.1), 0.3) == 234
    assert plan.if_equal < plan.fixed
    assert plan.if_better < plan.fixed
    assert plan.samples is not None
    assert plan.samples > plan.fixed
    assert plan.power_with is not None
    assert plan.power_with >= 0.8
    with pytest.raises(ValueError, match="differ"):
        plan_samples(Rule(effect=0.3), changed=0.2)


def test_a_plan_beyond_reach_says_so() -> None:
    plan = plan_samples(Rule(effect=0.1, power=0.9999), changed=0.3)
    assert plan.samples is None or plan.samples > plan.fixed


def log_e_value(counts: list[int], shares: tuple[float, ...]) -> float:
    """The formula that ``split_check`` names, in one piece."""
    found = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior = CONCENTRATION * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.3)])
def test_the_split_test_is_its_formula_and_finds_a_bug(shares: tuple[float, float]) -> None:
    test, random, largest = SplitTest(shares), Random(1), 0.0
    for _ in range(300):
        test.add(int(random.random() > shares[0]))
        largest = max(largest, log_e_value(test.counts, shares))
        assert math.isclose(test.log_e, largest, abs_tol=1e-9)
    assert not test.mismatch()
    broken = SplitTest(shares)
    for number in range(2000):
        broken.add(int(number % 10 < 4))
    assert broken.mismatch()


def test_the_split_martingale_is_one_on_average() -> None:
    shares = (0.7, 0.3)
    total = sum(
        math.prod(shares[v] for v in units) * math.exp(log_e_value([units.count(0), units.count(1)], shares))
        for units in itertools.product((0, 1), repeat=7)
    )
    assert math.isclose(total, 1, rel_tol=1e-9)


def test_asymptotic_intervals_wait_and_close_in() -> None:
    found, random = RunningMean(), Random(3)
    found.add(random.gauss(5, 1) for _ in range(FEWEST - 1))
    assert found.interval(0.05) is None
    widths = []
    for _ in range(4):
        found.add(random.gauss(5, 1) for _ in range(300))
        low, high = found.interval(0.05) or (0.0, 0.0)
        assert low < 5 < high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)

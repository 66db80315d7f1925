"""What a holdout can show, checked by counting and by trying."""

import math
import random

import pytest

from sharpen.optimizer.proof.futility import hopeless
from sharpen.optimizer.proof.non_inferiority import MarginBet, least_margin, units_for_margin
from sharpen.optimizer.proof.plan import ProofPlan
from sharpen.optimizer.proof.power import cases_needed, least_provable, power_of, smallest_effect, unanimous_units
from sharpen.optimizer.proof.wording import can_prove, limits_of, ordinal, points
from sharpen.optimizer.statistics import cluster_interval, mcnemar_exact, smallest_provable_sample


def counted_power(effect, units, level, discordance):
    """By the definition: over all numbers of fixed and broken units."""
    fixed_rate, broken_rate = (discordance + effect) / 2, (discordance - effect) / 2
    total = 0.0
    for fixed in range(units + 1):
        for broken in range(units + 1 - fixed):
            if fixed > broken and mcnemar_exact(fixed, broken) <= 2 * level:
                ways = math.comb(units, fixed) * math.comb(units - fixed, broken)
                same = (1 - discordance) ** (units - fixed - broken)
                total += ways * fixed_rate**fixed * broken_rate**broken * same
    return total


@pytest.mark.parametrize(
    ("effect", "units", "level", "discordance"),
    [(0.2, 30, 0.025, 0.3), (0.5, 12, 0.025, 0.5), (0.1, 40, 0.1, 0.1), (0.3, 25, 0.0125, 0.9)],
)
def test_the_power_is_that_of_the_exact_test(effect, units, level, discordance):
    assert power_of(effect, units, level, discordance) == pytest.approx(
        counted_power(effect, units, level, discordance)
    )


def test_the_smallest_effect_and_the_cases_needed_are_two_sides_of_one_thing():
    for units in (8, 12, 40, 150, 3000):
        effect = smallest_effect(units, 0.025, 0.2)
        assert power_of(effect, units, 0.025, 0.2) >= 0.8 > power_of(effect - 0.002, units, 0.025, 0.2)
        assert cases_needed(effect, 0.025, 0.2) <= units
    more = [smallest_effect(units, 0.025, 0.2) for units in (20, 40, 80, 160)]
    assert more == sorted(more, reverse=True)
    assert smallest_effect(40, 0.0125) > smallest_effect(40, 0.025)
    assert smallest_effect(5, 0.025) is None
    assert cases_needed(1e-7, 0.025, 0.5) is None
    assert cases_needed(1.0, 0.025) == 6 == unanimous_units(0.025)
    assert power_of(0.0, 100, 0.025) == power_of(0.5, 0, 0.025) == 0.0


def test_fewest_units_agree_with_the_split():
    for alpha in (0.5, 0.1, 0.05, 0.01, 0.001):
        assert unanimous_units(alpha / 2) == smallest_provable_sample(alpha)
    assert least_provable(12, 0.025) == 0.5
    assert least_provable(5, 0.025) == math.inf


def test_what_cannot_be_proved_is_said_in_numbers():
    assert limits_of(12, 0.05) == (
        "12 holdout cases cannot prove anything below +42 points (from +50 points on with 80 % certainty)"
    )
    assert limits_of(12, 0.025).startswith("12 holdout cases cannot prove anything below +50 points")
    assert limits_of(400, 0.025).startswith("400 holdout cases cannot prove anything below +1.5 points")
    assert limits_of(3, 0.025) == "3 holdout cases cannot prove anything"
    grouped = ProofPlan(("a", "b", "c"), 0.025, groups={"a": "g", "b": "g"})
    assert can_prove(grouped) == "2 groups of 3 held-out cases cannot prove anything"
    assert [ordinal(n) for n in (1, 2, 3, 4)] == ["first", "second", "third", "4th"]
    assert (points(0.42), points(0.0151)) == ("42", "1.5")


@pytest.mark.no_cover
def test_a_bet_on_the_margin_is_fair_when_the_loss_is_as_large_as_the_margin():
    """At the boundary the wealth may reach 1/level with probability level at most, stopped at any moment."""
    rng, won, trials = random.Random(5), 0, 600
    for _ in range(trials):
        bet = MarginBet(0.1)
        for _ in range(200):
            luck = rng.random()
            bet.add(-1.0 if luck < 0.2 else 1.0 if luck < 0.3 else 0.0)
        won += bet.p_value <= 0.05
    assert won / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_the_bet_expects_nothing_from_any_distribution_at_the_margin():
    for low, high in ((-1.0, 1.0), (-1.0, 0.0), (-0.5, 0.25)):
        margin = 0.1
        chance = (high + margin) / (high - low)  # of the low value, so that the mean is -margin
        expected = 0.0
        for value, weight in ((low, chance), (high, 1 - chance)):
            bet = MarginBet(margin)
            bet.add(value)
            expected += weight * bet.wealth
        assert expected == pytest.approx(1.0)


def test_margins_that_can_be_proved():
    assert units_for_margin(0.05, 0.025) == 82
    assert least_margin(82, 0.025) == pytest.approx(0.05, abs=0.001)
    assert units_for_margin(0.03, 0.025) == 137
    assert not MarginBet(0.05).could_reach(0.025, [(0.0, 1)] * 81)
    assert MarginBet(0.05, largest=4).could_reach(0.025, [(0.0, 4)] * 82)


def test_hopeless_is_what_nearly_never_turns():
    assert hopeless([-1.0, 0.0, 0.0, -1.0, 0.0, 0.0], 4, 0.025)
    assert not hopeless([1.0, 1.0, 0.0, 1.0], 20, 0.025)
    assert not hopeless([0.0] * 5, 100, 0.025)
    assert not hopeless([1.0], 5, 0.025)
    assert not hopeless([-1.0] * 9, 0, 0.025)


def test_the_interval_of_clusters():
    alone = [(1.0, 1), (0.0, 1), (0.0, 1), (-1.0, 1), (1.0, 1), (1.0, 1)]
    low, high = cluster_interval(alone, 0.05)
    assert low < 2 / 6 < high
    copies = [(4 * total, 4) for total, _ in alone]
    assert cluster_interval(copies, 0.05) == pytest.approx((low, high))  # copies are no further evidence
    assert cluster_interval([(1.0, 1)], 0.05) == (-1.0, 1.0)


def test_cluster_intervals_hold_the_truth_as_often_as_they_say():
    rng, held, trials = random.Random(8), 0, 400
    for _ in range(trials):
        clusters = []
        for _ in range(25):
            size, shift = rng.choice((2, 4, 6)), rng.choice((-1.0, 0.0, 1.0))
            clusters.append((sum(shift if rng.random() < 0.8 else 0.0 for _ in range(size)), size))
        low, high = cluster_interval(clusters, 0.05)
        held += low <= 0.0 <= high
    assert held / trials >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / trials)

"""The weighted sum of a search with several goals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.weights import Weights
from sharpen.optimizer.objective import Objective
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.racing.race import Race

IDS = [f"c{n}" for n in range(10)]


def outcomes(passes: int, tokens: float = 100.0, cost: float | None = 0.01, latency: float = 200.0, ran: bool = True):
    return {
        case_id: CaseOutcome(
            case_id, float(n < passes), float(n < passes), ran=ran, tokens=tokens, cost=cost, latency_ms=latency
        )
        for n, case_id in enumerate(IDS)
    }


SEED = outcomes(5)


def test_without_weights_passes_alone_count() -> None:
    goal = Objective(None, SEED)
    assert goal.score(outcomes(7, tokens=1), IDS) == pytest.approx(0.2)
    assert goal.bonus(outcomes(7, tokens=1)["c0"]) == 0
    assert goal.score(SEED, IDS) == 0


def test_each_weight_counts_the_share_that_is_saved() -> None:
    goal = Objective(Weights(quality=1, tokens=0.2, cost=0.4, latency=0.1), SEED)
    assert goal.score(outcomes(6, tokens=50, cost=0.005, latency=400.0), IDS) == pytest.approx(0.1 + 0.1 + 0.2 - 0.1)
    assert goal.score(SEED, IDS) == 0
    assert goal.score({}, IDS) == 0


def test_half_the_tokens_outweigh_ten_points_as_documented() -> None:
    goal = Objective(Weights(tokens=0.2), SEED)
    assert goal.score(outcomes(4, tokens=50), IDS) == pytest.approx(0)
    assert goal.score(outcomes(4, tokens=49), IDS) > 0


@pytest.mark.parametrize(("cost", "unknown"), [(None, ("cost",)), (0.0, ("cost",)), (0.1, ())])
def test_what_is_not_known_counts_for_nothing_and_is_named(cost: float | None, unknown: tuple[str, ...]) -> None:
    goal = Objective(Weights(cost=1.0), outcomes(5, cost=cost))
    assert goal.unknown == unknown
    if unknown:
        assert goal.score(outcomes(5, cost=cost), IDS) == 0


def test_a_case_that_did_not_run_failed_and_saved_nothing() -> None:
    goal = Objective(Weights(tokens=1.0), SEED)
    assert goal.score(outcomes(10, tokens=1, ran=False), IDS) == pytest.approx(-0.5)
    assert goal.bonus(outcomes(10, tokens=1, ran=False)["c0"]) == 0


@given(st.integers(0, 10), st.floats(1, 300), st.floats(0.1, 5), st.floats(0, 3))
def test_the_bonuses_of_all_cases_make_up_the_score(passes: int, tokens: float, quality: float, weight: float) -> None:
    goal = Objective(Weights(quality=quality, tokens=weight), SEED)
    tried = outcomes(passes, tokens=tokens)
    in_passes = sum(tried[case_id].pass_rate - SEED[case_id].pass_rate + goal.bonus(tried[case_id]) for case_id in IDS)
    assert goal.score(tried, IDS) == pytest.approx(quality * in_passes / len(IDS))


def test_a_bonus_counts_like_passes_in_the_race() -> None:
    race = Race(IDS, ["passes", "saves"], 20)
    heat = race.next()
    assert heat is not None
    for case in heat.cases:
        race.tell("passes", case, 1.0)
        race.tell("saves", case, 1.0, bonus=0.1)
    race.next()
    assert race.leader == "saves"
    assert race.passed("saves") == race.passed("passes")  # what is told of passes stays true

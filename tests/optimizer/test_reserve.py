"""The proof is set aside in every currency that has a limit."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.reserve import Need, runs_left


@dataclass
class Meter:
    calls: int | None = None
    tokens: float | None = None
    cost: float | None = None
    seconds: float | None = None
    pace: float | None = None

    def calls_made(self) -> int:
        return 0

    def calls_left(self) -> int | None:
        return self.calls

    def tokens_left(self) -> float | None:
        return self.tokens

    def cost_left(self) -> float | None:
        return self.cost

    def seconds_left(self) -> float | None:
        return self.seconds

    def seconds_per_call(self) -> float | None:
        return self.pace


def outcome(number=0, **keys):
    return CaseOutcome(f"c{number}", 1.0, 1.0, **({"calls": 1, "tokens": 10.0, "cost": 0.01, "latency_ms": 500} | keys))


def alike(count=8, **keys):
    return {f"c{number}": outcome(number, **keys) for number in range(count)}


def test_without_a_limit_there_is_none():
    assert runs_left(Meter(), alike(), 1, 40) is None
    assert runs_left(Meter(), {}, 1, 40) is None


@pytest.mark.parametrize(
    ("meter", "runs"),
    [
        (Meter(calls=100), 60),
        (Meter(tokens=1000), 60),
        (Meter(cost=1.0), 60),
        (Meter(seconds=12.5, pace=0.1), 60),  # 40 cases at 0.1 s, and five looks of half a second
        (Meter(calls=100, tokens=700, cost=2.0), 30),
        (Meter(calls=40, tokens=1e9), 0),
        (Meter(calls=1), 0),
    ],
)
def test_each_currency_keeps_the_proof(meter, runs):
    assert runs_left(meter, alike(), 1, 40) == runs
    assert runs_left(meter, list(alike().values()), 1, 40) == runs


def test_repeats_and_judging_count_in_the_currency_they_are_paid_in():
    judged = alike(calls=6, judge_tokens=5.0, judge_cost=0.02)
    assert runs_left(Meter(calls=100), judged, 3, 10) == (100 - 60) // 6
    assert runs_left(Meter(tokens=1000), judged, 3, 10) == (1000 - 450) // 45
    assert runs_left(Meter(cost=1.8), judged, 3, 10) == 10
    assert runs_left(Meter(calls=30), {}, 3, 5) == 5, "nothing measured: a case takes its repeats at least"


def test_what_the_cache_answered_or_nobody_finished_does_not_make_a_case_cheap():
    mixed = alike(4, calls=2) | {"cached": outcome(calls=0), "cut": outcome(calls=0, ran=False, tokens=0.0)}
    assert runs_left(Meter(calls=100), mixed, 1, 10) == 40
    assert runs_left(Meter(tokens=200), alike(calls=0), 1, 10) == 10, "remembered, but known"
    assert runs_left(Meter(seconds=10.0), alike(calls=0), 1, 10) == 5, "no pace yet: one after the other"


def test_a_price_that_nobody_knows_sets_no_limit_and_a_known_one_beside_it_does():
    assert runs_left(Meter(cost=1.0), alike(cost=None), 1, 10) is None
    assert runs_left(Meter(cost=1.0), alike(cost=0.0), 1, 10) is None
    assert runs_left(Meter(cost=1.0), alike(judge_cost=None), 1, 10) is None
    assert runs_left(Meter(cost=1.0), alike(4) | {"x": outcome(cost=None)}, 1, 10) == 90


def test_a_longer_prompt_is_set_aside_as_what_it_is():
    assert runs_left(Meter(tokens=1000), alike(), 1, 10, tried=[outcome(tokens=50.0)]) == 10
    assert runs_left(Meter(tokens=1000), alike(), 1, 10, tried=[outcome(tokens=5.0)]) == 90


FIGURES = st.floats(0.1, 100)
CASES = st.lists(st.tuples(st.integers(1, 5), FIGURES, FIGURES, FIGURES), min_size=1, max_size=12)
LIMITS = st.none() | st.floats(0, 1e4)


@settings(max_examples=100, deadline=None)
@given(CASES, st.integers(1, 4), st.integers(0, 60), st.none() | st.integers(0, 2000), LIMITS, LIMITS, LIMITS)
def test_search_and_proof_together_stay_within_every_limit(cases, repeats, holdout, calls, tokens, cost, seconds):
    outcomes = [
        outcome(n, calls=made * repeats, tokens=used, cost=paid, latency_ms=took)
        for n, (made, used, paid, took) in enumerate(cases)
    ]
    meter = Meter(calls, tokens, cost, seconds, pace=0.3)
    runs = runs_left(meter, outcomes, repeats, holdout)
    limits = {
        calls: sum(one.calls for one in outcomes) / len(outcomes),
        tokens: repeats * sum(one.tokens for one in outcomes) / len(outcomes),
        cost: repeats * sum(one.cost for one in outcomes) / len(outcomes),
        seconds: 0.3 * sum(one.calls for one in outcomes) / len(outcomes),
    }
    if calls is tokens is cost is seconds is None:
        assert runs is None
        return
    assert runs >= 0
    for limit, mean in limits.items():
        if limit is not None and runs:
            assert (runs + holdout) * mean <= limit * (1 + 1e-6)
    tighter = Meter(calls, None if tokens is None else tokens / 2, cost, seconds, pace=0.3)
    assert runs_left(tighter, outcomes, repeats, holdout) <= runs
    assert runs_left(meter, outcomes, repeats, holdout + 1) <= runs


def test_the_allowance_covers_a_dearer_draw_nineteen_times_of_twenty():
    import random

    rng = random.Random(1)
    cases = [rng.expovariate(0.1) for _ in range(400)]
    mean = sum(cases) / len(cases)
    need = Need(mean, (sum((x - mean) ** 2 for x in cases) / len(cases)) ** 0.5).of(40)
    enough = sum(sum(rng.choices(cases, k=40)) <= need for _ in range(2000))
    assert 0.92 <= enough / 2000 <= 0.98

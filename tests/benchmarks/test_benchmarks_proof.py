"""Whole searches where no prompt is better: what `benchmarks/proof.py` measures on thousands, on a few hundred.

Marked slow, on the thousands: `make test-slow`.
"""

import asyncio
import importlib
import math
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """A benchmark's module by name; none of them stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def at_most(count: int, number: int, rate: float) -> bool:
    """Not significantly more than ``rate``: three standard errors."""
    return count / number <= rate + 3 * math.sqrt(rate * (1 - rate) / number)


@pytest.mark.parametrize("world", ["noise", "difficulty", "clustered", "repeated"])
def test_searches_that_can_find_nothing_claim_nothing(load, world: str) -> None:
    proof, worlds = load("proof"), load("proof_worlds")
    found = asyncio.run(proof.null_searches(worlds.NULLS[world][1], 70))
    assert found["winners"] > 45, "something nearly always looks better on dev"
    assert at_most(found["claimed"], found["searches"], worlds.ALPHA / 2)
    assert found["looked"] < 0.8, "hopeless proofs are given up"


def test_case_by_case_groups_are_taken_for_evidence_that_they_are_not(load) -> None:
    proof, worlds = load("proof"), load("proof_worlds")
    found = asyncio.run(proof.null_searches(lambda seed: worlds.clustered(seed, told=False), 60))
    assert found["by_case"] / found["searches"] > 0.1
    assert found["claimed"] / found["searches"] > 0.1, "nobody told it of the groups"


def test_trying_again_on_the_same_cases_claims_nothing_in_the_end(load) -> None:
    proof, worlds = load("proof"), load("proof_worlds")
    found = asyncio.run(proof.repeated_searches(worlds.difficulty, 6, remembered=True))
    assert at_most(found["claimed"], found["data_sets"], worlds.ALPHA)
    assert found["searches"] > 6


def test_an_improvement_is_proved_as_surely_as_by_all_cases_at_once_and_sooner(load) -> None:
    import numpy as np

    proof = load("proof")
    draws = np.random.default_rng(2).choice([1, -1, 0], size=(250, 60), p=[0.25, 0.05, 0.7]).tolist()
    mine, all_at_once = ([test(draw) for draw in draws] for test in (proof.proved, proof.fixed))
    assert sum(won for won, _ in mine) >= sum(won for won, _ in all_at_once) - 15
    assert sum(seen for _, seen in mine) < 0.9 * sum(seen for _, seen in all_at_once)


def test_the_tables_and_the_picture_hold_every_number(load) -> None:
    proof, picture = load("proof"), load("proof_picture")
    data = proof.measure(searches=4)
    text = proof.render(data)
    assert all(label in text for label in data["nulls"])
    assert text.count("\n| 60 |") == len(proof.EFFECTS)
    drawn = picture.power_picture(data["power"], 60, tuple(proof.TESTS)[:2])
    assert drawn.startswith("<svg")
    assert drawn.count("<polyline") == 4


@pytest.mark.slow
@pytest.mark.parametrize("world", ["noise", "difficulty", "sparse", "repeated", "clustered", "real"])
def test_of_2000_searches_that_can_find_nothing_at_most_one_in_twenty_claims(load, world: str) -> None:
    proof, worlds = load("proof"), load("proof_worlds")
    right = proof.real_table()
    make = (lambda seed: worlds.real_answers(seed, right)) if world == "real" else worlds.NULLS[world][1]
    found = asyncio.run(proof.null_searches(make, 2000))
    assert found["searches"] == 2000
    assert found["winners"] > 1400, "something nearly always looks better on dev"
    assert found["claimed"] <= worlds.ALPHA * 2000


@pytest.mark.slow
@pytest.mark.parametrize("start", ["null-sim", "null-dealt", "null-groups"])
def test_of_2000_replayed_searches_within_a_budget_at_most_one_in_twenty_claims(load, start: str) -> None:
    run, tasks = load("search.run"), load("search.tasks").task_names()
    each = -(-2000 // (2 * len(tasks)))
    pairs = tuple((budget, seed) for budget in (100, 400) for seed in range(each))
    lines = [line for task in tasks for line in run.run_job(run.Job("sharpen", start, task, None, pairs))]
    assert len(lines) >= 2000
    assert sum(line["changed"] for line in lines) > 0.8 * len(lines), "the race ends with another prompt"
    assert sum(line["claimed"] for line in lines) <= 0.05 * len(lines)


@pytest.mark.slow
def test_of_500_data_sets_searched_eight_times_few_end_with_a_false_claim(load) -> None:
    proof, worlds = load("proof"), load("proof_worlds")
    found = asyncio.run(proof.repeated_searches(worlds.difficulty, 500, remembered=True))
    assert at_most(found["claimed"], found["data_sets"], worlds.ALPHA)
    assert found["searches"] > 2000

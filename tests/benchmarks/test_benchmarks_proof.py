"""Whole searches where no prompt is better: what `benchmarks/proof.py` measures on thousands, on a few hundred."""

import asyncio
import importlib
import math
import sys
from pathlib import Path

import pytest

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

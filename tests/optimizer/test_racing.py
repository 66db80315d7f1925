"""The race: paired, within its budget, and better at finding the best than halving on cases in any order."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharpen.errors import ErrorKind
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.racing.merit import Form, merit
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.racing.race import LEANS, Race, fields, full_budget

CASES = tuple(f"case{number}" for number in range(40))


def run(race: Race, rates: dict[str, float], seed: int = 0) -> list[tuple[str, str]]:
    """Play a race among coins; every (contender, case) that was asked."""
    rng, asked = random.Random(seed), []
    while heat := race.next():
        for name in heat.contenders:
            for case in heat.cases:
                asked.append((name, case))
                race.tell(name, case, float(rng.random() < rates[name]))
    return asked


@given(contenders=st.integers(1, 30), cases=st.integers(1, 60), budget=st.integers(0, 900), seed=st.integers(0, 99))
def test_never_over_budget_never_twice_and_all_on_the_same_first_cases(
    contenders: int, cases: int, budget: int, seed: int
) -> None:
    names = [f"c{number}" for number in range(contenders)]
    ids = [f"case{number}" for number in range(cases)]
    race = Race(ids, names, budget)
    asked = run(race, dict.fromkeys(names, 0.5), seed)
    assert len(asked) <= budget
    assert len(set(asked)) == len(asked)
    for name in race.racing:
        assert [case for who, case in asked if who == name] == ids[: len(race.seen)] == list(race.seen)
    assert {drop.contender for drop in race.drops}.isdisjoint(race.racing)
    assert (race.leader is None) == (budget == 0)


@given(contenders=st.integers(2, 30), cases=st.integers(1, 100))
def test_without_a_limit_the_last_one_sees_all_cases(contenders: int, cases: int) -> None:
    names = [f"c{number}" for number in range(contenders)]
    race = Race([f"case{number}" for number in range(cases)], names)
    asked = run(race, dict.fromkeys(names, 0.5))
    assert len(race.seen) >= min(cases, 0.9 * cases + 1) - 2  # whole cases only
    assert len(asked) <= full_budget(contenders, cases)


@given(contenders=st.integers(2, 30), cases=st.integers(1, 100), more=st.integers(0, 500))
@example(contenders=21, cases=5, more=0)
@example(contenders=30, cases=9, more=0)
def test_whatever_leans_to_the_early_heats_the_last_ones_see_all_cases(contenders: int, cases: int, more: int) -> None:
    names = [f"c{number}" for number in range(contenders)]
    least = full_budget(contenders, cases, LEANS[-1])
    assert least <= full_budget(contenders, cases)
    race = Race([f"case{number}" for number in range(cases)], names, least + more)
    run(race, dict.fromkeys(names, 0.5))
    # six heats and more may lose more whole cases where the budget is the very least: counted over all of these budgets
    lost = 2 if more >= contenders or len(fields(contenders)) < 6 else 5
    assert len(race.seen) >= min(cases, 0.9 * cases + 1) - lost


def test_a_lone_contender_is_measured() -> None:
    race = Race(CASES, ["only"])
    assert len(run(race, {"only": 0.5})) == len(CASES)
    assert race.leader == "only"


def test_the_best_of_25_is_found_in_a_quarter_of_the_calls() -> None:
    found = 0
    cases = [f"case{number}" for number in range(100)]
    names = [f"c{number}" for number in range(25)]
    for seed in range(200):
        rates = dict.fromkeys(names, 0.1) | {f"c{seed % 25}": 0.6}
        race = Race(cases, names, 600)
        run(race, rates, seed)
        found += race.leader == f"c{seed % 25}"
    assert found >= 190


def test_a_drop_says_why() -> None:
    race = Race(CASES[:4], ["good", "bad"])
    run(race, {"good": 1.0, "bad": 0.0})
    assert str(race.drops[0]) == "after 4 cases: passed 0; the last to stay 4, the leader 4"


@pytest.mark.parametrize(
    ("kept", "gone", "why"),
    [
        ({"credit": 1.0}, {"credit": 0.0, "passed": 0.0}, "2 and had more answers of the right form"),
        ({"bonus": 0.5}, {"bonus": 0.0}, "2 and saved more"),
        ({"price": 1.0}, {"price": 9.0}, "2 and took fewer tokens"),
        ({}, {}, "2 and came before it"),
    ],
)
def test_a_drop_says_what_told_equal_passes_apart(kept: dict[str, float], gone: dict[str, float], why: str) -> None:
    passed = gone.pop("passed", 1.0)  # without a pass only the form speaks
    race = Race(CASES[:2], ["kept", "gone"])
    assert race.next() is not None
    for name, told in (("kept", kept), ("gone", gone)):
        for case in CASES[:2]:
            race.tell(name, case, passed, **told)
    assert race.next() is None
    expected = why.replace("2 and", f"{2 * passed:g} and")
    assert (
        str(race.drops[0])
        == f"after 2 cases: passed {2 * passed:g}; the last to stay {expected}, the leader {2 * passed:g}"
    )


def test_equal_contenders_are_ranked_by_price_then_by_who_came_first() -> None:
    race = Race(CASES, ["dear", "cheap", "late"], 3)
    heat = race.next()
    assert heat is not None
    for name, price in (("dear", 9.0), ("cheap", 1.0), ("late", 1.0)):
        for case in heat.cases:
            race.tell(name, case, 1.0, price=price)
    assert race.next() is None
    assert race.leader == "cheap"


@given(passed=st.integers(0, 20), credit=st.integers(0, 20), cases=st.integers(1, 20))
def test_a_pass_is_worth_more_than_any_form(passed: int, credit: int, cases: int) -> None:
    assert merit(passed + 1, credit, cases) > merit(passed, credit, cases)
    assert merit(passed, credit + 1, cases) > merit(passed, credit, cases)
    assert merit(1, 0, cases) > merit(0, 1, cases)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(2, 40), min_size=2, max_size=6))
def test_every_stretch_of_the_order_is_in_proportion(seed: int, sizes: list[int]) -> None:
    expected = {f"{label}-{number}": f"label{label}" for label, size in enumerate(sizes) for number in range(size)}
    order = stratified(list(expected), expected, random.Random(seed))
    assert sorted(order) == sorted(expected)
    for upto in range(1, len(order) + 1):
        for label, size in enumerate(sizes):
            seen = sum(case.startswith(f"{label}-") for case in order[:upto])
            assert abs(seen - size * upto / len(order)) <= len(sizes)


def test_free_text_answers_are_shuffled() -> None:
    expected = {case: f"an answer of its own: {case}" for case in CASES}
    order = stratified(CASES, expected, random.Random(1))
    assert sorted(order) == sorted(CASES)
    assert order != list(CASES)


@pytest.mark.parametrize(
    ("output", "credit"), [("spam", 1.0), (" 'Ham'.\nMessage: more", 1.0), ("I think it is spam", 0.0), (None, 0.0)]
)
def test_another_label_has_the_right_form(output: str | None, credit: float) -> None:
    form = Form(["spam", "ham"] * 10)
    assert form.credit(CaseOutcome("case", 0.0, 0.0, output=output)) == credit


def test_form_of_free_answers_is_the_share_of_checks_that_passed() -> None:
    form = Form([f"answer {number}" for number in range(20)])
    assert form.credit(CaseOutcome("case", 0.0, 0.5, output="answer 3")) == 0.5
    assert form.credit(CaseOutcome("case", 1.0, 1.0)) == 1.0
    assert form.credit(CaseOutcome("case", 0.0, 0.5, ran=False, error_kind=ErrorKind.CANCELLED)) == 0.0

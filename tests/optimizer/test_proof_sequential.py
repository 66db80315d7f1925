"""The proof as its caller sees it: looks, verdicts, groups, repeats, and an honest answer whenever one stops."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.rules import Thresholds
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.proof.sequential import ProofPlan, SequentialProof
from sharpen.optimizer.proof.units import case_key, group_of, looks_of, steps_of, units_of

RULES = Thresholds(min_success_rate=0.0)


def plan(number, level=0.025, **fields):
    return ProofPlan(tuple(f"c{k:03d}" for k in range(number)), level, rules=RULES, **fields)


def outcome(case_id, rate, **more):
    return CaseOutcome(case_id, rate, rate, **more)


def go_through(proof, before, after, stop_after=None, **more):
    """Tell all that the proof asks for; ``before`` and ``after``: case id → pass rate."""
    asked = []
    while case_ids := proof.next_units():
        for case_id in case_ids:
            if stop_after is not None and len(asked) >= stop_after:
                return asked
            asked.append(case_id)
            proof.tell(outcome(case_id, before(case_id)), outcome(case_id, after(case_id), **more))
    return asked


def test_a_clear_gain_is_won_before_all_cases_are_looked_at():
    proof = SequentialProof(plan(60))
    asked = go_through(proof, lambda _: 0.0, lambda _: 1.0)
    found = proof.verdict()
    assert found.accepted
    assert found.stopped == "win"
    assert len(asked) == len(set(asked)) == found.holdout_cases < 60 == found.planned_cases
    assert found.p_value <= 0.05
    assert found.effect_low > 0
    assert (found.fixed, found.broken, found.units) == (len(asked), 0, len(asked))
    assert [look.cases for look in found.looks] == list(proof.planned_looks[: len(found.looks)])
    assert found.looks[-1].gain >= found.looks[-1].needed
    assert "better on held-out cases" in found.reason


def test_what_changes_nothing_is_given_up_early():
    proof = SequentialProof(plan(100))
    asked = go_through(proof, lambda case: float(case[-1] in "02468"), lambda case: float(case[-1] in "12357"))
    found = proof.verdict()
    assert found.stopped == "futility"
    assert not found.accepted
    assert len(asked) < 100
    assert found.p_value > 0.05
    assert "given up after" in found.reason


def test_what_can_never_be_proved_is_not_looked_at():
    few = SequentialProof(plan(5))
    assert few.over
    assert few.verdict().stopped == "futility"
    assert "5 held-out cases cannot prove anything" in few.verdict().reason
    nearly_perfect = SequentialProof(plan(40, baseline={f"c{k:03d}": float(k > 3) for k in range(40)}))
    assert nearly_perfect.next_units() == ()
    assert "only 4 of them are not passed already" in nearly_perfect.verdict().reason


def test_the_last_look_at_single_cases_is_nearly_mcnemar():
    """One look allowed to win alone: the p value of the whole procedure is close to the fixed-size test's."""
    from sharpen.optimizer.statistics import mcnemar_exact

    rng = random.Random(3)
    close = 0
    for _ in range(60):
        fixed = {f"c{k:03d}": rng.random() for k in range(80)}
        proof = SequentialProof(plan(80))
        go_through(
            proof,
            lambda case, fixed=fixed: float(fixed[case] >= 0.3),
            lambda case, fixed=fixed: float(fixed[case] < 0.18 or fixed[case] >= 0.42),
        )
        found = proof.verdict()
        if found.holdout_cases == 80 and found.effect > 0:
            close += 1
            assert found.p_value == pytest.approx(mcnemar_exact(found.fixed, found.broken), abs=0.02)
    assert close > 3


@pytest.mark.no_cover
@given(st.integers(6, 12), st.sampled_from([0.025, 0.1, 0.25]), st.integers(1, 3), st.integers(0, 4))
@settings(max_examples=8, deadline=None)
def test_no_sign_pattern_of_true_nulls_wins_too_often(number, level, size, seed):
    """All 2ⁿ patterns of fair units, through the public door: futility and groups included."""
    units = min(number, 8)
    given_plan = plan(units * size, level, groups={f"c{k:03d}": str(k // size) for k in range(units * size)}, seed=seed)
    wins = 0
    for signs in itertools.product((-1, 1), repeat=units):
        proof = SequentialProof(given_plan)
        go_through(
            proof,
            lambda case, signs=signs: float(signs[int(case[1:]) // size] < 0),
            lambda case, signs=signs: float(signs[int(case[1:]) // size] > 0),
        )
        wins += proof.verdict().stopped == "win"
    assert wins / 2**units <= level


@given(st.integers(1, 90), st.integers(1, 7), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_looks_hold_every_case_once_and_whole_groups(number, size, seed):
    groups = {f"c{k:03d}": f"g{k // size}" for k in range(number) if k % 5}
    given_plan = plan(number, groups=groups, seed=seed)
    units = units_of(given_plan.cases, groups, seed)
    assert sorted(case for unit in units for case in unit) == list(given_plan.cases)
    assert units == units_of(given_plan.cases, groups, seed)
    proof = SequentialProof(given_plan)
    seen = set()
    while look := proof.next_units():
        assert seen.isdisjoint(look)
        for case_id in look:
            proof.tell(outcome(case_id, 0.0), outcome(case_id, float(case_id[-1] in "135")))
        seen |= set(look)
        for case_id, group in groups.items():
            if case_id in seen:
                assert {mate for mate, other in groups.items() if other == group} <= seen
    assert set(proof.looked_at) == seen


def test_groups_count_once():
    """Twenty cases that move together are one piece of evidence, not twenty."""
    groups = {f"c{k:03d}": str(k // 20) for k in range(120)}
    alone = SequentialProof(plan(120))
    go_through(alone, lambda _: 0.0, lambda case: float(int(case[1:]) < 80))
    assert alone.verdict().accepted
    grouped = SequentialProof(plan(120, groups=groups))
    go_through(grouped, lambda _: 0.0, lambda case: float(int(case[1:]) < 80))
    found = grouped.verdict()
    assert not found.accepted
    assert found.units <= 6
    assert found.effect_low <= 0 < found.effect_high
    assert "on groups" in found.test


def test_repeats_are_rates_in_whole_steps():
    proof = SequentialProof(plan(30, repeats=5, baseline={f"c{k:03d}": 0.2 for k in range(30)}))
    go_through(proof, lambda _: 0.2, lambda case: 0.6 + 0.2 * (int(case[1:]) % 2))
    found = proof.verdict()
    assert found.accepted
    assert "sign-flip" in found.test
    assert found.looks[-1].gain == pytest.approx(found.effect * found.holdout_cases)


def test_stopping_in_the_middle_is_incomplete_and_going_on_gives_the_same():
    whole, parts = SequentialProof(plan(60)), SequentialProof(plan(60))
    rates = (lambda case: float(case[-1] in "01"), lambda case: float(case[-1] in "0123456"))
    go_through(whole, *rates)
    go_through(parts, *rates, stop_after=17)
    found = parts.verdict()
    assert (found.stopped, found.accepted) == ("incomplete", False)
    assert found.p_value > 0.05
    assert "incomplete" in found.reason
    assert len(parts.looked_at) == 17
    go_through(parts, *rates)
    assert parts.verdict() == whole.verdict()


def test_a_case_that_did_not_run_ends_the_proof():
    proof = SequentialProof(plan(40))
    first = proof.next_units()
    for case_id in first[:-1]:
        proof.tell(outcome(case_id, 0.0), outcome(case_id, 1.0))
    proof.tell(outcome(first[-1], 0.0), outcome(first[-1], 0.0, ran=False))
    assert proof.over
    assert "incomplete: 1 held-out" in proof.verdict().reason
    assert not proof.verdict().accepted


def test_only_cases_that_are_due_may_be_told():
    proof = SequentialProof(plan(40))
    with pytest.raises(ValueError, match="'elsewhere'"):
        proof.tell(outcome("elsewhere", 0.0), outcome("elsewhere", 1.0))
    later = next(case for case in proof.plan.cases if case not in proof.next_units())
    with pytest.raises(ValueError, match="not one of the look"):
        proof.tell(outcome(later, 0.0), outcome(later, 1.0))


def test_a_win_that_newly_breaks_a_limit_or_a_confidence_is_not_accepted():
    slow = SequentialProof(plan(40))
    go_through(slow, lambda _: 0.0, lambda _: 1.0, latency_ms=6000.0)
    assert slow.verdict().stopped == "win"
    assert slow.verdict().broken_limits == ("max_acceptable_latency_ms",)
    assert "newly breaks" in slow.verdict().reason
    strict = Thresholds(min_success_rate=0.0, min_confidence=0.9999999)
    sure = SequentialProof(ProofPlan(plan(40).cases, 0.025, rules=strict))
    go_through(sure, lambda _: 0.0, lambda _: 1.0)
    assert "confidence is too low" in sure.verdict().reason


def test_an_earlier_look_at_the_cases_is_told():
    proof = SequentialProof(plan(40, 0.0125, earlier_looks=1))
    go_through(proof, lambda _: 0.0, lambda _: 1.0)
    found = proof.verdict()
    assert (found.threshold, found.earlier_looks) == (0.025, 1)
    assert "second look" in found.reason


def test_cheaper_and_no_worse_is_proved_when_both_are_so():
    def found(number, tokens, broken=0, margin=0.05):
        proof = SequentialProof(
            plan(number, claim="non_inferior", margin=margin, baseline={f"c{k:03d}": 1.0 for k in range(number)})
        )
        while look := proof.next_units():
            for case_id in look:
                rate = 0.0 if int(case_id[1:]) < broken else 1.0
                proof.tell(outcome(case_id, 1.0, tokens=100.0), outcome(case_id, rate, tokens=tokens))
        return proof.verdict()

    good = found(120, 70.0)
    assert good.accepted
    assert good.holdout_cases < 120
    assert good.token_change == pytest.approx(-0.3)
    assert (good.claim, good.margin) == ("non_inferior", 0.05)
    assert "30 % fewer tokens" in good.reason
    assert not found(120, 130.0).accepted
    assert not found(120, 100.0).accepted
    worse = found(120, 70.0, broken=12)
    assert not worse.accepted
    few = found(40, 70.0)
    assert few.holdout_cases == 0
    assert "82 could" in few.reason
    assert found(40, 70.0, margin=0.12).accepted


def test_looks_begin_where_a_win_is_possible_and_end_with_all():
    for units in (1, 5, 6, 7, 12, 40, 500):
        cuts = looks_of(units, 0.025)
        assert cuts[-1] == units
        assert list(cuts) == sorted(set(cuts))
        assert len(cuts) <= 5
        assert cuts[0] == units or 0.5 ** cuts[0] <= 0.025 * (cuts[0] / units) ** 2
    assert looks_of(0, 0.025) == ()


def test_rates_are_counted_in_whole_steps():
    assert steps_of([0.0, 1.0]) == 1
    assert steps_of([0.2, 0.5]) == 10
    assert steps_of([1 / 3], 4) == 12
    assert steps_of([0.123456, 1 / 997, 1 / 991]) == 1000


def test_the_group_of_a_case():
    assert group_of("a", {"group": "b"}, {}) == "a"
    assert group_of(None, {"group": "b"}, {}) == "b"
    assert group_of(None, {"group": 7}, {}) == "7"
    assert group_of(None, {}, {"doc": "d"}, "doc") == "d"
    assert group_of(None, {"doc": "m"}, {"doc": "d"}, "doc") == "m"
    assert group_of(None, {}, {"doc": "d"}) is None
    assert case_key({"a": 1, "b": 2}, "x") == case_key({"b": 2, "a": 1}, "x") != case_key({"a": 1, "b": 2}, "y")
    assert case_key({"a": "\ud800"}, None)

"""Offline experiments by their pure core: groups count once, in guardrails as in the verdict."""

import random

import pytest

from sharpen.errors import ErrorKind
from sharpen.experiments.guardrails import parse_guardrail
from sharpen.experiments.offline import OfflinePlan, PairedExperiment
from sharpen.optimizer.ports import CaseOutcome

IN_A_GROUP = 10


def outcome(case_id, **changes):
    return CaseOutcome(case_id, 1.0, 1.0, latency_ms=100.0, tokens=10.0, **changes)


def run(plan, variant):
    """``variant``: case id → its outcome under B; A is always the same."""
    test = PairedExperiment(plan)
    while batch := test.next_batch():
        test.tell(batch, {"A": [outcome(c) for c in batch.case_ids], "B": [variant(c) for c in batch.case_ids]})
    return test


def plan_of(groups, guardrail):
    units = tuple(tuple(f"g{g}-{n}" for n in range(IN_A_GROUP)) for g in range(groups))
    return OfflinePlan(("A", "B"), units, batch=groups, guardrails=(parse_guardrail(guardrail),))


@pytest.mark.parametrize("guardrail", ["latency+20%", "errors+5%"])
def test_a_group_is_one_sample_of_a_guardrail(guardrail):
    (check,) = run(plan_of(12, guardrail), outcome).guardrails()
    assert check.samples == 12


@pytest.mark.no_cover
def test_groups_that_fail_as_a_whole_are_no_evidence_ten_times_over():
    """Whole groups fail, as often as is allowed: harmless. Case by case, one of them would look like ten accidents."""
    harmed = 0
    for seed in range(200):
        rng = random.Random(seed)
        failing = {f"g{g}" for g in range(30) if rng.random() < 0.05}  # just what is allowed: harmless

        def variant(case_id, failing=frozenset(failing)):
            broken = case_id.partition("-")[0] in failing
            return outcome(case_id, error_kind=ErrorKind.SERVER if broken else None)

        harmed += any(check.harmed for check in run(plan_of(30, "errors+5%"), variant).guardrails())
    assert harmed <= 0.05 * 200


def test_a_harmful_variant_is_stopped():
    (check,) = run(plan_of(60, "latency+20%"), lambda c: CaseOutcome(c, 1.0, 1.0, latency_ms=200.0)).guardrails()
    assert check.harmed
    assert check.difference == 100.0


def better(units, latency_ms):
    """B passes where A fails, with another latency; a guardrail on latency, ten cases at a time."""
    cases = tuple((f"c{n}",) for n in range(units))
    test = PairedExperiment(OfflinePlan(("A", "B"), cases, batch=10, guardrails=(parse_guardrail("latency+20%"),)))
    seen = []
    while batch := test.next_batch():
        slow = [CaseOutcome(c, 1.0, 1.0, latency_ms=latency_ms) for c in batch.case_ids]
        test.tell(batch, {"A": [CaseOutcome(c, 0.0, 0.0, latency_ms=100.0) for c in batch.case_ids], "B": slow})
        (found,), (check,) = test.comparisons(), test.guardrails()
        seen.append((found.samples, found.state, check.state))
    return found.reason, check.reason, seen


def test_nobody_wins_before_the_guardrails_can_tell():
    """Asymptotic intervals begin at 30 samples; twice as slow, B had won after ten."""
    reason, _, seen = better(60, latency_ms=200.0)
    assert seen == [(10, "open", "unknown"), (20, "open", "unknown"), (30, "harm", "broken")]
    assert "breaks the guardrail latency+20%: +100 ms a case, 20 allowed" in reason
    assert better(60, latency_ms=100.0)[2][-1] == (30, "win", "holds")


def test_where_there_are_too_few_cases_for_a_guardrail_it_is_unknown():
    _, told, seen = better(20, latency_ms=200.0)
    assert seen == [(10, "win", "unknown")]
    assert told == "+100 ms a case, 20 allowed; 10 samples, it takes 30 to tell"


def test_what_is_proved_is_said_while_a_guardrail_is_awaited():
    cases = tuple((f"c{n}",) for n in range(60))
    test = PairedExperiment(OfflinePlan(("A", "B"), cases, batch=10, guardrails=(parse_guardrail("latency+20%"),)))
    batch = test.next_batch()
    assert batch is not None
    sides = {
        name: [CaseOutcome(c, rate, rate, latency_ms=9.0) for c in batch.case_ids]
        for name, rate in (("A", 0.0), ("B", 1.0))
    }
    test.tell(batch, sides)
    (found,) = test.comparisons()
    assert found.state == "open"
    assert found.reason.startswith("B is better than A: +100.0 points")
    assert found.reason.endswith("; what it does to the guardrails takes more cases to tell")

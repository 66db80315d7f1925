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

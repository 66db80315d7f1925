"""A version in place of a fixed threshold."""

import dataclasses

import pytest

from sharpen.config.models import RunManifest
from sharpen.config.rules import PlanRules, Thresholds
from sharpen.optimizer.models import Metrics, Prompt, TestExecutionReport
from sharpen.optimizer.optimizer_service import analyze_prompt
from sharpen.optimizer.reference import HistoricalRules, Reference, cases_of, worse_than
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.testing.version_suite import make_prompt
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring import open_store
from sharpen.wiring.references import rules_of

REFERENCE = Reference(version="1.2.0", passed=92, cases=100)
GOOD = analyze_prompt("Sort the message into one of the queues billing, shipping or other.\n\n{{ message }}")


def report(passed, of=100):
    return TestExecutionReport(
        workflow_id="w",
        total_tests=of,
        successful_tests=passed,
        failed_tests=of - passed,
        run_id="r",
        success_rate=passed / of if of else 0.0,
        avg_tokens_per_request=1.0,
        cost_per_request=0.0,
        avg_response_time_ms=1.0,
        total_tokens=10,
        total_cost=0.0,
    )


def rules(reference=REFERENCE, **changes):
    return HistoricalRules(**dataclasses.asdict(ScoringRules(**changes)), no_worse_than="latest", reference=reference)


@pytest.mark.parametrize(("passed", "fires"), [(100, False), (92, False), (88, False), (80, True), (0, True)])
def test_it_fires_only_beyond_chance(passed, fires):
    found = worse_than(REFERENCE, passed, 100)
    assert (found is not None) is fires
    if found:
        assert (found.metric, found.threshold, found.comparison) == ("success_rate", 0.92, "<")
        assert "version 1.2.0 when it was accepted (p = " in found.reason


def test_few_cases_prove_little():
    assert worse_than(REFERENCE, 4, 5) is None
    assert worse_than(Reference(version="1.0.0", passed=3, cases=3), 70, 100) is None


def test_the_version_stands_in_place_of_the_fixed_threshold_and_other_limits_stay():
    strict = rules(min_success_rate=0.99, max_acceptable_latency_ms=0.5)
    assert [trigger.metric for trigger in strict.broken_limits(report(92))] == ["avg_response_time_ms"]
    lax = rules(min_success_rate=0.1)
    assert [trigger.metric for trigger in lax.broken_limits(report(60))] == ["success_rate"]


def test_without_a_measured_version_the_threshold_counts_and_that_is_said():
    decision = rules(None, min_success_rate=0.8).decide(GOOD, report(60))
    assert [trigger.threshold for trigger in decision.triggers if trigger.metric == "success_rate"] == [0.8]
    assert (
        "no_worse_than 'latest': no such version was kept and measured yet; min_success_rate counts" in decision.skipped
    )
    assert rules().decide(GOOD, report(92)).skipped == ()


def test_a_reference_needs_figures():
    assert Reference.of("1.0.0", None) is None
    assert Reference.of("1.0.0", Metrics(cases=0, success_rate=0.0)) is None
    found = Reference.of("1.0.0", Metrics(cases=3, success_rate=2 / 3))
    assert (found.passed, found.cases, found.success_rate) == (2, 3, 2 / 3)


def manifest(**rules):
    return RunManifest.model_validate(
        {
            "workflow_id": "triage",
            "prompt": {"user": "{{ a }}"},
            "target": {"kind": "scripted"},
            "dataset": [{"id": "c", "vars": {"a": 1}}],
            "rules": rules,
        }
    )


def test_the_version_is_looked_up_in_the_store(tmp_path):
    plan = manifest(no_worse_than="production")
    assert type(rules_of(manifest(), None)) is ScoringRules
    with open_store(f"sqlite:///{tmp_path}/s.db", tmp_path / "plan.yaml") as store:
        assert rules_of(plan, store).reference is None
        versions = VersionManager(store.versions)
        versions.create("triage", make_prompt(), metrics=Metrics(cases=50, success_rate=0.9))
        assert rules_of(plan, store).reference is None
        versions.tag("triage", "1.0.0", "production")
        assert rules_of(plan, store).reference == Reference(version="1.0.0", passed=45, cases=50)
        versions.create("triage", Prompt.of(make_prompt("b"), id="p"))
        assert rules_of(manifest(no_worse_than="latest"), store).reference is None  # by hand, never measured


def test_a_plan_s_rules_are_thresholds():
    assert manifest(min_success_rate=0.9).rules == Thresholds(min_success_rate=0.9)
    assert Thresholds(min_success_rate=0.9) == manifest(min_success_rate=0.9).rules
    assert hash(PlanRules(min_success_rate=0.9)) == hash(PlanRules(min_success_rate=0.9))
    assert PlanRules(no_worse_than="latest") != Thresholds()
    assert PlanRules() != "rules"
    built = RunManifest.model_validate({**manifest().model_dump(), "rules": ScoringRules(min_success_rate=0.3)})
    assert built.rules == PlanRules(min_success_rate=0.3)


def test_repeats_of_a_case_are_no_cases_of_their_own():
    """18 of 20 cases prove nothing against 40 of 40, and the same five times over does not either."""
    once = rules(Reference(version="1.0.0", passed=40, cases=40))
    repeated = dataclasses.replace(once, repeats=5)
    assert once.broken_limits(report(90)) != []
    assert repeated.broken_limits(report(90)) == []
    assert [trigger.metric for trigger in repeated.broken_limits(report(50))] == ["success_rate"]
    assert cases_of(85, 100, 5) == (17, 20)
    assert cases_of(1, 1, 5) == (1, 1)


def test_the_results_that_are_the_reference_are_judged_by_the_threshold():
    itself = Reference(version="1.0.0", passed=50, cases=100, run_id="r")
    assert [trigger.metric for trigger in rules(itself).broken_limits(report(50))] == ["success_rate"]
    assert rules(itself).decide(GOOD, report(50)).skipped != ()
    assert rules(itself.model_copy(update={"run_id": "s"})).broken_limits(report(50)) == []
    unnamed = report(50).model_copy(update={"run_id": ""})
    assert rules(itself.model_copy(update={"run_id": ""})).broken_limits(unnamed) == []

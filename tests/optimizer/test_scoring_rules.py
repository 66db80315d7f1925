import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.rules import Thresholds
from sharpen.optimizer.legacy import report_from_metrics
from sharpen.optimizer.models import (
    AnalysisIssue,
    ErrorDistribution,
    OptimizationConfig,
    PromptAnalysis,
    Severity,
    TestExecutionReport,
)
from sharpen.optimizer.scoring_rules import ScoringRules

RULES = ScoringRules()


def analysis(overall=90.0, clarity=90.0, efficiency=90.0, critical=0):
    issue = AnalysisIssue(type="SP001", severity=Severity.CRITICAL, description="d", suggestion="s")
    return PromptAnalysis(
        prompt_id="p",
        overall_score=overall,
        clarity_score=clarity,
        efficiency_score=efficiency,
        issues=(issue,) * critical,
    )


def results(total=100, ok=90, failed=None, **changes):
    failed = total - ok if failed is None else failed
    fields = {
        "workflow_id": "f", "run_id": "r", "total_tests": total, "successful_tests": ok, "failed_tests": failed,
        "success_rate": ok / total, "avg_response_time_ms": 100.0, "total_tokens": 10, "avg_tokens_per_request": 1.0,
        "total_cost": 0.1, "cost_per_request": 0.01,
    }  # fmt: skip
    return TestExecutionReport(**{**fields, **changes})


def metrics_triggered(decision):
    return [trigger.metric for trigger in decision.triggers]


def test_a_good_prompt_with_good_results_is_left_alone():
    decision = RULES.decide(analysis(), results())
    assert not decision.should_optimize
    assert decision.triggers == ()


@pytest.mark.parametrize(
    ("given_analysis", "given_results", "metric"),
    [
        (analysis(overall=79.9), None, "overall_score"),
        (analysis(critical=1), None, "critical_issues"),
        (analysis(), results(ok=79), "success_rate"),
        (analysis(), results(avg_response_time_ms=5000.1), "avg_response_time_ms"),
        (analysis(), results(cost_per_request=0.11), "cost_per_request"),
        (analysis(), results(error_distribution=ErrorDistribution(timeout_errors=6)), "timeout_rate"),
    ],
)
def test_each_rule_triggers_alone_and_says_so(given_analysis, given_results, metric):
    decision = RULES.decide(given_analysis, given_results)
    assert metrics_triggered(decision) == [metric]
    assert RULES.should_optimize(given_analysis, given_results)


@pytest.mark.parametrize(
    ("given_analysis", "given_results"),
    [
        (analysis(overall=80.0), None),
        (analysis(), results(ok=80)),
        (analysis(), results(avg_response_time_ms=5000.0)),
        (analysis(), results(cost_per_request=0.1)),
        (analysis(), results(error_distribution=ErrorDistribution(timeout_errors=5))),
    ],
)
def test_a_value_on_its_threshold_triggers_nothing(given_analysis, given_results):
    assert not RULES.should_optimize(given_analysis, given_results)


def test_tokens_count_only_when_the_rule_is_on():
    heavy = results(avg_tokens_per_request=900.0)
    assert not RULES.should_optimize(analysis(), heavy)
    strict = ScoringRules(max_tokens_per_request=800)
    assert metrics_triggered(strict.decide(analysis(), heavy)) == ["avg_tokens_per_request"]
    assert strict.select_strategy(analysis(), heavy) == "efficiency_focus"


def test_cancelled_tests_are_no_evidence():
    mostly_cancelled = results(total=100, ok=9, failed=1)  # 90 % of those that ran
    assert not RULES.should_optimize(analysis(), mostly_cancelled)
    late = results(total=100, ok=9, failed=1, error_distribution=ErrorDistribution(timeout_errors=1))
    assert metrics_triggered(RULES.decide(analysis(), late)) == ["timeout_rate"]
    none_ran = results(total=10, ok=0, failed=0)
    decision = RULES.decide(analysis(), none_ran)
    assert not decision.should_optimize
    assert "no test ran" in decision.skipped[0]


def test_an_unknown_cost_is_skipped_and_named():
    decision = RULES.decide(analysis(), results(total_cost=None, cost_per_request=None))
    assert not decision.should_optimize
    assert "price is unknown" in decision.skipped[0]


def test_a_config_brings_its_own_score_threshold():
    assert RULES.should_optimize(analysis(overall=85), config=OptimizationConfig(score_threshold=86))
    assert not RULES.should_optimize(analysis(overall=75), config=OptimizationConfig(score_threshold=70))


@pytest.mark.parametrize(
    ("given_analysis", "errors", "strategy"),
    [
        (analysis(efficiency=10), ErrorDistribution(timeout_errors=11), "clarity_focus"),
        (analysis(efficiency=10), ErrorDistribution(api_errors=2, llm_errors=2), "structure_focus"),
        (analysis(efficiency=69), ErrorDistribution(api_errors=2, llm_errors=1), "efficiency_focus"),  # only 3 errors
        (analysis(clarity=79, efficiency=90), ErrorDistribution(), "clarity_focus"),
        (analysis(clarity=90, efficiency=79), ErrorDistribution(), "efficiency_focus"),
        (analysis(clarity=80, efficiency=90), ErrorDistribution(), "clarity_focus"),  # exactly the gap: the default
    ],
)
def test_strategy_first_match_wins(given_analysis, errors, strategy):
    assert RULES.select_strategy(given_analysis, results(error_distribution=errors)) == strategy


def test_strategy_without_results():
    assert RULES.select_strategy(analysis(clarity=60, efficiency=60)) == "structure_focus"
    assert RULES.select_strategy(analysis(clarity=80, efficiency=80)) == "clarity_focus"
    assert RULES.select_strategy(analysis(clarity=60, efficiency=65)) == "structure_focus"


def test_version_bumps_by_at_least():
    bumps = [RULES.version_bump_type(points) for points in (15.0, 14.99, 5.0, 4.99, -3.0)]
    assert bumps == ["major", "minor", "minor", "patch", "patch"]
    assert [RULES.confidence_level(c) for c in (0.8, 0.6, 0.59)] == ["high", "medium", "low"]


def test_rules_come_from_a_plan():
    assert ScoringRules.of(Thresholds(min_success_rate=0.95)) == ScoringRules(min_success_rate=0.95)


# -- the older call ------------------------------------------------------------------------------------------------


def test_the_older_dict_still_decides_and_warns():
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert RULES.should_optimize(analysis(), baseline_metrics={"success_rate": 0.5})
    with pytest.warns(DeprecationWarning, match="baseline_metrics") as caught:
        decision = RULES.decide(analysis(), baseline_metrics={"success_rate": 0.753})
    assert decision.triggers[0].observed == 0.753
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert RULES.should_optimize(analysis(), {"success_rate": 0.5})


def test_test_results_win_over_the_dict():
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert not RULES.should_optimize(analysis(), results(), baseline_metrics={"success_rate": 0.1})


def test_a_dict_without_success_rate_is_absent():
    assert report_from_metrics({"avg_cost": 3.0}) is None
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert not RULES.should_optimize(analysis(), baseline_metrics={"total_cost": 1e9})


@given(st.floats(0, 1), st.none() | st.integers(0, 10_000))
@settings(max_examples=300)
def test_every_rate_converts(rate, total):
    metrics = {"success_rate": rate} | ({} if total is None else {"total_tests": total})
    converted = report_from_metrics(metrics)
    assert converted.success_rate == rate
    assert converted.metadata.get("original_total_tests") == total


def test_the_callers_own_total_is_kept_where_it_can_be():
    assert report_from_metrics({"success_rate": 0.75}).total_tests == 100
    exact = report_from_metrics({"success_rate": 0.07, "total_tests": 100})
    assert (exact.total_tests, exact.successful_tests) == (100, 7)
    third = report_from_metrics({"success_rate": 1 / 3, "total_tests": 7})
    assert (third.total_tests, third.metadata["original_total_tests"]) == (3, 7)


def test_other_keys_convert():
    converted = report_from_metrics(
        {
            "success_rate": 0.5, "workflow_id": "w", "run_id": "r", "total_tests": 4, "avg_response_time": 12.5,
            "total_tokens": 400, "avg_cost": 0.25, "note": "kept",
        }
    )  # fmt: skip
    assert (converted.workflow_id, converted.run_id, converted.avg_response_time_ms) == ("w", "r", 12.5)
    assert (converted.avg_tokens_per_request, converted.total_cost, converted.cost_per_request) == (100.0, 1.0, 0.25)
    assert converted.metadata["note"] == "kept"


@pytest.mark.parametrize("bad", [-0.1, 1.1, "0.8", None, True, float("nan"), float("inf")])
def test_a_rate_that_is_none_names_its_key(bad):
    with pytest.raises(ValueError, match="success_rate"):
        report_from_metrics({"success_rate": bad})


@pytest.mark.parametrize("bad", [-1, 2.5, "many"])
def test_a_bad_total_names_its_key(bad):
    with pytest.raises(ValueError, match="total_tests"):
        report_from_metrics({"success_rate": 0.5, "total_tests": bad})


def test_no_warning_without_the_dict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RULES.decide(analysis(), results())


def test_numbers_of_other_kinds_convert():
    import decimal

    import numpy as np

    assert report_from_metrics({"success_rate": decimal.Decimal("0.5"), "total_tests": np.int64(10)}).total_tests == 10
    assert report_from_metrics({"success_rate": np.float32(0.5)}).success_rate == 0.5


def test_efficiency_is_judged_even_when_nothing_ran():
    nothing_ran = results(total=10, ok=0, failed=0)
    assert RULES.select_strategy(analysis(clarity=65, efficiency=60), nothing_ran) == "efficiency_focus"


def test_the_older_dict_may_choose_a_strategy():
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert RULES.select_strategy(analysis(efficiency=60), {"success_rate": 0.5}) == "efficiency_focus"

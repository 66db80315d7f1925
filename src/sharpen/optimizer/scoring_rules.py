"""When to optimize, how, and how large a step the result is (contract section 3). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from sharpen.config.rules import Thresholds
from sharpen.optimizer.legacy import resolve_results
from sharpen.optimizer.models import Decision, OptimizationConfig, PromptAnalysis, TestExecutionReport, Trigger

CLARITY, EFFICIENCY, STRUCTURE = "clarity_focus", "efficiency_focus", "structure_focus"
TIMEOUT_RATE_FOR_CLARITY = 0.10
MIXED_ERRORS_MIN = 4
MIXED_ERRORS_SHARE = 0.25


@dataclass(frozen=True)
class ScoringRules(Thresholds):
    """The thresholds and what they decide. All comparisons are strict: a value on its threshold triggers nothing."""

    @classmethod
    def of(cls, thresholds: Thresholds) -> Self:
        """The rules of a plan."""
        return cls(**{field.name: getattr(thresholds, field.name) for field in fields(Thresholds)})

    def should_optimize(
        self,
        analysis: PromptAnalysis,
        test_results: TestExecutionReport | None = None,
        *,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
    ) -> bool:
        """The verdict of ``decide``."""
        results = resolve_results(test_results, baseline_metrics)
        return self.decide(analysis, results, config=config).should_optimize

    def decide(
        self,
        analysis: PromptAnalysis,
        test_results: TestExecutionReport | None = None,
        *,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
    ) -> Decision:
        """The verdict, every trigger with its metric, value and threshold, and the strategy."""
        results = resolve_results(test_results, baseline_metrics)
        triggers = self._static_triggers(analysis, config)
        skipped: list[str] = []
        if results is None:
            skipped.append("the measured rules: no test results")
        elif results.ran_tests == 0:
            skipped.append("the measured rules: no test ran to an end")
        else:
            if results.cost_per_request is None:
                skipped.append("max_cost_per_request: the price is unknown")
            triggers += self.broken_limits(results)
        strategy, reason = self.explain_strategy(analysis, results)
        return Decision(
            should_optimize=bool(triggers),
            triggers=tuple(triggers),
            strategy=strategy,
            strategy_reason=reason,
            skipped=tuple(skipped),
        )

    def _static_triggers(self, analysis: PromptAnalysis, config: OptimizationConfig | None) -> list[Trigger]:
        triggers = []
        threshold = getattr(config, "score_threshold", self.optimization_threshold)  # the plan's own block has none
        if analysis.overall_score < threshold:
            triggers.append(
                _trigger("overall_score", analysis.overall_score, "<", threshold, "the prompt's score is low")
            )
        critical = len(analysis.critical_issues)
        if critical >= self.critical_issue_threshold:
            names = ", ".join(sorted({issue.type for issue in analysis.critical_issues}))
            reason = f"critical issues in the prompt ({names})"
            triggers.append(_trigger("critical_issues", critical, ">=", self.critical_issue_threshold, reason))
        return triggers

    def broken_limits(self, results: TestExecutionReport) -> list[Trigger]:
        """The measured rules that a report breaks; rates are taken over the tests that ran."""
        if results.ran_tests == 0:
            return []
        success_rate = results.success_rate
        if results.ran_tests != results.total_tests:
            success_rate = results.successful_tests / results.ran_tests
        timeout_rate = results.error_distribution.timeout_errors / results.ran_tests
        limits: list[tuple[str, float | None, Literal["<", ">"], float | None, str]] = [
            ("success_rate", success_rate, "<", self.min_success_rate, "too few cases pass"),
            ("avg_response_time_ms", results.avg_response_time_ms, ">", self.max_acceptable_latency_ms, "too slow"),
            ("cost_per_request", results.cost_per_request, ">", self.max_cost_per_request, "too expensive"),
            ("timeout_rate", timeout_rate, ">", self.max_timeout_error_rate, "too many calls time out"),
            (
                "avg_tokens_per_request",
                results.avg_tokens_per_request,
                ">",
                self.max_tokens_per_request,
                "too many tokens",
            ),
        ]
        triggers = []
        for metric, observed, comparison, threshold, reason in limits:
            if observed is None or threshold is None:
                continue
            if observed < threshold if comparison == "<" else observed > threshold:
                triggers.append(_trigger(metric, observed, comparison, threshold, reason))
        return triggers

    def select_strategy(self, analysis: PromptAnalysis, test_results: TestExecutionReport | None = None) -> str:
        """The strategy that the evidence points to; the first rule that matches wins."""
        return self.explain_strategy(analysis, resolve_results(test_results, None))[0]

    def explain_strategy(self, analysis: PromptAnalysis, results: TestExecutionReport | None) -> tuple[str, str]:
        """The strategy and why it was chosen."""
        clarity, efficiency = analysis.clarity_score, analysis.efficiency_score
        if results is not None:
            measured = self._strategy_from_results(efficiency, results)
            if measured:
                return measured
        gap = self.clarity_efficiency_gap
        if clarity < efficiency - gap:
            return CLARITY, f"clarity {clarity:.0f} is more than {gap:g} points below efficiency {efficiency:.0f}"
        if efficiency < clarity - gap:
            return EFFICIENCY, f"efficiency {efficiency:.0f} is more than {gap:g} points below clarity {clarity:.0f}"
        if clarity < self.low_score_threshold and efficiency < self.low_score_threshold:
            return STRUCTURE, f"clarity {clarity:.0f} and efficiency {efficiency:.0f} are both low"
        return CLARITY, "nothing points elsewhere"

    def _strategy_from_results(self, efficiency: float, results: TestExecutionReport) -> tuple[str, str] | None:
        errors = results.error_distribution
        timeout_rate = errors.timeout_errors / results.ran_tests if results.ran_tests else 0.0
        if timeout_rate > TIMEOUT_RATE_FOR_CLARITY:
            return CLARITY, f"{timeout_rate:.0%} of the calls timed out"
        if errors.total_errors >= MIXED_ERRORS_MIN:
            large = [
                name for name in errors.CATEGORIES if getattr(errors, name) >= MIXED_ERRORS_SHARE * errors.total_errors
            ]
            if len(large) >= 2:
                names = " and ".join(name.removesuffix("_errors") for name in large)
                return STRUCTURE, f"mixed errors: {names}"
        if efficiency < self.low_score_threshold:
            return EFFICIENCY, f"efficiency {efficiency:.0f} is below {self.low_score_threshold:g}"
        tokens, limit = results.avg_tokens_per_request, self.max_tokens_per_request
        if limit is not None and tokens > limit:
            return EFFICIENCY, f"{tokens:.0f} tokens a request, above {limit:g}"
        return None

    def version_bump_type(self, improvement: float) -> Literal["major", "minor", "patch"]:
        """The step a new version is, by its improvement in points on 0..100."""
        if improvement >= self.major_version_min_improvement:
            return "major"
        if improvement >= self.minor_version_min_improvement:
            return "minor"
        return "patch"

    def confidence_level(self, confidence: float) -> Literal["low", "medium", "high"]:
        """How far a confidence in 0..1 can be relied on, by ``min_confidence`` and ``high_confidence``."""
        if confidence >= self.high_confidence:
            return "high"
        return "medium" if confidence >= self.min_confidence else "low"


def _trigger(
    metric: str, observed: float, comparison: Literal["<", ">", ">="], threshold: float, reason: str
) -> Trigger:
    return Trigger(metric=metric, observed=observed, comparison=comparison, threshold=threshold, reason=reason)

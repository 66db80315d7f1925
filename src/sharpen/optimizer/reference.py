"""Worse than the version that was accepted? A historical baseline in place of a fixed threshold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharpen.executor.models import Record
from sharpen.optimizer.models import (
    Decision,
    Metrics,
    OptimizationConfig,
    PromptAnalysis,
    TestExecutionReport,
    Trigger,
)
from sharpen.optimizer.patterns.exact_test import fisher_worse
from sharpen.optimizer.scoring_rules import ScoringRules

ALPHA = 0.05


class Reference(Record):
    """A version and what was measured when it was accepted: so many of ``cases`` passed.

    ``run_id``: the run that measured it, which cannot be held against itself; empty for a proof's.
    """

    version: str
    passed: int
    cases: int
    run_id: str = ""

    @classmethod
    def of(cls, version: str, metrics: Metrics | None) -> Reference | None:
        """The reference that a version's figures make; None when it was never measured."""
        if metrics is None or not metrics.cases:
            return None
        return cls(version=version, passed=round(metrics.success_rate * metrics.cases), cases=metrics.cases)

    @property
    def success_rate(self) -> float:
        """0..1."""
        return self.passed / self.cases

    def is_of(self, results: TestExecutionReport) -> bool:
        """Whether it is these very results."""
        return bool(self.run_id) and self.run_id == results.run_id


@dataclass(frozen=True)
class HistoricalRules(ScoringRules):
    """The rules of a plan whose success is held against a version instead of ``min_success_rate``.

    ``no_worse_than`` is what the plan calls it. While ``reference`` is None, because no such version was kept and
    measured yet, ``min_success_rate`` counts. ``repeats`` of a case are no cases of their own: they count as one.
    """

    no_worse_than: str = ""
    reference: Reference | None = None
    repeats: int = 1

    def broken_limits(self, results: TestExecutionReport) -> list[Trigger]:
        """See ``ScoringRules``."""
        found = super().broken_limits(results)
        if self.reference is None or not results.ran_tests or self.reference.is_of(results):
            return found
        worse = worse_than(self.reference, *cases_of(results.successful_tests, results.ran_tests, self.repeats))
        others = [trigger for trigger in found if trigger.metric != "success_rate"]
        return [worse, *others] if worse else others

    def decide(
        self,
        analysis: PromptAnalysis,
        test_results: TestExecutionReport | None = None,
        *,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
    ) -> Decision:
        """See ``ScoringRules``."""
        decision = super().decide(analysis, test_results, baseline_metrics=baseline_metrics, config=config)
        if self.reference is not None and not (test_results and self.reference.is_of(test_results)):
            return decision
        why = "no such version was kept and measured yet; min_success_rate counts"
        note = f"no_worse_than {self.no_worse_than!r}: {why}"
        return decision.model_copy(update={"skipped": (*decision.skipped, note)})


def cases_of(passed: int, ran: int, repeats: int) -> tuple[int, int]:
    """Tests as so many cases, passed and in all: those of which each was asked ``repeats`` times."""
    cases = max(1, round(ran / repeats))
    return min(cases, round(passed / ran * cases)), cases


def worse_than(reference: Reference, passed: int, ran: int, alpha: float = ALPHA) -> Trigger | None:
    """The reason to optimize when fewer cases pass than of the version, beyond chance; None otherwise.

    Fisher's exact test, one-sided: what was accepted was measured on held-out cases, what is tested on all, so the two
    are taken as two samples. Where most cases are the same and pass alike, that errs towards saying nothing.
    """
    p = fisher_worse(ran - passed, ran, reference.cases - reference.passed, reference.cases)
    if p >= alpha:
        return None
    return Trigger(
        metric="success_rate",
        observed=passed / ran,
        threshold=reference.success_rate,
        comparison="<",
        reason=f"fewer cases pass than of version {reference.version} when it was accepted (p = {p:.2g})",
    )

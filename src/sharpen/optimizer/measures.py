"""Case outcomes → the figures of one prompt. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping

from sharpen.config.rules import Thresholds
from sharpen.errors import ErrorKind
from sharpen.executor.statistics import ExactSum
from sharpen.optimizer.models import Metrics
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.statistics import nearest_rank


def metrics_of(outcomes: Iterable[CaseOutcome]) -> Metrics:
    """Means over the cases that ran. Without any: zero cases and zero rates."""
    found = MetricsFold()
    for outcome in outcomes:
        found.add(outcome)
    return found.metrics()


def changed(outcomes: Iterable[CaseOutcome], baseline: Mapping[str, CaseOutcome]) -> tuple[float, float]:
    """(fixed, broken): pass rate gained and lost over the baseline, each summed over the cases that ran under both."""
    gains = [
        outcome.pass_rate - before.pass_rate
        for outcome in outcomes
        if outcome.ran and (before := baseline.get(outcome.case_id)) is not None and before.ran
    ]
    return math.fsum(gain for gain in gains if gain > 0), math.fsum(-gain for gain in gains if gain < 0)


class MetricsFold:
    """Folds outcomes into metrics one by one; no outcome is kept, only its latency."""

    def __init__(self) -> None:
        self._latencies = array("d")
        self._rates, self._scores, self._tokens, self._costs = (ExactSum() for _ in range(4))
        self._unpriced = False
        self._timeouts = 0

    def add(self, outcome: CaseOutcome) -> None:
        """Count one case, if it ran."""
        if not outcome.ran:
            return
        self._latencies.append(outcome.latency_ms)
        self._rates.add(outcome.pass_rate)
        self._scores.add(outcome.score)
        self._tokens.add(outcome.tokens)
        if outcome.cost is None:
            self._unpriced = True
        else:
            self._costs.add(outcome.cost)
        self._timeouts += outcome.error_kind is ErrorKind.TIMEOUT

    def metrics(self) -> Metrics:
        """All that was added."""
        n = len(self._latencies)
        if not n:
            return Metrics(cases=0, success_rate=0.0)
        return Metrics(
            cases=n,
            success_rate=_clip(self._rates.value / n),
            mean_score=_clip(self._scores.value / n),
            avg_latency_ms=math.fsum(self._latencies) / n,
            p95_latency_ms=nearest_rank(self._latencies, 95),
            tokens_per_request=self._tokens.value / n,
            cost_per_request=None if self._unpriced else self._costs.value / n,
            timeout_rate=self._timeouts / n,
        )


def broken_limits(metrics: Metrics, rules: Thresholds) -> set[str]:
    """Names of the rules' hard limits that ``metrics`` break. An unknown cost breaks none."""
    broken = set()
    if metrics.success_rate < rules.min_success_rate:
        broken.add("min_success_rate")
    if metrics.avg_latency_ms > rules.max_acceptable_latency_ms:
        broken.add("max_acceptable_latency_ms")
    if metrics.cost_per_request is not None and metrics.cost_per_request > rules.max_cost_per_request:
        broken.add("max_cost_per_request")
    if metrics.timeout_rate > rules.max_timeout_error_rate:
        broken.add("max_timeout_error_rate")
    if rules.max_tokens_per_request is not None and metrics.tokens_per_request > rules.max_tokens_per_request:
        broken.add("max_tokens_per_request")
    return broken


def _clip(rate: float) -> float:
    return min(1.0, max(0.0, rate))

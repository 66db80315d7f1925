"""Case outcomes → the figures of one prompt. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sharpen.config.rules import Thresholds
from sharpen.errors import ErrorKind
from sharpen.optimizer.models import Metrics
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.statistics import nearest_rank


def metrics_of(outcomes: Iterable[CaseOutcome]) -> Metrics:
    """Means over the cases that ran. Without any: zero cases and zero rates."""
    ran = [outcome for outcome in outcomes if outcome.ran]
    n = len(ran)
    if not n:
        return Metrics(cases=0, success_rate=0.0)
    costs = [outcome.cost for outcome in ran]
    latencies = [outcome.latency_ms for outcome in ran]
    return Metrics(
        cases=n,
        success_rate=_clip(math.fsum(outcome.pass_rate for outcome in ran) / n),
        mean_score=_clip(math.fsum(outcome.score for outcome in ran) / n),
        avg_latency_ms=math.fsum(latencies) / n,
        p95_latency_ms=nearest_rank(latencies, 95),
        tokens_per_request=math.fsum(outcome.tokens for outcome in ran) / n,
        cost_per_request=None if None in costs else math.fsum(cost or 0.0 for cost in costs) / n,
        timeout_rate=sum(outcome.error_kind is ErrorKind.TIMEOUT for outcome in ran) / n,
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

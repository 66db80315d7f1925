"""Which candidates nobody beats in everything: passes, tokens, cost and latency. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from sharpen.optimizer.models import CandidateReport, Metrics

T = TypeVar("T")

COMPARABLE = 0.5
"""Who saw fewer than this share of the cases that the best-measured one saw says too little to stand on the front."""

LATENCY_NOISE, LEAST_LATENCY_MS = 0.1, 10.0
"""Mean latencies of a few dozen calls that differ by less than this share, or by less than so many ms, are equal."""


def dominates(one: Metrics, other: Metrics) -> bool:
    """``one`` is no worse in success rate, tokens, cost (where both are known) and latency, and better in one of them.

    Nobody dominates anybody who dominates him, over any number of steps: latency alone is compared with a tolerance.
    """
    no_worse = (
        one.success_rate >= other.success_rate
        and one.tokens_per_request <= other.tokens_per_request
        and not _above(one.cost_per_request, other.cost_per_request)
        and not _quicker(other, one)
    )
    return no_worse and (
        one.success_rate > other.success_rate
        or one.tokens_per_request < other.tokens_per_request
        or _above(other.cost_per_request, one.cost_per_request)
        or _quicker(one, other)
    )


def pareto_front(candidates: Sequence[CandidateReport]) -> tuple[CandidateReport, ...]:
    """The measured candidates that no other one dominates, the best success rate first.

    Each stands on the dev cases that it saw before it was dropped, so the front is a map, not a proof.
    """
    return front_of((each, each.dev) for each in candidates if each.dev is not None)


def front_of(measured: Iterable[tuple[T, Metrics]]) -> tuple[T, ...]:
    """The same of anything that has metrics."""
    every = [(each, mine) for each, mine in measured if mine.cases]
    most = max((mine.cases for _, mine in every), default=0)
    known = [(each, mine) for each, mine in every if mine.cases >= COMPARABLE * most]
    front = [(each, mine) for each, mine in known if not any(dominates(other, mine) for _, other in known)]
    ranked = sorted(front, key=lambda pair: (-pair[1].success_rate, pair[1].tokens_per_request))
    return tuple(each for each, _ in ranked)


def _quicker(one: Metrics, other: Metrics) -> bool:
    tolerance = max(LATENCY_NOISE * other.avg_latency_ms, LEAST_LATENCY_MS)
    return one.avg_latency_ms < other.avg_latency_ms - tolerance


def _above(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other

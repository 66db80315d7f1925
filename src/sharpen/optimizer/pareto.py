"""Which candidates nobody beats in both: more passes for fewer tokens. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.optimizer.models import CandidateReport, Metrics

COMPARABLE = 0.5
"""Who saw fewer than this share of the cases that the best-measured one saw says too little to stand on the front."""


def dominates(one: Metrics, other: Metrics) -> bool:
    """``one`` is no worse in success rate and tokens per request, and better in one of them.

    Latency follows the tokens, and is too noisy over a few dozen calls to put anybody on the front by itself.
    """
    no_worse = one.success_rate >= other.success_rate and one.tokens_per_request <= other.tokens_per_request
    return no_worse and (one.success_rate, one.tokens_per_request) != (other.success_rate, other.tokens_per_request)


def pareto_front(candidates: Sequence[CandidateReport]) -> tuple[CandidateReport, ...]:
    """The measured candidates that no other one dominates, the best success rate first.

    Each stands on the dev cases that it saw before it was dropped, so the front is a map, not a proof.
    """
    measured = [each for each in candidates if each.dev is not None and each.dev.cases]
    most = max((each.dev.cases for each in measured if each.dev), default=0)
    known = [(each, each.dev) for each in measured if each.dev and each.dev.cases >= COMPARABLE * most]
    front = [(each, mine) for each, mine in known if not any(dominates(other, mine) for _, other in known)]
    return tuple(
        each for each, _ in sorted(front, key=lambda pair: (-pair[1].success_rate, pair[1].tokens_per_request))
    )

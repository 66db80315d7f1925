"""What the proof will take is set aside before anything is raced, in every currency that has a limit. Pure.

A search that had spent it all on candidates could not prove the one it found: what it paid would be lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev

from sharpen.optimizer.ports import CaseOutcome, SpendMeter
from sharpen.optimizer.proof.units import LOOKS

ONE_SIDED_95 = 1.645
"""Set aside is what the held-out cases take in 19 of 20 draws of cases like those that were measured."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one case takes in one currency, all its repeats: mean and standard deviation over cases."""

    mean: float
    deviation: float = 0.0

    def of(self, cases: int) -> float:
        """What so many cases take, with the allowance for their being dearer ones by chance."""
        return cases * self.mean + ONE_SIDED_95 * self.deviation * math.sqrt(cases)


def runs_left(
    meter: SpendMeter,
    baseline: Mapping[str, CaseOutcome] | Iterable[CaseOutcome],
    repeats: int,
    holdout_cases: int,
    tried: Iterable[CaseOutcome] = (),
) -> int | None:
    """Case runs (one case with all its repeats) that the search may still spend. None: nothing sets a limit.

    The least over calls, tokens, USD and seconds of what is left once the proof of ``holdout_cases`` is set aside.
    ``baseline``: what the seed prompt took; ``tried``: outcomes of the candidate that takes most so far, as a prompt
    with demonstrations takes more tokens than the seed. The dearer of the two counts in each currency.

    A currency in which a case is not known to take anything (a price that nobody knows, a model that is free) sets no
    limit, as it sets none for the meter. Seconds are those of the pace at which calls were made so far, or, while all
    came from the cache, of one call after the other.
    """
    outcomes = tuple(baseline.values() if isinstance(baseline, Mapping) else baseline)
    needs = [_needs(outcomes, repeats, meter)]
    if others := tuple(tried):
        needs.append(_needs(others, repeats, meter))
    slowest = max((outcome.latency_ms / 1000 for outcome in outcomes if outcome.ran), default=0.0)
    # every look at the holdout waits for its slowest case
    left = (meter.calls_left(), meter.tokens_left(), meter.cost_left(), meter.seconds_left())
    waiting = (0.0, 0.0, 0.0, min(LOOKS, holdout_cases) * slowest)
    limits = [
        _runs(limit, need, holdout_cases, extra)
        for limit, extra, *found in zip(left, waiting, *needs, strict=True)
        if limit is not None and (need := max(found, key=lambda one: one.of(max(1, holdout_cases)))).mean > 0
    ]
    return min(limits, default=None)


def _runs(left: float, need: Need, holdout_cases: int, extra: float) -> int:
    return max(0, math.floor((left - need.of(holdout_cases) - extra) / need.mean + 1e-9))


def _needs(outcomes: Iterable[CaseOutcome], repeats: int, meter: SpendMeter) -> tuple[Need, Need, Need, Need]:
    """Calls, tokens, USD and seconds of a case. Cases that the cache answered tell nothing about calls and judging."""
    ran = [outcome for outcome in outcomes if outcome.ran]
    called = [outcome for outcome in ran if outcome.calls] or ran
    calls = _need([max(repeats, outcome.calls) for outcome in called])
    calls = calls if called else Need(repeats)
    tokens = _need([repeats * (outcome.tokens + outcome.judge_tokens) for outcome in called])
    priced = [
        repeats * (outcome.cost + outcome.judge_cost)
        for outcome in called
        if outcome.cost is not None and outcome.judge_cost is not None
    ]
    pace = meter.seconds_per_call()
    if pace is None:
        seconds = _need([calls.mean * outcome.latency_ms / 1000 for outcome in called])
    else:
        seconds = Need(pace * calls.mean, pace * calls.deviation)
    return calls, tokens, _need(priced), seconds


def _need(figures: list[float]) -> Need:
    return Need(fmean(figures), pstdev(figures)) if figures else Need(0.0)

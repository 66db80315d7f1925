"""What a search maximises: passes alone, or passes and savings by the plan's weights. Pure.

A weighted sum of each figure's difference from the seed's, on the same cases: the weighted-sum method of multi-criteria
decisions (Marler & Arora 2010, Struct. Multidiscip. Optim. 41). Savings are relative, because tokens, USD and
milliseconds have no unit in common; the pass rate's difference is absolute, because a seed may pass nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from sharpen.config.weights import Weights
from sharpen.optimizer.ports import CaseOutcome

_FIGURES: dict[str, Callable[[CaseOutcome], float | None]] = {
    "tokens": lambda outcome: outcome.tokens,
    "cost": lambda outcome: outcome.cost,
    "latency": lambda outcome: outcome.latency_ms,
}


class Objective:
    """Compares candidates with the seed, whose outcomes are ``baseline``. Without weights nothing but passes counts."""

    def __init__(self, weights: Weights | None, baseline: Mapping[str, CaseOutcome]) -> None:
        self._baseline = baseline
        self._quality = weights.quality if weights else 1.0
        wanted = weights.savings if weights else {}
        means = {name: _mean(_FIGURES[name], baseline.values()) for name in wanted}
        self._wanted = {name: weight for name, weight in wanted.items() if means[name]}
        self._means = {name: mean for name, mean in means.items() if mean}
        self.unknown = tuple(name for name, mean in means.items() if not mean)
        """What has a weight that counts for nothing: the figure is not known, or 0 for the seed."""

    def bonus(self, outcome: CaseOutcome) -> float:
        """What a case speaks for a candidate beside its pass, in passes: the weighted savings on it."""
        seed = self._baseline.get(outcome.case_id)
        if seed is None or not (seed.ran and outcome.ran):
            return 0.0
        total = 0.0
        for name, weight in self._wanted.items():
            before, after = _FIGURES[name](seed), _FIGURES[name](outcome)
            if before is not None and after is not None:
                total += weight * (before - after) / self._means[name]
        return total / self._quality

    def score(self, outcomes: Mapping[str, CaseOutcome], case_ids: Sequence[str]) -> float:
        """The weighted sum over ``case_ids``, 0 for the seed itself: see ``config.weights``.

        A case that did not run counts as failed and saves nothing.
        """
        pairs = [
            (self._baseline[case_id], outcomes[case_id])
            for case_id in case_ids
            if case_id in self._baseline and case_id in outcomes
        ]
        if not pairs:
            return 0.0
        gain = math.fsum(_passed(after) - _passed(before) for before, after in pairs) / len(pairs)
        ran = [(before, after) for before, after in pairs if before.ran and after.ran]
        total = self._quality * gain
        for name, weight in self._wanted.items():
            before, after = (_mean(_FIGURES[name], side) for side in zip(*ran, strict=True)) if ran else (None, None)
            if before and after is not None:
                total += weight * (1 - after / before)
        return total


def _passed(outcome: CaseOutcome) -> float:
    return outcome.pass_rate if outcome.ran else 0.0


def _mean(figure: Callable[[CaseOutcome], float | None], outcomes: Iterable[CaseOutcome]) -> float | None:
    """None when it is not known of every case."""
    found = [figure(outcome) for outcome in outcomes if outcome.ran]
    known = [value for value in found if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(found) else None

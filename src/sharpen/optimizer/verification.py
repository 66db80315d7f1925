"""The proof: the chosen candidate against the baseline on held-out cases, paired by case. Pure.

Accepted only when the improvement is significant at ``alpha`` (exact two-sided McNemar), the confidence 1 − p reaches
the rules' ``min_confidence``, and no hard limit of the rules is newly broken. A two-sided test keeps a change that is
none with probability at most alpha / 2.

With repeats a case's outcome is a rate: the test is then the exact sign test on the cases whose rates differ (McNemar's
is the same test for rates of 0 and 1) and the interval is Student's t on the differences.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

from sharpen.config.rules import Thresholds
from sharpen.optimizer.measures import MetricsFold, broken_limits
from sharpen.optimizer.models import PairedCase, Verification
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.statistics import mcnemar_exact, mean_interval, paired_interval


def verify(
    holdout: Sequence[str],
    baseline: Mapping[str, CaseOutcome],
    candidate: Mapping[str, CaseOutcome],
    *,
    alpha: float,
    rules: Thresholds,
) -> Verification:
    """Compare on ``holdout`` (case ids). Cases that did not run under both prompts are no pairs."""
    ids = [
        case_id
        for case_id in holdout
        if case_id in baseline and case_id in candidate and baseline[case_id].ran and candidate[case_id].ran
    ]
    found = PairFold()
    for case_id in ids:
        found.add(baseline[case_id], candidate[case_id])
    return found.verification(alpha=alpha, rules=rules, missing=len(holdout) - len(ids))


class PairFold:
    """Folds cases that ran under both prompts into a verification, one by one.

    ``keep``: of more cases than that (None: never) the verification names no ``pairs``.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._keep = keep
        self._pairs: list[PairedCase] = []
        self._differences = array("d")
        self._fixed = self._broken = self._both = 0
        self._repeated = False
        self._before, self._after = MetricsFold(), MetricsFold()

    def add(self, before: CaseOutcome, after: CaseOutcome) -> None:
        """Count one case."""
        old, new = before.pass_rate, after.pass_rate
        self._differences.append(new - old)
        self._fixed += new > old
        self._broken += new < old
        self._both += old == new == 1.0
        self._repeated = self._repeated or old not in (0.0, 1.0) or new not in (0.0, 1.0)
        self._before.add(before)
        self._after.add(after)
        if self._keep is None or len(self._differences) <= self._keep:
            self._pairs.append(PairedCase(case_id=before.case_id, baseline=old, candidate=new))
        else:
            self._pairs.clear()

    def verification(self, *, alpha: float, rules: Thresholds, missing: int = 0) -> Verification:
        """The verdict on all that was added; ``missing`` cases should have been, but did not run."""
        fixed, broken, differences = self._fixed, self._broken, self._differences
        number = len(differences)
        effect = math.fsum(differences) / number if number else 0.0
        if self._repeated:
            low, high = mean_interval(differences, alpha)
        else:
            low, high = paired_interval(self._both, fixed, broken, number - self._both - fixed - broken, alpha)
        p_value = mcnemar_exact(fixed, broken)
        old, new = self._before.metrics(), self._after.metrics()
        newly_broken = tuple(sorted(broken_limits(new, rules) - broken_limits(old, rules)))
        accepted, reason = _verdict(effect, p_value, alpha, rules.min_confidence, newly_broken, missing, fixed, broken)
        return Verification(
            accepted=accepted,
            reason=reason,
            alpha=alpha,
            test="exact sign test on repeated cases" if self._repeated else "exact McNemar",
            holdout_cases=number,
            fixed=fixed,
            broken=broken,
            effect=effect,
            effect_low=min(low, effect),
            effect_high=max(high, effect),
            p_value=p_value,
            baseline=old,
            candidate=new,
            broken_limits=newly_broken,
            pairs=tuple(self._pairs),
        )


def _verdict(
    effect: float,
    p_value: float,
    alpha: float,
    min_confidence: float,
    newly_broken: tuple[str, ...],
    missing: int,
    fixed: int,
    broken: int,
) -> tuple[bool, str]:
    evidence = f"{fixed} fixed, {broken} broken, p = {p_value:.2g}"
    if missing:
        return False, f"the proof is incomplete: {missing} held-out cases did not run"
    if effect <= 0:
        return False, f"no better on held-out cases ({evidence})"
    if p_value > alpha:
        return False, f"the gain may be luck: {evidence}, above alpha {alpha:g}"
    if 1 - p_value < min_confidence:
        return False, f"the confidence is too low: {evidence}, confidence {1 - p_value:.3g} below {min_confidence:g}"
    if newly_broken:
        return False, f"better ({evidence}), but newly breaks {', '.join(newly_broken)}"
    return True, f"better on held-out cases ({evidence}, alpha {alpha:g})"

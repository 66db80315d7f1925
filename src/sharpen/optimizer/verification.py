"""The proof: the chosen candidate against the baseline on held-out cases, paired by case. Pure.

Accepted only when the improvement is significant at ``alpha`` (exact two-sided McNemar), the confidence 1 − p reaches
the rules' ``min_confidence``, and no hard limit of the rules is newly broken. A two-sided test keeps a change that is
none with probability at most alpha / 2.

With repeats a case's outcome is a rate: the test is then the exact sign test on the cases whose rates differ (McNemar's
is the same test for rates of 0 and 1) and the interval is Student's t on the differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sharpen.config.rules import Thresholds
from sharpen.optimizer.measures import broken_limits, metrics_of
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
    pairs = tuple(PairedCase(case_id=i, baseline=baseline[i].pass_rate, candidate=candidate[i].pass_rate) for i in ids)
    fixed = sum(pair.candidate > pair.baseline for pair in pairs)
    broken = sum(pair.candidate < pair.baseline for pair in pairs)
    repeated = any(rate not in (0.0, 1.0) for pair in pairs for rate in (pair.baseline, pair.candidate))
    differences = [pair.candidate - pair.baseline for pair in pairs]
    effect = math.fsum(differences) / len(pairs) if pairs else 0.0
    if repeated:
        low, high = mean_interval(differences, alpha)
    else:
        both = sum(pair.baseline == 1.0 and pair.candidate == 1.0 for pair in pairs)
        low, high = paired_interval(both, fixed, broken, len(pairs) - both - fixed - broken, alpha)
    p_value = mcnemar_exact(fixed, broken)
    old, new = metrics_of(baseline[i] for i in ids), metrics_of(candidate[i] for i in ids)
    newly_broken = tuple(sorted(broken_limits(new, rules) - broken_limits(old, rules)))
    missing = len(holdout) - len(ids)
    accepted, reason = _verdict(effect, p_value, alpha, rules.min_confidence, newly_broken, missing, fixed, broken)
    return Verification(
        accepted=accepted,
        reason=reason,
        alpha=alpha,
        test="exact sign test on repeated cases" if repeated else "exact McNemar",
        holdout_cases=len(pairs),
        fixed=fixed,
        broken=broken,
        effect=effect,
        effect_low=min(low, effect),
        effect_high=max(high, effect),
        p_value=p_value,
        baseline=old,
        candidate=new,
        broken_limits=newly_broken,
        pairs=pairs,
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

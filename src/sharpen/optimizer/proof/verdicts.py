"""A proof's figures → the verdict, in words that say why. Pure."""

from __future__ import annotations

import math
from typing import Literal

from sharpen.optimizer.measures import broken_limits
from sharpen.optimizer.models import ProofLook, Verification
from sharpen.optimizer.proof.claims import ClaimTest
from sharpen.optimizer.proof.evidence import Evidence
from sharpen.optimizer.proof.plan import ProofPlan
from sharpen.optimizer.proof.wording import can_prove, ordinal

Stop = Literal["win", "futility", "end", "incomplete"]


def verification_of(
    plan: ProofPlan, seen: Evidence, test: ClaimTest, looks: tuple[ProofLook, ...], stopped: Stop, missing: int
) -> Verification:
    """The public record of a proof, finished or not.

    ``p_value`` is at most the threshold only when the boundary was crossed, whenever one stops. The interval is a
    repeated one (Jennison & Turnbull 1989, JRSS B 51): it may be read at every look. Where "better" was claimed and not
    won, its lower end is at most 0.
    """
    threshold = min(1.0, 2 * plan.level)
    p_value = min(1.0, 2 * test.p_value)
    if stopped in ("futility", "incomplete"):
        p_value = max(p_value, math.nextafter(threshold, 2.0))
    p_value = min(1.0, p_value)
    low, high = seen.interval(2 * test.nominal)
    if plan.claim == "better" and stopped != "win":
        low = min(low, 0.0)  # the test is exact, the interval is not: where they differ, the wider answer
    old, new = seen.before.metrics(), seen.after.metrics()
    newly_broken = tuple(sorted(broken_limits(new, plan.rules) - broken_limits(old, plan.rules))) if seen.cases else ()
    before = old.tokens_per_request
    token_change = new.tokens_per_request / before - 1 if seen.cases and before else None
    accepted, reason = _verdict(plan, seen, p_value, threshold, stopped, newly_broken, missing, token_change)
    return Verification(
        accepted=accepted,
        reason=reason,
        alpha=plan.alpha,
        test=test.name,
        holdout_cases=seen.cases,
        fixed=seen.fixed,
        broken=seen.broken,
        effect=seen.effect,
        effect_low=low,
        effect_high=high,
        p_value=p_value,
        baseline=old,
        candidate=new,
        broken_limits=newly_broken,
        pairs=tuple(seen.pairs),
        claim=plan.claim,
        margin=plan.margin if plan.claim == "non_inferior" else None,
        token_change=token_change,
        stopped=stopped,
        looks=looks,
        units=len(seen.units),
        planned_cases=len(plan.cases),
        threshold=threshold,
        earlier_looks=plan.earlier_looks,
    )


def _verdict(
    plan: ProofPlan,
    seen: Evidence,
    p_value: float,
    threshold: float,
    stopped: Stop,
    newly_broken: tuple[str, ...],
    missing: int,
    token_change: float | None,
) -> tuple[bool, str]:
    evidence = f"{seen.fixed} fixed, {seen.broken} broken, p = {p_value:.2g}"
    if seen.clustered:
        evidence = f"{evidence}, {len(seen.units)} groups"
    bar = f"alpha {plan.alpha:g}"
    if plan.earlier_looks:
        bar = f"{threshold:.3g}: alpha {plan.alpha:g}, {ordinal(plan.earlier_looks + 1)} look at these cases"
    if stopped == "incomplete":
        if missing:
            return False, f"the proof is incomplete: {missing} held-out cases did not run"
        return False, f"the proof is incomplete: {seen.cases} of {len(plan.cases)} held-out cases were looked at"
    if stopped == "futility" and not seen.cases:
        return False, f"nothing was looked at: {can_prove(plan)}"
    if stopped == "futility":
        early = f"after {seen.cases} of {len(plan.cases)} held-out cases"
        return False, f"given up {early}: a proof had become unlikely ({seen.fixed} fixed, {seen.broken} broken)"
    if stopped != "win":
        if plan.claim == "non_inferior":
            return False, f"not proved to be at most {100 * plan.margin:g} points worse for fewer tokens ({evidence})"
        if seen.effect <= 0:
            return False, f"no better on held-out cases ({evidence})"
        return False, f"the gain may be luck: {evidence}, above {bar}"
    if 1 - p_value < plan.rules.min_confidence:
        return False, (
            f"the confidence is too low: {evidence}, confidence {1 - p_value:.3g} below {plan.rules.min_confidence:g}"
        )
    if newly_broken:
        good = "better" if plan.claim == "better" else "no worse"
        return False, f"{good} ({evidence}), but newly breaks {', '.join(newly_broken)}"
    if plan.claim == "non_inferior":
        fewer = f"{-100 * (token_change or 0.0):.0f} % fewer tokens"
        return True, f"at most {100 * plan.margin:g} points worse on held-out cases for {fewer} ({evidence}, {bar})"
    return True, f"better on held-out cases ({evidence}, {bar})"

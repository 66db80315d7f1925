"""What cannot be proved, said with numbers. Pure."""

from __future__ import annotations

from sharpen.optimizer.proof.non_inferiority import least_margin, units_for_margin
from sharpen.optimizer.proof.plan import ProofPlan
from sharpen.optimizer.proof.power import least_provable, smallest_effect
from sharpen.optimizer.proof.units import units_of


def ordinal(number: int) -> str:
    """The number as a word or as ``4th``."""
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def limits_of(units: int, level: float, noun: str = "holdout cases") -> str:
    """``12 holdout cases cannot prove anything below +50 points (from +62 points on with 80 % certainty)``.

    The first figure is the gain if just enough cases change, all for the better; the second the true gain that is
    proved four times out of five if it breaks nothing.
    """
    least = least_provable(units, level)
    if least > 1:
        return f"{units} {noun} cannot prove anything"
    likely = smallest_effect(units, level)
    sure = f" (from +{points(likely)} points on with 80 % certainty)" if likely is not None else ""
    return f"{units} {noun} cannot prove anything below +{points(least)} points{sure}"


def points(effect: float) -> str:
    """An effect (0..1) in points: whole ones, below ten with one decimal."""
    return f"{100 * effect:.0f}" if effect >= 0.0995 else f"{100 * effect:.1f}"


def can_prove(plan: ProofPlan) -> str:
    """Why no outcome of these cases could prove the claim."""
    if not plan.cases:
        return "other searches have used up every held-out case meanwhile; add cases that no search has seen"
    units = len(units_of(plan.cases, plan.groups))
    noun = "held-out cases" if units == len(plan.cases) else f"groups of {len(plan.cases)} held-out cases"
    if plan.claim == "non_inferior":
        return (
            f"{units} {noun} cannot show that quality is within {100 * plan.margin:g} points, not even if nothing "
            f"changes; {units_for_margin(plan.margin, plan.level)} could, or a margin of "
            f"{100 * least_margin(units, plan.level):.1f} points"
        )
    left = sum(any(plan.baseline.get(case_id, 0.0) < 1.0 for case_id in unit)
               for unit in units_of(plan.cases, plan.groups))  # fmt: skip
    if left < units:
        return f"{limits_of(units, plan.level, noun)}, and only {left} of them are not passed already"
    return limits_of(units, plan.level, noun)

"""How an A/B test is judged, and how many cases that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sharpen.errors import UnknownNameError, UserError
from sharpen.experiments.guardrails import parse_guardrail
from sharpen.experiments.offline import METRICS
from sharpen.experiments.planning import SamplePlan, plan_samples
from sharpen.experiments.sequential import Rule
from sharpen.optimizer.proof.units import groups_of, units_of
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.plans import load_plan

CHANGED = (0.1, 0.2, 0.4)
"""Shares of cases on which two prompts differ, for plans; as a rule a tenth to two fifths do."""


@dataclass(frozen=True, slots=True)
class AbOptions:
    """How a test is judged. ``batch`` None: by the number of cases. ``promote``: the alias that a win moves."""

    alpha: float = 0.05
    power: float = 0.8
    effect: float = 0.05
    metric: str = "pass_rate"
    batch: int | None = None
    guardrails: tuple[str, ...] = ()
    seed: int = 0
    promote: str | None = None

    def checked(self) -> AbOptions:
        """Raises ``UserError`` for a value that cannot be."""
        for name in ("alpha", "power", "effect"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)!r} is not between 0 and 1")
        if self.metric not in METRICS:
            raise UnknownNameError("metric", self.metric, METRICS)
        for text in self.guardrails:
            parse_guardrail(text)
        if self.promote is not None:
            VersionManager.check_alias(self.promote)
        return self


def plan_ab(
    path: Path, overrides: Sequence[str] | None, options: AbOptions, changed: float | None = None
) -> tuple[int, tuple[SamplePlan, ...]]:
    """(samples in the data set, what the effect takes for each share of cases that may differ); nothing is called."""
    options.checked()
    cases = tuple(load_plan(path, overrides).cases)
    available = len(units_of([case.id for case in cases], groups_of(cases)))
    rule = Rule(options.alpha, options.power, options.effect)
    if changed is not None and not options.effect <= changed <= 1:
        raise UserError(
            f"--changed {changed:g} is not between the effect, {options.effect:g}, and 1: that many cases must differ"
        )
    shares = (changed,) if changed else tuple(share for share in CHANGED if share >= options.effect) or (1.0,)
    return available, tuple(plan_samples(rule, share, available) for share in shares)

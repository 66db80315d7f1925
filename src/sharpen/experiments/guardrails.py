"""Metrics that a variant may not worsen by more than a margin: a one-sided test of harm. Pure.

Bounded metrics are tested by the bets of ``bets``, exactly; others (offline latency, tokens, cost) by the asymptotic
confidence sequence. Each guardrail of each variant has its own level: it stops a harmless variant with that
probability at most, however often one looks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sharpen.errors import UserError, suggest
from sharpen.experiments.asymptotic import FEWEST, RunningMean
from sharpen.experiments.bets import Differences
from sharpen.experiments.models import GuardrailCheck

LEVEL = 0.05
UNITS = {"latency": "ms", "tokens": "", "cost": "USD", "errors": ""}
_SPEC = re.compile(r"\s*([a-z_]+)\s*\+\s*([0-9]*\.?[0-9]+)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class OfflineGuardrail:
    """``latency+20%``: a relative margin; ``latency+300``: one in the metric's unit (ms, tokens, USD, a share)."""

    metric: str
    margin: float
    relative: bool

    @property
    def label(self) -> str:
        if self.metric == "errors":  # as it is asked for: in points
            return f"errors+{self.margin * 100:g}%"
        return f"{self.metric}+{self.margin:.4g}%" if self.relative else f"{self.metric}+{self.margin:g}"


def parse_guardrail(text: str) -> OfflineGuardrail:
    """Raises ``UserError`` that says what would be right."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise UserError(
            f"--guardrail {text!r} is no guardrail; expected METRIC+MARGIN such as latency+20% or errors+2%"
        )
    metric, size, percent = match.groups()
    if metric not in UNITS:
        raise UserError(f"--guardrail {text!r}: unknown metric {metric!r}; {suggest(metric, UNITS)}")
    margin = float(size)
    if metric == "errors":  # a share has no other sensible percent than points
        margin = margin / 100 if percent else margin
        if margin > 1:
            raise UserError(f"--guardrail {text!r}: a margin of {margin:g} is more than all cases; expected errors+2%")
        return OfflineGuardrail(metric, margin, relative=False)
    return OfflineGuardrail(metric, margin, relative=bool(percent))


class BoundedHarm:
    """Differences scaled to [-1, 1], above 0 where the variant is worse; harm: their mean is above ``margin``."""

    def __init__(self, margin: float, level: float) -> None:
        self._margin, self._level = margin, level
        self._seen = Differences(effect=0.1)
        self._best = 0.0
        self._low = -1.0

    def look(self, differences: Iterable[float]) -> bool:
        """Add and look; harm that was found stays found."""
        self._seen.add(differences)
        if len(self._seen):
            self._best = max(self._best, self._seen.log_wealth(self._margin))
            self._low = max(self._low, self._seen.interval(2 * self._level)[0])
        return self.harmed

    @property
    def harmed(self) -> bool:
        return self._best >= -math.log(self._level)

    @property
    def samples(self) -> int:
        return len(self._seen)

    @property
    def mean(self) -> float:
        return self._seen.mean

    @property
    def low(self) -> float:
        """The always-valid lower end of the mean difference, one-sided."""
        return self._low


class PairedHarm:
    """One offline guardrail of one variant, on pairs of unbounded figures (above: worse)."""

    def __init__(self, guardrail: OfflineGuardrail, level: float = LEVEL) -> None:
        self._guardrail, self._level = guardrail, level
        factor = 1 + guardrail.margin / 100 if guardrail.relative else 1.0
        self._factor, self._allowed = factor, 0.0 if guardrail.relative else guardrail.margin
        self._control, self._difference, self._excess = RunningMean(), RunningMean(), RunningMean()
        self._low: float | None = None

    def look(self, pairs: Iterable[tuple[float, float]]) -> bool:
        """(control, variant) of what is new; harm that was found stays found."""
        for control, variant in pairs:
            self._control.add([control])
            self._difference.add([variant - control])
            self._excess.add([variant - self._factor * control - self._allowed])
        found = self._excess.interval(2 * self._level)
        if found is not None:
            self._low = max(found[0], self._low if self._low is not None else -math.inf)
        return self.harmed

    @property
    def harmed(self) -> bool:
        return self._low is not None and self._low > 0

    def needs(self, left: int) -> bool:
        """Whether it can say nothing yet, but will with so many pairs more."""
        return 0 < self._difference.number < FEWEST <= self._difference.number + left

    def check(self, variant: str) -> GuardrailCheck:
        """How it stands, in the metric's unit."""
        allowed = (self._factor - 1) * self._control.mean + self._allowed
        unit = UNITS[self._guardrail.metric]
        worse = f"{self._difference.mean:+.4g}{f' {unit}' if unit else ''} a case, {allowed:.4g} allowed"
        if not self._difference.number:
            worse = f"the target tells no {self._guardrail.metric}"
        elif self._low is None:
            worse += f"; {self._difference.number} samples, it takes {FEWEST} to tell"
        return GuardrailCheck(
            guardrail=self._guardrail.label,
            variant=variant,
            harmed=self.harmed,
            samples=self._difference.number,
            difference=self._difference.mean,
            low=None if self._low is None else self._low + allowed,
            allowed=allowed,
            reason=worse,
            known=self._low is not None,
        )


class ErrorHarm:
    """The offline guardrail on cases that brought no usable answer: exact, for it is a share."""

    def __init__(self, guardrail: OfflineGuardrail, level: float = LEVEL) -> None:
        self._guardrail = guardrail
        self._test = BoundedHarm(guardrail.margin, level)

    def look(self, pairs: Iterable[tuple[float, float]]) -> bool:
        return self._test.look(variant - control for control, variant in pairs)

    @property
    def harmed(self) -> bool:
        return self._test.harmed

    def needs(self, left: int) -> bool:  # noqa: ARG002 - as its sibling has it
        """It is exact, and can tell from the first pair on."""
        return False

    def check(self, variant: str) -> GuardrailCheck:
        test = self._test
        return GuardrailCheck(
            guardrail=self._guardrail.label,
            variant=variant,
            harmed=test.harmed,
            samples=test.samples,
            difference=test.mean,
            low=test.low,
            allowed=self._guardrail.margin,
            reason=f"{test.mean * 100:+.1f} points of the cases, {self._guardrail.margin * 100:g} allowed",
        )

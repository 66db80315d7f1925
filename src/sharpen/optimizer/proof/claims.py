"""What is claimed, as a test that looks at a growing sample: better, or no worse for fewer tokens. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sharpen.optimizer.proof.evidence import UnitEvidence
from sharpen.optimizer.proof.futility import hopeless
from sharpen.optimizer.proof.non_inferiority import MarginBet
from sharpen.optimizer.proof.plan import ProofPlan
from sharpen.optimizer.proof.sign_flip import Boundary, SignFlipSequence
from sharpen.optimizer.proof.units import steps_of

Units = Sequence[tuple[str, ...]]
TOKEN_STEPS = 100
"""Token savings are counted in hundredths of the mean size of those in the first look, and cut at ten such means."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found, one-sided. ``needed``: the sum of differences, in cases, that would have won."""

    won: bool
    needed: float | None
    p_value: float
    threshold: float


class ClaimTest(Protocol):
    """A test that is told unit after unit."""

    name: str

    def possible(self, units: Units) -> bool:
        """Whether any outcome of ``units`` could prove the claim."""
        ...

    def look(self, new: Sequence[UnitEvidence], share: float) -> Looked:
        """Add the units since the last look; ``share`` of the cases has now been seen."""
        ...

    def hopeless(self, seen: Sequence[UnitEvidence], left: Units) -> bool:
        """Whether to give up before ``left`` is looked at."""
        ...

    @property
    def p_value(self) -> float:
        """One-sided, of the whole procedure so far; 1 before the first look."""
        ...

    @property
    def nominal(self) -> float:
        """The one-sided error of an interval at the last look that may be taken at every look; 0 before the first."""
        ...


class BetterClaim:
    """A higher pass rate: the exact group-sequential sign-flip test on the units' differences."""

    def __init__(self, plan: ProofPlan, units: Units) -> None:
        self._plan = plan
        rates = [plan.baseline[case_id] for case_id in plan.cases if case_id in plan.baseline]
        self._steps = steps_of(rates, plan.repeats)
        self._test = SignFlipSequence(plan.level)
        self._last: Boundary | None = None
        grouped = any(len(unit) > 1 for unit in units)
        what = "sign-flip test" if grouped or plan.repeats > 1 or self._steps > 1 else "McNemar test"
        self.name = f"exact group-sequential {what}" + (" on groups" if grouped else "")

    def possible(self, units: Units) -> bool:
        return self._test.could_win([self._best(unit) for unit in units])

    def look(self, new: Sequence[UnitEvidence], share: float) -> Looked:
        self._last = found = self._test.look([round(unit.gain * self._steps) for unit in new], share)
        needed = None if found.needed is None else found.needed / self._steps
        return Looked(found.won, needed, found.tail, found.nominal)

    def hopeless(self, seen: Sequence[UnitEvidence], left: Units) -> bool:
        if not self.possible(left):
            return True
        return hopeless([unit.gain for unit in seen], len(left), self._plan.level)

    @property
    def p_value(self) -> float:
        return self._last.p_value if self._last else 1.0

    @property
    def nominal(self) -> float:
        return self._last.nominal if self._last else 0.0

    def _best(self, unit: tuple[str, ...]) -> int:
        """The most a unit can gain, in steps: what its baseline leaves, all of it where that is not known."""
        return sum(round((1 - self._plan.baseline.get(case_id, 0.0)) * self._steps) for case_id in unit)


class NonInferiorClaim:
    """At most ``margin`` worse *and* fewer tokens, each at the full level: both must hold (intersection-union test).

    Quality: the bet of ``MarginBet``. Tokens: the sign-flip test on the savings, rounded and cut (any odd function of
    a difference keeps the signs fair), and a mean saving above zero.
    """

    name = "betting test of the margin, exact sign-flip test of the tokens"

    def __init__(self, plan: ProofPlan, units: Units) -> None:
        self._plan = plan
        self._bet = MarginBet(plan.margin, max(map(len, units), default=1))
        self._tokens = SignFlipSequence(plan.level)
        self._tokens_p = 1.0
        self._tokens_won = False
        self._step = 0.0
        self._saved = 0.0
        self._looked = False

    def possible(self, units: Units) -> bool:
        return self._bet.could_reach(self._plan.level, [(self._headroom(unit), len(unit)) for unit in units])

    def look(self, new: Sequence[UnitEvidence], share: float) -> Looked:
        for unit in new:
            self._bet.add(unit.gain, unit.cases)
            self._saved += unit.saved
        if not self._step:
            self._step = math.fsum(abs(unit.saved) for unit in new) / len(new) / TOKEN_STEPS
        found = self._tokens.look([self._counted(unit.saved) for unit in new], share)
        self._tokens_won = self._tokens_won or (found.won and self._saved > 0)
        self._tokens_p = min(self._tokens_p, found.p_value) if found.won else self._tokens_p
        if not self._tokens_won:
            self._tokens_p = found.p_value
        self._looked = True
        won = self._bet.p_value <= self._plan.level and self._tokens_won and self._saved > 0
        return Looked(won, None, max(self._bet.p_value, self._tokens_p), self._plan.level)

    def hopeless(self, seen: Sequence[UnitEvidence], left: Units) -> bool:
        if self._bet.p_value > self._plan.level and not self.possible(left):
            return True
        return not self._tokens_won and hopeless([unit.saved for unit in seen], len(left), self._plan.level)

    @property
    def p_value(self) -> float:
        return max(self._bet.p_value, self._tokens_p)

    @property
    def nominal(self) -> float:
        return self._plan.level if self._looked else 0.0

    def _counted(self, saved: float) -> int:
        if not self._step:
            return 0
        return max(-10 * TOKEN_STEPS, min(10 * TOKEN_STEPS, round(saved / self._step)))

    def _headroom(self, unit: tuple[str, ...]) -> float:
        return math.fsum(1 - self._plan.baseline.get(case_id, 0.0) for case_id in unit)

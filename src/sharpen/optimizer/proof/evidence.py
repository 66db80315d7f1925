"""Pairs of outcomes → the figures of a proof: what was fixed and broken, the effect and its interval. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sharpen.optimizer.measures import MetricsFold
from sharpen.optimizer.models import PairedCase
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.statistics import cluster_interval, mean_interval, paired_interval


@dataclass(slots=True)
class UnitEvidence:
    """One unit under both prompts: the sum of its cases' differences in pass rate, and in tokens saved."""

    cases: int
    gain: float
    saved: float


@dataclass(slots=True)
class Evidence:
    """All units that were seen, in order. ``keep``: of more cases than that no pairs are kept (None: of all)."""

    keep: int | None = None
    units: list[UnitEvidence] = field(default_factory=list)
    pairs: list[PairedCase] = field(default_factory=list)
    fixed: int = 0
    broken: int = 0
    cases: int = 0
    before: MetricsFold = field(default_factory=MetricsFold)
    after: MetricsFold = field(default_factory=MetricsFold)
    _both: int = 0
    _repeated: bool = False

    def add(self, outcomes: list[tuple[CaseOutcome, CaseOutcome]]) -> None:
        """One unit: (baseline, candidate) of each of its cases, all of which ran."""
        gains, saved = [], []
        for old, new in outcomes:
            gains.append(new.pass_rate - old.pass_rate)
            saved.append(old.tokens - new.tokens)
            self.fixed += new.pass_rate > old.pass_rate
            self.broken += new.pass_rate < old.pass_rate
            self._both += old.pass_rate == new.pass_rate == 1.0
            self._repeated = self._repeated or not {old.pass_rate, new.pass_rate} <= {0.0, 1.0}
            self.before.add(old)
            self.after.add(new)
            self.cases += 1
            self.pairs.append(PairedCase(case_id=old.case_id, baseline=old.pass_rate, candidate=new.pass_rate))
        if self.keep is not None and self.cases > self.keep:
            self.pairs.clear()
        self.units.append(UnitEvidence(len(outcomes), math.fsum(gains), math.fsum(saved)))

    @property
    def clustered(self) -> bool:
        """Some unit holds more than one case."""
        return self.cases > len(self.units)

    @property
    def repeated(self) -> bool:
        """Some rate is neither 0 nor 1."""
        return self._repeated

    @property
    def effect(self) -> float:
        """Mean difference in pass rate over the cases; 0 without any."""
        return math.fsum(unit.gain for unit in self.units) / self.cases if self.cases else 0.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """A two-sided (1 − ``alpha``) interval of the effect that fits the data.

        Groups: cluster-robust; repeats: Student's t; single yes-or-no cases: Newcombe's method 10.
        """
        alpha = min(0.999, alpha)
        if alpha <= 0:
            return -1.0, 1.0
        if self.clustered:
            low, high = cluster_interval([(unit.gain, unit.cases) for unit in self.units], alpha)
        elif self.repeated:
            low, high = mean_interval([unit.gain for unit in self.units], alpha)
        else:
            neither = self.cases - self._both - self.fixed - self.broken
            low, high = paired_interval(self._both, self.fixed, self.broken, neither, alpha)
        return min(low, self.effect), max(high, self.effect)

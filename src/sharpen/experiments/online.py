"""An online experiment: outcomes of units, as they came in → how it stands. Pure.

Every variant meets the control in blocks (``blocks``), whose differences go to the same sequential test as offline
cases do. One looks after each of the first blocks, then whenever 2 % more have come in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean

from sharpen.experiments.blocks import Blocks, block_sizes
from sharpen.experiments.experiment import Experiment, Guardrail
from sharpen.experiments.guardrails import BoundedHarm
from sharpen.experiments.models import (
    Comparison,
    ComparisonState,
    ExperimentReport,
    GuardrailCheck,
    MetricRow,
    SplitCheck,
    VariantSummary,
)
from sharpen.experiments.outcomes import Admitted
from sharpen.experiments.sequential import Rule, Sequential
from sharpen.experiments.split_check import LEVEL as SPLIT_LEVEL
from sharpen.experiments.split_check import SplitTest
from sharpen.experiments.wording import amount, comparison_reason, overall

GROWTH = 1.02
NOTHING_YET = "too few outcomes of it have come in"


class OnlineExperiment:
    """Give it outcomes in the order they came in; it stops taking any once it is settled."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        names = tuple(experiment.variants)
        self._places = {name: place for place, name in enumerate(names)}
        self._split = SplitTest(tuple(experiment.shares.values()))
        self._units: set[str] = set()
        self._values: dict[str, list[float]] = {name: [] for name in names}  # of the metric that decides
        self._challengers = [_Challenger(experiment, name) for name in names[1:]]

    def add(self, outcomes: Iterable[Admitted]) -> None:
        """Outcomes that count. Whatever comes after the verdict is not looked at."""
        for outcome in outcomes:
            if self.settled:
                return
            if outcome.unit_id not in self._units:
                self._units.add(outcome.unit_id)
                self._split.add(self._places[outcome.variant])
            if outcome.metric == self.experiment.metric.name:
                self._values[outcome.variant].append(outcome.value)
            for one in self._challengers:
                if outcome.variant in (one.name, self.experiment.control):
                    one.add(outcome)

    @property
    def settled(self) -> bool:
        """Nothing more is to be proved, or can be."""
        return self._split.mismatch() or all(one.state != "open" for one in self._challengers)

    def report(self, *, over: bool = False, stop: str = "", refused: dict[str, int] | None = None) -> ExperimentReport:
        """How it stands. ``over``: nothing more will come, because of ``stop``."""
        experiment = self.experiment
        for one in self._challengers:
            one.look()
        comparisons = tuple(one.comparison() for one in self._challengers)
        verdict, winner, headline, reason = overall(
            comparisons, experiment.control, over=over, stop=stop, mismatch=self._split.mismatch()
        )
        return ExperimentReport(
            id=experiment.name,
            kind="online",
            workflow_id=experiment.workflow_id,
            metric=experiment.metric.name,
            verdict=verdict,
            winner=winner,
            headline=headline,
            reason=reason,
            control=experiment.control,
            variants=tuple(self._summary(name) for name in experiment.variants),
            comparisons=comparisons,
            metrics=tuple(map(self._row, comparisons)),
            guardrails=tuple(check for one in self._challengers for check in one.checks()),
            split=self._split_check(),
            alpha=experiment.alpha,
            power=experiment.power,
            effect=experiment.effect,
            samples=len(self._units),
            sample_name="unit",
            refused=refused or {},
            stop_reason=stop or None,
        )

    def _summary(self, name: str) -> VariantSummary:
        experiment, counts = self.experiment, self._split.counts
        values, total = self._values[name], sum(counts)
        return VariantSummary(
            name=name,
            label=experiment.variants[name],
            control=name == experiment.control,
            samples=counts[self._places[name]],
            mean=fmean(values) if values else None,
            share=counts[self._places[name]] / total if total else None,
            expected_share=experiment.shares[name],
        )

    def _split_check(self) -> SplitCheck:
        return SplitCheck(
            mismatch=self._split.mismatch(),
            e_value=math.exp(min(600.0, self._split.log_e)),
            level=SPLIT_LEVEL,
            counts=dict(zip(self.experiment.variants, self._split.counts, strict=True)),
            expected=self.experiment.shares,
        )

    def _row(self, found: Comparison) -> MetricRow:
        """The metric as it was measured: a comparison counts what is better as above 0."""
        metric = self.experiment.metric
        control, variant = self._values[self.experiment.control], self._values[found.variant]
        sign = 1 if metric.goal == "higher" else -1
        low, high = sorted((sign * found.low, sign * found.high))
        return MetricRow(
            metric=metric.name,
            unit="share" if (metric.low, metric.high) == (0, 1) else "",
            variant=found.variant,
            control_mean=fmean(control) if control else 0.0,
            variant_mean=fmean(variant) if variant else 0.0,
            difference=sign * found.estimate,
            low=low,
            high=high,
            samples=found.samples,
            goal=metric.goal,
            decides=True,
        )


class _Challenger:
    """One variant against the control: the metric that decides, and its guardrails."""

    def __init__(self, experiment: Experiment, name: str) -> None:
        self.name = name
        self._experiment = experiment
        self._metric = experiment.metric
        self._span = self._metric.high - self._metric.low
        shares = experiment.shares
        sizes = block_sizes(shares[experiment.control], shares[name])
        rule = Rule(experiment.alpha, experiment.power, experiment.effect / self._span, len(experiment.variants) - 1)
        self._test = Sequential(rule)
        self._blocks = Blocks(*sizes)
        self._due: list[float] = []
        self._rails = [_Rail(rail, sizes) for rail in experiment.guardrails]

    def add(self, outcome: Admitted) -> None:
        of_variant = outcome.variant == self.name
        if outcome.metric == self._metric.name:
            value = (outcome.value - self._metric.low) / self._span
            block = self._blocks.add(value if self._metric.goal == "higher" else 1 - value, variant=of_variant)
            if block is not None:
                self._due.append(block)
                if due(self._test.samples, len(self._due)):
                    self.look()
            return
        for rail in self._rails:
            if outcome.metric == rail.rail.name:
                rail.add(outcome.value, variant=of_variant)

    def look(self) -> None:
        """Look at what has come in since the last look."""
        if self._due:
            new, self._due = self._due, []
            self._test.look(new)
        for rail in self._rails:
            rail.look()

    @property
    def state(self) -> ComparisonState:
        """Harm goes before all: who wins by doing harm has not won."""
        return "harm" if any(rail.harmed for rail in self._rails) else self._test.state

    def comparison(self) -> Comparison:
        """How it stands, in the metric's unit."""
        test, span, control = self._test, self._span, self._experiment.control
        low, high = test.interval
        unit = "points" if (self._metric.low, self._metric.high) == (0, 1) else ""
        harmed = [check for check in self.checks() if check.harmed]
        if harmed:
            reason = f"{self.name} breaks the guardrail {harmed[0].guardrail}: {harmed[0].reason}"
        else:
            interval = (low * span, high * span)
            effect = self._experiment.effect
            reason = comparison_reason(self.state, self.name, control, test.estimate * span, interval, effect, unit)
        better, worse = test.e_values
        return Comparison(
            variant=self.name,
            state=self.state,
            reason=reason,
            samples=test.samples,
            estimate=test.estimate * span,
            low=low * span,
            high=high * span,
            e_better=better,
            e_worse=worse,
            looks=tuple(
                look.model_copy(
                    update={"estimate": look.estimate * span, "low": look.low * span, "high": look.high * span}
                )
                for look in test.looks
            ),
        )

    def checks(self) -> tuple[GuardrailCheck, ...]:
        return tuple(rail.check(self.name) for rail in self._rails)


class _Rail:
    """One guardrail of one variant; differences above 0 are worse, scaled to [-1, 1]."""

    def __init__(self, rail: Guardrail, sizes: tuple[int, int]) -> None:
        self.rail = rail
        self._sign = 1.0 if rail.goal == "lower" else -1.0
        factor = 1 + self._sign * (rail.relative or 0.0)
        ends = [variant - factor * control for variant in (rail.low, rail.high) for control in (rail.low, rail.high)]
        self._scale = max(map(abs, ends))
        self._blocks = Blocks(*sizes, factor=factor)
        self._plain = Blocks(*sizes)
        self._differences: list[float] = []
        self._due: list[float] = []
        margin = (rail.margin or 0.0) / self._scale
        self._test = BoundedHarm(min(1.0, margin), rail.alpha)

    def add(self, value: float, *, variant: bool) -> None:
        block, plain = self._blocks.add(value, variant=variant), self._plain.add(value, variant=variant)
        if block is None or plain is None:
            return
        self._differences.append(plain)
        self._due.append(max(-1.0, min(1.0, self._sign * block / self._scale)))
        if due(self._test.samples, len(self._due)):
            self.look()

    def look(self) -> None:
        if self._due:
            new, self._due = self._due, []
            self._test.look(new)

    @property
    def harmed(self) -> bool:
        return self._test.harmed

    def check(self, variant: str) -> GuardrailCheck:
        rail, test = self.rail, self._test
        difference = fmean(self._differences) if self._differences else 0.0
        unit = "points" if (rail.low, rail.high) == (0, 1) else ""
        allowed = (
            f"{rail.relative:.0%} of the control's" if rail.relative is not None else amount(rail.margin or 0.0, unit)
        )
        return GuardrailCheck(
            guardrail=rail.label,
            variant=variant,
            harmed=self.harmed,
            samples=test.samples,
            difference=difference,
            low=None if rail.relative is not None else self._sign * test.low * self._scale,
            allowed=rail.margin if rail.margin is not None else rail.relative or 0.0,
            reason=f"{amount(difference, unit)} a unit, {allowed.lstrip('+')} allowed" if test.samples else NOTHING_YET,
        )


def due(seen: int, new: int) -> bool:
    """Whether one looks now: at each of the first blocks, then when 2 % more have come in."""
    return seen + new >= max(seen + 1, seen * GROWTH)

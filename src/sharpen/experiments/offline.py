"""An offline experiment: variants on the same cases, batch after batch, until something is proved. Pure.

::

    test = PairedExperiment(plan)
    while batch := test.next_batch():                # case ids, and which variants are still of interest
        test.tell(batch, {variant: outcomes of those cases})
    test.comparisons()

A sample is a case, or all cases of one group: their mean difference counts once. What is the same in all variants (the
order of cases, when one looks) is fixed by the plan, so that whoever goes on with an experiment does the same again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from sharpen.errors import ErrorKind
from sharpen.experiments.asymptotic import RunningMean
from sharpen.experiments.bets import Differences
from sharpen.experiments.guardrails import UNITS, ErrorHarm, OfflineGuardrail, PairedHarm
from sharpen.experiments.models import Comparison, ComparisonState, GuardrailCheck, MetricRow
from sharpen.experiments.sequential import Rule, Sequential
from sharpen.experiments.wording import comparison_reason
from sharpen.optimizer.ports import CaseOutcome

METRICS = ("pass_rate", "score")
SHARES = (*METRICS, "errors")
SMALLEST_BATCH, LARGEST_BATCH, BATCHES = 10, 100, 20


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """``variants``: names, the control first. ``units``: case ids, whole groups, in the order they are looked at."""

    variants: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    alpha: float = 0.05
    power: float = 0.8
    effect: float = 0.05
    metric: str = "pass_rate"
    batch: int | None = None
    guardrails: tuple[OfflineGuardrail, ...] = ()

    @property
    def rule(self) -> Rule:
        return Rule(self.alpha, self.power, self.effect, max(1, len(self.variants) - 1))

    @property
    def batch_size(self) -> int:
        """Units of one batch: a twentieth of all, within bounds, unless it was asked for."""
        return self.batch or max(SMALLEST_BATCH, min(LARGEST_BATCH, len(self.units) // BATCHES))


@dataclass(frozen=True, slots=True)
class Batch:
    """What is run next."""

    units: tuple[tuple[str, ...], ...]
    variants: tuple[str, ...]

    @property
    def case_ids(self) -> tuple[str, ...]:
        return tuple(case_id for unit in self.units for case_id in unit)


@dataclass(slots=True)
class _Challenger:
    test: Sequential
    harm: list[PairedHarm | ErrorHarm]
    means: dict[str, tuple[RunningMean, RunningMean]] = field(default_factory=dict)
    differences: dict[str, RunningMean | Differences] = field(default_factory=dict)
    harmed: bool = False
    hopeless: bool = False
    unguarded: bool = False
    """It would have won, but a guardrail cannot say yet whether by doing harm."""

    @property
    def state(self) -> ComparisonState:
        if self.harmed:
            return "harm"
        if self.unguarded:
            return "open"
        return "futility" if self.hopeless else self.test.state


class PairedExperiment:
    """One offline experiment, used once."""

    def __init__(self, plan: OfflinePlan) -> None:
        self.plan = plan
        self._next = 0
        self._cut_off = False
        self._challengers = {
            name: _Challenger(
                Sequential(plan.rule),
                [(ErrorHarm if rail.metric == "errors" else PairedHarm)(rail) for rail in plan.guardrails],
            )
            for name in plan.variants[1:]
        }

    @property
    def samples(self) -> int:
        """Units that were looked at."""
        return max((one.test.samples for one in self._challengers.values()), default=0)

    @property
    def settled(self) -> bool:
        """Nothing more is to be proved."""
        return all(one.state != "open" for one in self._challengers.values())

    def next_batch(self) -> Batch | None:
        """The next units and who runs them: the control, and all that is open or has won. None: it is over."""
        if self.settled or self._cut_off or self._next >= len(self.plan.units):
            return None
        units = self.plan.units[self._next : self._next + self.plan.batch_size]
        going = [name for name, one in self._challengers.items() if one.state in ("open", "win")]
        return Batch(units, (self.plan.variants[0], *going))

    def tell(self, batch: Batch, outcomes: Mapping[str, Sequence[CaseOutcome]]) -> None:
        """How the batch ended. Nothing counts of one of which some case did not run, and it ends it all.

        The cases of it that did run may be the fast ones.
        """
        by_id = {name: {one.case_id: one for one in found} for name, found in outcomes.items()}
        control = by_id[batch.variants[0]]
        self._next += len(batch.units)
        ids = batch.case_ids
        if not all(case_id in found and found[case_id].ran for found in by_id.values() for case_id in ids):
            self._cut_off = True
            return
        for name in batch.variants[1:]:
            units = [[(control[case_id], by_id[name][case_id]) for case_id in unit] for unit in batch.units]
            self._look(self._challengers[name], units)

    def _look(self, one: _Challenger, units: Sequence[Sequence[tuple[CaseOutcome, CaseOutcome]]]) -> None:
        value = self.plan.metric
        before = one.state
        one.test.look(fmean(getattr(second, value) - getattr(first, value) for first, second in unit) for unit in units)
        for rail, harm in zip(self.plan.guardrails, one.harm, strict=True):
            known = (_known(unit, rail.metric) for unit in units)
            if harm.look(_means(pairs) for pairs in known if pairs) and before == "open":
                one.harmed = True
        self._count(one, units)
        left = len(self.plan.units) - self._next
        one.hopeless = one.test.state == "open" and left > 0 and not one.test.could_win(left)
        one.unguarded = before == "open" and one.test.state == "win" and any(harm.needs(left) for harm in one.harm)

    def _count(self, one: _Challenger, units: Sequence[Sequence[tuple[CaseOutcome, CaseOutcome]]]) -> None:
        for metric in (*SHARES, "latency", "tokens", "cost"):
            mine = one.means.setdefault(metric, (RunningMean(), RunningMean()))
            fresh = Differences(self.plan.effect) if metric in SHARES else RunningMean()
            difference = one.differences.setdefault(metric, fresh)
            for unit in units:
                known = _known(unit, metric)
                if len(known) == len(unit):
                    first, second = _means(known)
                    mine[0].add([first])
                    mine[1].add([second])
                    difference.add([second - first])

    def comparisons(self) -> tuple[Comparison, ...]:
        """Every variant against the control, as it stands."""
        return tuple(self._comparison(name, one) for name, one in self._challengers.items())

    def _comparison(self, name: str, one: _Challenger) -> Comparison:
        test, state = one.test, one.state
        control = self.plan.variants[0]
        if one.harmed:
            broken = next(harm.check(name) for harm in one.harm if harm.harmed)
            reason = f"{name} breaks the guardrail {broken.guardrail}: {broken.reason}"
        else:
            shown = "win" if one.unguarded else state
            reason = comparison_reason(shown, name, control, test.estimate, test.interval, self.plan.effect, "points")
            if one.unguarded:
                reason = f"{reason}; what it does to the guardrails takes more cases to tell"
            if one.hopeless:
                reason = f"{reason}; the cases that are left could not prove it better"
        better, worse = test.e_values
        return Comparison(
            variant=name,
            state=state,
            reason=reason,
            samples=test.samples,
            estimate=test.estimate,
            low=test.interval[0],
            high=test.interval[1],
            e_better=better,
            e_worse=worse,
            looks=tuple(test.looks),
        )

    def metrics(self) -> tuple[MetricRow, ...]:
        """Every metric of every variant beside the control's, the deciding one first."""
        decides = self.plan.metric
        names = [decides, *(name for name in ("pass_rate", "latency", "tokens", "cost", "errors") if name != decides)]
        rows = [self._row(metric, name, one) for name, one in self._challengers.items() for metric in names]
        return tuple(row for row in rows if row is not None)

    def _row(self, metric: str, name: str, one: _Challenger) -> MetricRow | None:
        if metric not in one.means:
            return None
        (control, variant), difference = one.means[metric], one.differences[metric]
        if not control.number:
            return None
        decides = metric == self.plan.metric
        found = one.test.interval if decides else difference.interval(self.plan.rule.level)
        lower_is_better = metric in ("latency", "tokens", "cost", "errors")
        return MetricRow(
            metric=metric,
            unit="share" if metric in SHARES else UNITS[metric],
            variant=name,
            control_mean=control.mean,
            variant_mean=variant.mean,
            difference=difference.mean,
            low=found[0] if found else None,
            high=found[1] if found else None,
            samples=control.number,
            method="exact" if metric in SHARES else "asymptotic",
            goal="lower" if lower_is_better else "higher",
            decides=decides,
        )

    def guardrails(self) -> tuple[GuardrailCheck, ...]:
        """Every guardrail of every variant."""
        return tuple(harm.check(name) for name, one in self._challengers.items() for harm in one.harm)


def _known(unit: Sequence[tuple[CaseOutcome, CaseOutcome]], metric: str) -> list[tuple[float, float]]:
    """The figures of a unit's cases, under the control and the variant, where both are known."""
    figures = ((figure(first, metric), figure(second, metric)) for first, second in unit)
    return [(a, b) for a, b in figures if a is not None and b is not None]


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A unit counts once: its cases are no independent evidence."""
    return fmean(a for a, _ in pairs), fmean(b for _, b in pairs)


def figure(outcome: CaseOutcome, metric: str) -> float | None:
    """One figure of one case; None when it is unknown. Latency in ms, cost in USD."""
    match metric:
        case "latency":
            return outcome.latency_ms
        case "tokens":
            return outcome.tokens
        case "cost":
            return outcome.cost if outcome.cost is None or math.isfinite(outcome.cost) else None
        case "errors":
            return float(outcome.error_kind not in (None, ErrorKind.ASSERTION))  # that is an answer, only a wrong one
        case _:
            return float(getattr(outcome, metric))

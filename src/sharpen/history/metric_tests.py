"""Which metrics changed beyond chance: for each the test and the interval that fit its kind. Pure.

===============  ==========================================  =====================================================
metric           test                                        interval
===============  ==========================================  =====================================================
success          exact McNemar; with repeats or groups the   Newcombe's method 10; with repeats or groups Student's
                 exact sign-flip test on the units           t, robust to clusters
latency, median  Wilcoxon's signed rank                      the shifts it would not reject
latency, p95     paired permutation                          bootstrap of the units
tokens, cost     paired permutation of signs                 Student's t, robust to clusters
===============  ==========================================  =====================================================

Repeats of a case are averaged first, cases of a group are kept together. Holm's method corrects for the number of
metrics that were tested; intervals are at 1 − alpha each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sharpen.history.models import MetricChange, MetricName, Verdict
from sharpen.history.paired import PairedColumns
from sharpen.history.paired_mean import Shift, mean_interval, mean_shift
from sharpen.history.quantile_shift import quantile_shift
from sharpen.history.sign_flips import whole_sign_flip_p
from sharpen.history.signed_rank import rank_shift
from sharpen.optimizer.proof.units import steps_of
from sharpen.optimizer.statistics import holm, mcnemar_exact, nearest_rank, paired_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PAIRS = 6
"""Of fewer pairs not even unanimous ones could be told from chance."""
LEAST_FOR_P95 = 60
LEAST_UNITS_FOR_P95 = 12
"""Of fewer cases a 95th percentile is one of the three slowest answers: no test of it would mean anything."""


def compare_metrics(columns: PairedColumns, alpha: float = 0.05, seed: int = 0) -> tuple[MetricChange, ...]:
    """Every metric, in the order of ``MetricName``, with Holm's correction over those that were tested."""
    found = [
        success_change(columns, alpha, seed),
        *latency_changes(columns, alpha, seed),
        _mean_change(MetricName.TOKENS, columns, columns.tokens, alpha, seed),
        _cost_change(columns, alpha, seed),
    ]
    tested = [metric for metric in found if metric.p_value is not None]
    corrected = dict(zip((m.name for m in tested), holm([m.p_value or 0.0 for m in tested]), strict=True))
    return tuple(_judged(metric, corrected.get(metric.name), alpha) for metric in found)


def success_change(columns: PairedColumns, alpha: float, seed: int = 0) -> MetricChange:
    """The pass rate, a case's repeats averaged."""
    if not columns.cases:
        return MetricChange(name=MetricName.SUCCESS, note="no case ran in both runs")
    rates = columns.passes / columns.runs
    change = float((rates[1] - rates[0]).mean())
    if columns.grouped or columns.repeated:
        shift = _rate_shift(columns, rates, alpha, seed)
    else:
        fixed, broken = int((rates[1] > rates[0]).sum()), int((rates[1] < rates[0]).sum())
        both = int((rates.min(axis=0) == 1).sum())
        low, high = paired_interval(both, fixed, broken, columns.cases - both - fixed - broken, alpha)
        shift = Shift(change, min(low, change), max(high, change), mcnemar_exact(fixed, broken), "exact McNemar")
    return MetricChange(
        name=MetricName.SUCCESS,
        before=_rate(rates[0]),
        after=_rate(rates[1]),
        change=change,
        low=shift.low,
        high=shift.high,
        p_value=shift.p_value,
        test=shift.test,
        cases=columns.cases,
        units=columns.units,
    )


def latency_changes(columns: PairedColumns, alpha: float, seed: int = 0) -> tuple[MetricChange, MetricChange]:
    """Median and 95th percentile over the cases that both runs answered anew."""
    (before, after), unit = _measured(columns.latency, columns.unit)
    cases, units = len(unit), _count(unit)
    note = "answers from the cache are left out: their times are of another day" if sum(columns.cached) else ""

    def figures(name: MetricName, percent: float) -> MetricChange:
        old, new = (nearest_rank(side.tolist(), percent) for side in (before, after))
        return MetricChange(name=name, before=old, after=new, cases=cases, units=units, note=note)

    median, p95 = figures(MetricName.LATENCY_MEDIAN, 50), figures(MetricName.LATENCY_P95, 95)
    if units < LEAST_PAIRS:
        median = _untested(median, _too_few(cases, units, LEAST_PAIRS))
    else:
        median = _with(median, rank_shift(after - before, unit, alpha, seed))
    if cases < LEAST_FOR_P95:
        p95 = _untested(p95, _too_few(cases, cases, LEAST_FOR_P95))
    elif units < LEAST_UNITS_FOR_P95:
        p95 = _untested(p95, _too_few(cases, units, LEAST_UNITS_FOR_P95))
    else:
        p95 = _with(p95, quantile_shift(before, after, unit, 0.95, alpha, seed))
    return median, p95


def _mean_change(
    name: MetricName, columns: PairedColumns, values: NDArray[np.float64], alpha: float, seed: int
) -> MetricChange:
    (before, after), unit = _measured(values, columns.unit)
    if not len(unit):
        return MetricChange(name=name, note="no case was answered in both runs")
    metric = MetricChange(
        name=name, before=float(before.mean()), after=float(after.mean()), cases=len(unit), units=_count(unit)
    )
    if metric.units < LEAST_PAIRS:
        return _untested(metric, _too_few(metric.cases, metric.units, LEAST_PAIRS))
    return _with(metric, mean_shift(after - before, unit, alpha, seed))


def _cost_change(columns: PairedColumns, alpha: float, seed: int) -> MetricChange:
    """An unknown price is not 0: with one of them the comparison is unknown."""
    sides = [name for name, number in zip(("first", "second"), columns.unpriced, strict=True) if number]
    if sides:
        counts = [(columns.unpriced[side == "second"], side) for side in sides]
        number = " and ".join(
            f"{count:,} {'case' if count == 1 else 'cases'} of the {side} run" for count, side in counts
        )
        known = [
            float(values[~np.isnan(values)].mean()) if not number_unknown and not np.isnan(values).all() else None
            for values, number_unknown in zip(columns.cost, columns.unpriced, strict=True)
        ]
        return MetricChange(
            name=MetricName.COST,
            before=known[0],
            after=known[1],
            note=f"unknown: {number} without a known price",
        )
    if columns.cases and not np.nan_to_num(columns.cost).any():
        return MetricChange(name=MetricName.COST, before=0.0, after=0.0, change=0.0, note="free in both runs")
    return _mean_change(MetricName.COST, columns, columns.cost, alpha, seed)


def _rate_shift(columns: PairedColumns, rates: NDArray[np.float64], alpha: float, seed: int) -> Shift:
    differences = rates[1] - rates[0]
    steps = steps_of(np.unique(rates).tolist())
    whole = np.rint(differences * steps).astype(np.int64)
    sums = np.zeros(columns.units, dtype=np.int64)
    np.add.at(sums, columns.unit, whole)
    p_value, how = whole_sign_flip_p(sums, seed)
    change = float(differences.mean())
    if whole.any():
        low, high = mean_interval(differences, columns.unit, alpha)
    else:  # t would give an interval without width: no unit of so many differs
        passing = round(float(rates[0].mean()) * columns.units)
        low, high = paired_interval(passing, 0, 0, columns.units - passing, alpha)
    named = "sign-flip test" + (" on groups" if columns.grouped else " on cases")
    return Shift(
        change,
        None if low is None else max(-1.0, min(low, change)),
        None if high is None else min(1.0, max(high, change)),
        p_value,
        f"{named} ({how})",
    )


def _measured(
    values: NDArray[np.float64], unit: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.int64]]:
    """The pairs with a value on both sides, their units numbered anew without gaps."""
    there = ~np.isnan(values).any(axis=0)
    _, numbered = np.unique(unit[there], return_inverse=True)
    return (values[0][there], values[1][there]), numbered.astype(np.int64)


def _count(unit: NDArray[np.int64]) -> int:
    return int(unit.max()) + 1 if len(unit) else 0


def _too_few(cases: int, units: int, least: int) -> str:
    return f"{units} of at least {least} {'cases' if units == cases else 'groups of cases'}"


def _untested(metric: MetricChange, why: str) -> MetricChange:
    change = None if metric.before is None or metric.after is None else metric.after - metric.before
    note = f"too few to test: {why}" + (f"; {metric.note}" if metric.note else "")
    return metric.model_copy(update={"change": change, "note": note})


def _with(metric: MetricChange, shift: Shift) -> MetricChange:
    return metric.model_copy(
        update={
            "change": shift.change, "low": shift.low, "high": shift.high, "p_value": shift.p_value, "test": shift.test,
        }
    )  # fmt: skip


def _judged(metric: MetricChange, p_adjusted: float | None, alpha: float) -> MetricChange:
    """Less is better for everything but success."""
    if p_adjusted is None:
        return metric
    verdict: Verdict = "no difference shown"
    if p_adjusted <= alpha and metric.change:
        good = (metric.change > 0) is (metric.name is MetricName.SUCCESS)
        verdict = "better" if good else "worse"
    return metric.model_copy(update={"p_adjusted": p_adjusted, "verdict": verdict})


def _rate(rates: NDArray[np.float64]) -> float:
    return min(1.0, max(0.0, float(rates.mean())))

"""A workflow's runs in order: what became better or worse, when, and what was changed just before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record, RunStatus

if TYPE_CHECKING:
    from sharpen.history.change_points import Shift

FEWEST_RUNS = 3
"""Fewer have no history in which anything could change."""


class Series(StrEnum):
    """What is watched. Success in 0..1; p95 latency in ms; tokens and USD for each request."""

    SUCCESS = "success_rate"
    P95 = "p95_latency_ms"
    TOKENS = "tokens_per_request"
    COST = "cost_per_request"


class HistoryRun(Record):
    """One run as a point of its workflow's history; ``version`` is that of its prompt, if it was ever kept.

    ``errors``: cases that did not pass, by kind. None stands for what is unknown. ``target``, ``prompt`` and
    ``data_set`` are hashes: equal ones are the same thing.
    """

    run_id: str
    started_at: AwareDatetime
    status: RunStatus
    cases: int = Field(ge=0)
    passed: int = Field(ge=0)
    p95_latency_ms: float | None = None
    tokens_per_request: float | None = None
    cost_per_request: float | None = None
    errors: dict[str, int] = Field(default_factory=dict)
    version: str | None = None
    model: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    target: str = ""
    prompt: str | None = None
    data_set: str | None = None

    @property
    def success_rate(self) -> float | None:
        """Passed of all that ran."""
        return self.passed / self.cases if self.cases else None

    def value(self, series: Series) -> float | None:
        """The run's figure in a series, to nine digits: behind them stands only how a mean of equal ones was rounded,
        which ranks would take for a change.
        """
        found: float | None = getattr(self, series.value)
        return None if found is None else float(f"{found:.9g}")


class InputChange(Record):
    """Something that was changed between two runs that follow each other; ``text`` says it in words."""

    what: str
    before: str | None = None
    after: str | None = None
    run_id: str

    @property
    def text(self) -> str:
        """``prompt 1.0.0 → 2.0.0``."""
        return f"{self.what} {self.before or 'unknown'} → {self.after or 'unknown'}"


class ChangePoint(Record):
    """A series changed: ``run_id`` is the first run after it, or one between ``earliest`` and ``latest`` was.

    ``before`` and ``after``: means up to the neighbouring changes. ``noticed``: the run with which there was evidence
    enough. ``causes``: what had been changed just before; empty when nothing that sharpen knows of was.
    """

    series: Series
    run_id: str
    at: AwareDatetime
    earliest: str
    latest: str
    noticed: str
    before: float
    after: float
    better: bool
    evidence: float
    causes: tuple[InputChange, ...] = ()


class Trend(Record):
    """The history of a workflow: its runs, oldest first, and its change points in order of time.

    Only runs that came to their end count for change points; ``runs`` holds the others, too.
    """

    workflow_id: str
    runs: tuple[HistoryRun, ...]
    changes: tuple[ChangePoint, ...] = ()
    inputs: tuple[InputChange, ...] = ()

    def totals(self, series: Series) -> list[float]:
        """The known figures of a series, in order."""
        return [value for run in self.runs if (value := run.value(series)) is not None]


def trend_of(workflow_id: str, runs: Iterable[HistoryRun]) -> Trend:
    """Find the change points of a workflow's runs, given oldest first."""
    every = tuple(runs)
    whole = [run for run in every if run.status is RunStatus.COMPLETED and run.cases]
    changes: list[ChangePoint] = []
    for series in Series:
        known = [run for run in whole if run.value(series) is not None]
        if len(known) >= FEWEST_RUNS:
            changes += _changes(series, known)
    inputs = [change for before, after in pairwise(whole) for change in input_changes(before, after)]
    ordered = sorted(changes, key=lambda change: (change.at, list(Series).index(change.series)))
    return Trend(workflow_id=workflow_id, runs=every, changes=tuple(ordered), inputs=tuple(inputs))


def input_changes(before: HistoryRun, after: HistoryRun) -> tuple[InputChange, ...]:
    """What is not the same in two runs: prompt, model, parameters, anything else of the target, data set."""
    found: list[tuple[str, str | None, str | None]] = []
    if before.prompt != after.prompt:
        found.append(("prompt", before.version or _short(before.prompt), after.version or _short(after.prompt)))
    if before.model != after.model:
        found.append(("model", before.model, after.model))
    names = sorted(name for name in before.parameters | after.parameters)
    found += [
        (f"parameter {name}", _said(before.parameters, name), _said(after.parameters, name))
        for name in names
        if before.parameters.get(name) != after.parameters.get(name)
    ]
    if before.target != after.target and not any(what == "model" or what.startswith("parameter") for what, *_ in found):
        found.append(("target", _short(before.target), _short(after.target)))
    if before.data_set != after.data_set:
        found.append(("data set", _short(before.data_set), _short(after.data_set)))
    return tuple(InputChange(what=what, before=old, after=new, run_id=after.run_id) for what, old, new in found)


def _changes(series: Series, runs: Sequence[HistoryRun]) -> Iterable[ChangePoint]:
    from sharpen.history.change_points import count_shifts, value_shifts  # SciPy: whoever prints has no need of it

    if series is Series.SUCCESS:
        shifts = count_shifts([run.passed for run in runs], [run.cases for run in runs])
    else:
        shifts = value_shifts([float(run.value(series) or 0.0) for run in runs])
    ends = [*(shift.at for shift in shifts[1:]), len(runs)]
    start = 0
    for shift, end in zip(shifts, ends, strict=False):  # without a shift there is an end, and nothing before it
        before, after = _mean(series, runs[start : shift.at]), _mean(series, runs[shift.at : end])
        start = shift.at
        yield ChangePoint(
            series=series,
            run_id=runs[shift.at].run_id,
            at=runs[shift.at].started_at,
            earliest=runs[shift.earliest].run_id,
            latest=runs[shift.latest].run_id,
            noticed=runs[shift.noticed].run_id,
            before=before,
            after=after,
            better=(after > before) == (series is Series.SUCCESS),
            evidence=shift.evidence,
            causes=_causes(runs, shift),
        )


def _causes(runs: Sequence[HistoryRun], shift: Shift) -> tuple[InputChange, ...]:
    """What was changed with the run itself; else with the nearest one that may as well be the first after it."""
    plausible = range(shift.earliest, shift.latest + 1)
    for place in sorted(plausible, key=lambda place: (abs(place - shift.at), place)):
        if found := input_changes(runs[place - 1], runs[place]):
            return found
    return ()


def _mean(series: Series, runs: Sequence[HistoryRun]) -> float:
    if series is Series.SUCCESS:
        return sum(run.passed for run in runs) / max(1, sum(run.cases for run in runs))
    values = [value for run in runs if (value := run.value(series)) is not None]
    return sum(values) / len(values)


def _short(identity: str | None) -> str | None:
    return identity[:8] if identity else None


def _said(parameters: Mapping[str, Any], name: str) -> str:
    return str(parameters[name]) if name in parameters else "not set"

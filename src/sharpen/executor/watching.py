"""Several observers, or several tracers, in the place of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sharpen.executor.models import RunExecutionResult, RunStatistics, TaskResult
from sharpen.executor.ports import CallTracer, RunObserver, RunStart
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse


class Observers:
    """A ``RunObserver`` that tells each of several, in their order."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = tuple(observers)

    def run_started(self, start: RunStart) -> None:
        for observer in self._observers:
            observer.run_started(start)

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:
        for observer in self._observers:
            observer.attempt_failed(case_id, kind, retry_in_s)

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:
        for observer in self._observers:
            observer.task_finished(result, statistics)

    def run_finished(self, result: RunExecutionResult) -> None:
        for observer in self._observers:
            observer.run_finished(result)


class Tracers:
    """A ``CallTracer`` that tells each of several; they end in the opposite order, as nested contexts do."""

    def __init__(self, tracers: Sequence[CallTracer]) -> None:
        self._tracers = tuple(tracers)

    def attempt_started(self, target: Target, request: TargetRequest, attempt: int) -> Any:
        return [(tracer, tracer.attempt_started(target, request, attempt)) for tracer in self._tracers]

    def attempt_ended(self, token: Any, response: TargetResponse | None, failure: Failure | None) -> None:
        for tracer, own in reversed(token):
            tracer.attempt_ended(own, response, failure)


def observer_of(observers: Sequence[RunObserver]) -> RunObserver | None:
    """One observer for all of them, as cheap as can be."""
    return Observers(observers) if len(observers) > 1 else next(iter(observers), None)


def tracer_of(tracers: Sequence[CallTracer]) -> CallTracer | None:
    """One tracer for all of them, as cheap as can be."""
    return Tracers(tracers) if len(tracers) > 1 else next(iter(tracers), None)

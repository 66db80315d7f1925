"""Online experiments kept in this process alone: for tests, notebooks and callers who keep their own records."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sharpen.errors import UnknownNameError
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.outcomes import Admitted, Refusal
from sharpen.experiments.ports import StoredExperiment


class InMemoryExperimentRepository:
    """An ``ExperimentRepository`` that forgets everything with the process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._experiments: dict[str, StoredExperiment] = {}
        self._outcomes: dict[str, dict[tuple[str, str], Admitted]] = {}
        self._refused: dict[str, Counter[Refusal]] = {}

    def define(self, experiment: Experiment) -> StoredExperiment:
        with self._lock:
            known = self._experiments.get(experiment.name)
            if known is None:
                known = StoredExperiment(experiment=experiment, created_at=datetime.now(UTC))
                self._outcomes[experiment.name], self._refused[experiment.name] = {}, Counter()
            else:
                experiment.check_succeeds(known.experiment)
                known = known.model_copy(update={"experiment": experiment})
            self._experiments[experiment.name] = known
            return known

    def get(self, name: str) -> StoredExperiment | None:
        return self._experiments.get(name)

    def list(self) -> tuple[StoredExperiment, ...]:
        with self._lock:
            return tuple(self._experiments.values())

    def add(self, name: str, outcomes: Sequence[Admitted]) -> tuple[Refusal | None, ...]:
        with self._lock:
            kept = self._of(name)
            return tuple(self._add(kept, outcome) for outcome in outcomes)

    def _of(self, name: str) -> dict[tuple[str, str], Admitted]:
        if name not in self._outcomes:
            raise UnknownNameError("experiment", name, self._experiments)
        return self._outcomes[name]

    @staticmethod
    def _add(kept: dict[tuple[str, str], Admitted], outcome: Admitted) -> Refusal | None:
        first = kept.setdefault((outcome.unit_id, outcome.metric), outcome)
        if first is outcome:
            return None
        return Refusal.DUPLICATE if first.value == outcome.value else Refusal.CONFLICT

    def note(self, name: str, refused: Mapping[Refusal, int]) -> None:
        with self._lock:
            self._of(name)
            self._refused[name].update(refused)

    def refused(self, name: str) -> dict[Refusal, int]:
        with self._lock:
            return {reason: number for reason, number in self._refused.get(name, Counter()).items() if number}

    def outcomes(self, name: str) -> Iterator[Admitted]:
        with self._lock:
            return iter(tuple(self._outcomes.get(name, {}).values()))

    def close(self, name: str, report: ExperimentReport) -> StoredExperiment:
        with self._lock:
            self._of(name)
            known = self._experiments[name]
            if known.stopped_at is None:
                known = known.model_copy(update={"stopped_at": datetime.now(UTC), "report": report})
                self._experiments[name] = known
            return known

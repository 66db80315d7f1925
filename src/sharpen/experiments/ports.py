"""Where online experiments are kept: the protocol that ``in_memory`` and the store implement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from sharpen.executor.models import AwareDatetime, Record
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.outcomes import Admitted, Refusal


class StoredExperiment(Record):
    """An experiment and how it ended (``stopped_at`` and ``report`` None: it has not)."""

    experiment: Experiment
    created_at: AwareDatetime
    stopped_at: AwareDatetime | None = None
    report: ExperimentReport | None = None


class ExperimentRepository(Protocol):
    """Experiments by name, their outcomes in the order they came in, and how many did not count.

    Every method is one atomic step, for other threads and processes too. Raises ``StoreError`` when the backend fails.
    """

    def define(self, experiment: Experiment) -> StoredExperiment:
        """Keep it; of one that is there already, take over the ramp. Raises ``UserError`` for any other change."""
        ...

    def get(self, name: str) -> StoredExperiment | None:
        """The experiment with that name, or None."""

    def list(self) -> tuple[StoredExperiment, ...]:
        """All of them, in the order they were defined."""
        ...

    def add(self, name: str, outcomes: Sequence[Admitted]) -> tuple[Refusal | None, ...]:
        """Append, in order; for each of them None, or why it does not count.

        The first outcome of a unit on a metric counts: a later one is a ``DUPLICATE``, of another value a ``CONFLICT``.
        """
        ...

    def note(self, name: str, refused: Mapping[Refusal, int]) -> None:
        """Count outcomes that were refused."""

    def refused(self, name: str) -> dict[Refusal, int]:
        """How many outcomes were refused so far, by reason."""
        ...

    def outcomes(self, name: str) -> Iterator[Admitted]:
        """The outcomes that count, in the order they came in."""
        ...

    def close(self, name: str, report: ExperimentReport) -> StoredExperiment:
        """Note how it ended; one that is closed stays as it is. Returns what is kept."""
        ...

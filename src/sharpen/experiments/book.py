"""``ExperimentBook``: the one door to online experiments. Defines, records outcomes, tells how they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from sharpen.errors import UnknownNameError, UserError
from sharpen.executor.models import Record
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.in_memory import InMemoryExperimentRepository
from sharpen.experiments.models import ExperimentReport, Promotion
from sharpen.experiments.online import OnlineExperiment
from sharpen.experiments.outcomes import Admitted, Outcome, Refusal, admit
from sharpen.experiments.ports import ExperimentRepository, StoredExperiment

Promote = Callable[[Experiment, ExperimentReport], Promotion]
"""Moves the experiment's alias to the winner's version, if it may, and says what it did."""
AT_ONCE = 1000


class Receipt(Record):
    """What became of outcomes that were handed in. ``examples``: one unit for each reason of a refusal."""

    experiment: str
    given: int
    counted: int
    refused: dict[str, int]
    examples: dict[str, str]


class ExperimentBook:
    """Online experiments and their outcomes; ``repository`` None keeps them in memory.

    ``promote`` is called once, when an experiment with an alias is won.
    """

    def __init__(self, repository: ExperimentRepository | None = None, promote: Promote | None = None) -> None:
        self._repository: ExperimentRepository = InMemoryExperimentRepository() if repository is None else repository
        self._promote = promote

    def define(self, experiment: Experiment) -> StoredExperiment:
        """Begin an experiment, or raise the ramp of one that has begun. Raises ``UserError`` for other changes."""
        return self._repository.define(experiment)

    def get(self, name: str) -> StoredExperiment:
        """Raises ``UnknownNameError`` that lists what there is."""
        found = self._repository.get(name)
        if found is None:
            raise UnknownNameError("experiment", name, [one.experiment.name for one in self._repository.list()])
        return found

    def list(self) -> tuple[StoredExperiment, ...]:
        """Every experiment, in the order they were defined."""
        return self._repository.list()

    def record(self, name: str, outcomes: Iterable[Outcome]) -> Receipt:
        """Hand in outcomes, in any order and as often as one likes: the first of a unit on a metric counts."""
        stored = self.get(name)
        given, counted, refused, examples = 0, 0, Counter[Refusal](), dict[str, str]()
        rest = iter(outcomes)
        while some := tuple(islice(rest, AT_ONCE)):
            given += len(some)
            judged = [(outcome, admit(stored.experiment, outcome, stored.stopped_at)) for outcome in some]
            fresh = [one for _, one in judged if isinstance(one, Admitted)]
            answers = iter(self._repository.add(name, fresh))
            new = Counter[Refusal]()
            for outcome, one in judged:
                reason = next(answers) if isinstance(one, Admitted) else one
                if reason is None:
                    counted += 1
                else:
                    new[reason] += 1
                    examples.setdefault(reason.value, outcome.unit_id)
            if new:
                self._repository.note(name, new)
            refused += new
        told = {reason.value: number for reason, number in sorted(refused.items())}
        return Receipt(experiment=name, given=given, counted=counted, refused=told, examples=examples)

    def status(self, name: str) -> ExperimentReport:
        """How it stands. A verdict that is reached is kept, and moves the alias if the experiment says so."""
        stored = self.get(name)
        if stored.report is not None:
            return stored.report.model_copy(update={"refused": self._refused(name)})
        ends_at = stored.experiment.ends_at
        ended = ends_at is not None and datetime.now(UTC) > ends_at
        report = self._report(stored, over=ended, stop=f"it ended at {ends_at:%Y-%m-%d %H:%M}" if ended else "")
        return report if report.verdict == "running" else self._close(stored, report)

    def stop(self, name: str, reason: str = "stopped by the user") -> ExperimentReport:
        """End it now, with what is proved by now. Raises ``UserError`` when it has ended already."""
        stored = self.get(name)
        if stored.stopped_at is not None:
            verdict = stored.report.verdict if stored.report else "stopped"
            raise UserError(f"experiment {name!r} ended at {stored.stopped_at:%Y-%m-%d %H:%M} UTC ({verdict}) already")
        return self._close(stored, self._report(stored, over=True, stop=reason))

    def _report(self, stored: StoredExperiment, *, over: bool, stop: str) -> ExperimentReport:
        running = OnlineExperiment(stored.experiment)
        running.add(self._repository.outcomes(stored.experiment.name))
        found = running.report(over=over, stop=stop, refused=self._refused(stored.experiment.name))
        return found.model_copy(update={"started_at": stored.created_at})

    def _close(self, stored: StoredExperiment, report: ExperimentReport) -> ExperimentReport:
        report = report.model_copy(update={"finished_at": datetime.now(UTC)})
        experiment = stored.experiment
        if experiment.promote is not None and report.verdict == "win" and self._promote is not None:
            report = report.model_copy(update={"promotion": self._promote(experiment, report)})
        return self._repository.close(experiment.name, report).report or report

    def _refused(self, name: str) -> dict[str, int]:
        return {reason.value: number for reason, number in sorted(self._repository.refused(name).items())}

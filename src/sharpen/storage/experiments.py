"""Experiments in the store: the ``ExperimentRepository`` that outlives the process, and offline A/B tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update

from sharpen.errors import UnknownNameError
from sharpen.executor.models import AwareDatetime, Record
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.outcomes import Admitted, Refusal
from sharpen.experiments.ports import StoredExperiment
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.upsert import insert_or_keep

_EXPERIMENTS, _OUTCOMES, _REFUSALS, _TESTS = (
    schema.experiments.c,
    schema.experiment_outcomes.c,
    schema.experiment_refusals.c,
    schema.ab_tests.c,
)
_PAGE = 10_000
_AT_ONCE = 300
"""Outcomes in one question: two parameters each at most, and old SQLites allow 999."""


class AbRecord(Record):
    """An offline A/B test. ``definition``: enough to go on with it. ``report`` None: under way, or cut off."""

    id: str
    workflow_id: str
    started_at: AwareDatetime
    fingerprint: str
    definition: dict[str, Any]
    finished_at: AwareDatetime | None = None
    report: ExperimentReport | None = None


class AbRepository:
    """Offline A/B tests by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: AbRecord) -> None:
        """Note that a test begins; one that is noted already goes on."""
        row = {**dict(record), "report": None}
        with self._database.write() as connection:
            connection.execute(insert_or_keep(connection.dialect.name, schema.ab_tests), row)

    def find(self, test_id: str) -> AbRecord | None:
        """The test with that id, or None."""
        return next(iter(self._read(_TESTS.id == test_id)), None)

    def unfinished(self, fingerprint: str | None = None) -> tuple[AbRecord, ...]:
        """Tests that did not come to their end (of the same content), newest first."""
        same = () if fingerprint is None else (_TESTS.fingerprint == fingerprint,)
        return self._read(_TESTS.finished_at.is_(None), *same)

    def list(self) -> tuple[AbRecord, ...]:
        """All of them, newest first."""
        return self._read()

    def finish(self, test_id: str, report: ExperimentReport) -> None:
        """Note how it ended."""
        values = {"finished_at": report.finished_at or datetime.now(UTC), "report": report.model_dump(mode="json")}
        with self._database.write() as connection:
            connection.execute(update(schema.ab_tests).where(_TESTS.id == test_id).values(values))

    def drop(self, test_id: str) -> None:
        """Forget a test of which nothing is worth going on with."""
        with self._database.write() as connection:
            connection.execute(delete(schema.ab_tests).where(_TESTS.id == test_id))

    def _read(self, *conditions: Any) -> tuple[AbRecord, ...]:
        query = select(schema.ab_tests).where(*conditions).order_by(_TESTS.started_at.desc())
        with self._database.read() as connection:
            return tuple(AbRecord.model_validate(dict(row._mapping)) for row in connection.execute(query))


class StoredExperimentRepository:
    """Online experiments in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def define(self, experiment: Experiment) -> StoredExperiment:
        row = {
            "name": experiment.name,
            "created_at": datetime.now(UTC),
            "definition": experiment.model_dump(mode="json"),
        }
        here = _EXPERIMENTS.name == experiment.name
        with self._database.write() as connection:
            connection.execute(insert_or_keep(connection.dialect.name, schema.experiments), row)
            known = _experiment(connection.execute(select(schema.experiments).where(here).with_for_update()).one())
            experiment.check_succeeds(known.experiment)
            connection.execute(update(schema.experiments).where(here).values(definition=row["definition"]))
        return known.model_copy(update={"experiment": experiment})

    def get(self, name: str) -> StoredExperiment | None:
        with self._database.read() as connection:
            row = connection.execute(select(schema.experiments).where(_EXPERIMENTS.name == name)).first()
        return None if row is None else _experiment(row)

    def list(self) -> tuple[StoredExperiment, ...]:
        query = select(schema.experiments).order_by(_EXPERIMENTS.created_at, _EXPERIMENTS.name)
        with self._database.read() as connection:
            return tuple(map(_experiment, connection.execute(query)))

    def add(self, name: str, outcomes: Sequence[Admitted]) -> tuple[Refusal | None, ...]:
        """Held together by the experiment's row: who adds at the same time waits, and finds what came before."""
        answers: list[Refusal | None] = []
        with self._database.write() as connection:
            _lock(connection, name)
            for start in range(0, len(outcomes), _AT_ONCE):
                some = outcomes[start : start + _AT_ONCE]
                kept = _values(connection, name, some)
                fresh = []
                for outcome in some:
                    key = (outcome.unit_id, outcome.metric)
                    if key in kept:
                        answers.append(Refusal.DUPLICATE if kept[key] == outcome.value else Refusal.CONFLICT)
                        continue
                    kept[key] = outcome.value
                    fresh.append({**dict(outcome), "experiment": name})
                    answers.append(None)
                if fresh:
                    connection.execute(schema.experiment_outcomes.insert(), fresh)
        return tuple(answers)

    def note(self, name: str, refused: Mapping[Refusal, int]) -> None:
        with self._database.write() as connection:
            _lock(connection, name)
            for reason, number in refused.items():
                row = {"experiment": name, "reason": reason.value, "number": 0}
                connection.execute(insert_or_keep(connection.dialect.name, schema.experiment_refusals), row)
                here = (_REFUSALS.experiment == name) & (_REFUSALS.reason == reason.value)
                more = {"number": _REFUSALS.number + number}
                connection.execute(update(schema.experiment_refusals).where(here).values(more))

    def refused(self, name: str) -> dict[Refusal, int]:
        query = select(_REFUSALS.reason, _REFUSALS.number).where(_REFUSALS.experiment == name)
        with self._database.read() as connection:
            return {Refusal(row.reason): row.number for row in connection.execute(query)}

    def outcomes(self, name: str) -> Iterator[Admitted]:
        """One statement, a page at a time in memory: each page by itself would sort the whole experiment anew."""
        query = select(schema.experiment_outcomes).where(_OUTCOMES.experiment == name).order_by(_OUTCOMES.id)
        paged = query.execution_options(yield_per=_PAGE)
        with self._database.read() as connection, connection.execute(paged) as rows:
            for row in rows:
                yield Admitted(unit_id=row.unit_id, metric=row.metric, variant=row.variant, value=row.value, at=row.at)

    def close(self, name: str, report: ExperimentReport) -> StoredExperiment:
        still_open = (_EXPERIMENTS.name == name) & _EXPERIMENTS.stopped_at.is_(None)
        values = {"stopped_at": datetime.now(UTC), "report": report.model_dump(mode="json")}
        with self._database.write() as connection:
            _lock(connection, name)
            connection.execute(update(schema.experiments).where(still_open).values(values))
            return _experiment(connection.execute(select(schema.experiments).where(_EXPERIMENTS.name == name)).one())


def _lock(connection: Connection, name: str) -> None:
    """One writer of an experiment at a time. Raises ``UnknownNameError``."""
    query = select(_EXPERIMENTS.name).where(_EXPERIMENTS.name == name).with_for_update()
    if connection.execute(query).first() is None:
        raise UnknownNameError("experiment", name, connection.execute(select(_EXPERIMENTS.name)).scalars())


def _values(connection: Connection, name: str, outcomes: Sequence[Admitted]) -> dict[tuple[str, str], float]:
    return {(row.unit_id, row.metric): row.value for row in connection.execute(kept_query(name, outcomes))}


def kept_query(name: str, outcomes: Sequence[Admitted]) -> Select[tuple[str, str, float]]:
    """What is kept of these units: two lists and no pairs, for which SQLite would read the whole experiment."""
    units, metrics = ({getattr(outcome, of) for outcome in outcomes} for of in ("unit_id", "metric"))
    return select(_OUTCOMES.unit_id, _OUTCOMES.metric, _OUTCOMES.value).where(
        _OUTCOMES.experiment == name, _OUTCOMES.unit_id.in_(units), _OUTCOMES.metric.in_(metrics)
    )


def _experiment(row: Row[Any]) -> StoredExperiment:
    return StoredExperiment(
        experiment=Experiment.model_validate(row.definition),
        created_at=row.created_at,
        stopped_at=row.stopped_at,
        report=None if row.report is None else ExperimentReport.model_validate(row.report),
    )

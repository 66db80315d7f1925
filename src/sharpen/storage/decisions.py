"""Decisions: whether a run's prompt was worth optimizing, and why."""

from __future__ import annotations

from sqlalchemy import select

from sharpen.optimizer.models import Decision
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.upsert import insert_or_replace


class DecisionRepository:
    """The last decision about each run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, run_id: str, decision: Decision) -> None:
        """Keep the decision about a run; a later one replaces it. Raises ``UnknownNameError``."""
        with self._database.write() as connection:
            statement = insert_or_replace(connection.dialect.name, schema.decisions)
            run = find_run(connection, run_id).id
            connection.execute(statement, {"run": run, "document": decision.model_dump(mode="json")})

    def get(self, run_id: str) -> Decision | None:
        """The decision about a run, or None when none was made. Raises ``UnknownNameError`` for an unknown run."""
        with self._database.read() as connection:
            run = find_run(connection, run_id).id
            query = select(schema.decisions.c.document).where(schema.decisions.c.run == run)
            document = connection.execute(query).scalar()
        return None if document is None else Decision.model_validate(document)

    def list(self, workflow_id: str | None = None) -> tuple[tuple[str, Decision], ...]:
        """(run id, decision) of every decided run, the newest run first."""
        runs = schema.runs.c
        query = (
            select(runs.run_id, schema.decisions.c.document)
            .join(schema.runs, runs.id == schema.decisions.c.run)
            .order_by(runs.started_at.desc(), runs.id.desc())
        )
        if workflow_id is not None:
            query = query.where(runs.workflow_id == workflow_id)
        with self._database.read() as connection:
            return tuple((row.run_id, Decision.model_validate(row.document)) for row in connection.execute(query))

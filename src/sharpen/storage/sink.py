"""The store as the executor's ``RunSink``: results are durable before they are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from sharpen.config.models import Case
from sharpen.errors import StoreError
from sharpen.executor.models import ResultLog, RunExecutionResult, TaskResult
from sharpen.executor.ports import RunStart
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.cases import CaseInserts, attach_cases
from sharpen.storage.engine import Database
from sharpen.storage.results import save_missing
from sharpen.storage.runs import begin_run, end_run
from sharpen.storage.stored_results import StoredResults
from sharpen.storage.task_rows import COLUMNS, to_values
from sharpen.storage.writer import BulkRow, Writer


class StoreSink:
    """Writes runs through the shared writer. ``cases`` are inputs of runs to come, for who does not ``add_cases``.

    Any number of runs may go through one sink, side by side. A result that is saved again (a resumed run) replaces
    the earlier one. Every method raises ``StoreError`` when its data could not be made durable.
    """

    def __init__(self, writer: Writer, database: Database, cases: Iterable[Case] = ()) -> None:
        self._writer = writer
        self._database = database
        self._cases = tuple(cases)
        self._results = BulkInsert(schema.results, database.engine.dialect, COLUMNS)
        self._case_inserts = CaseInserts(database.engine.dialect)
        self._keys: dict[str, int] = {}

    async def start_run(self, start: RunStart) -> None:
        def begin(connection: Connection) -> int:
            key = begin_run(connection, start)
            if self._cases:
                attach_cases(connection, key, self._cases)
            return key

        self._keys[start.run_id] = await self._writer.write(begin)

    async def add_cases(self, run_id: str, position: int, cases: Sequence[Case]) -> None:
        key = self._key(run_id)
        placed = list(enumerate(cases, position))
        await self._writer.write(lambda connection: self._case_inserts.execute(connection, key, placed))

    async def save_result(self, run_id: str, result: TaskResult) -> None:
        await self._writer.post(BulkRow(self._results, to_values(self._key(run_id), result)))

    async def sync(self) -> None:
        await self._writer.sync()

    def results(self, run_id: str) -> ResultLog:
        return StoredResults(self._database, self._key(run_id))

    async def finish_run(self, result: RunExecutionResult) -> None:
        key = self._key(result.run_id)

        def finish(connection: Connection) -> None:
            if not isinstance(result.task_results, ResultLog):
                save_missing(connection, key, result.task_results)
            end_run(connection, key, result)

        await self._writer.write(finish)
        await self._writer.sync()
        del self._keys[result.run_id]

    def _key(self, run_id: str) -> int:
        try:
            return self._keys[run_id]
        except KeyError:
            raise StoreError(f"run {run_id!r} was not started here; its results have no place") from None

"""The store as the executor's ``RunSink``: results are durable before they are counted."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from sharpen.config.models import Case
from sharpen.errors import StoreError
from sharpen.executor.models import RunExecutionResult, TaskResult
from sharpen.executor.ports import RunStart
from sharpen.storage import schema
from sharpen.storage.cases import attach_cases
from sharpen.storage.results import save_missing
from sharpen.storage.runs import begin_run, end_run
from sharpen.storage.task_rows import to_row
from sharpen.storage.upsert import insert_or_replace
from sharpen.storage.writer import RowWrite, Writer


class StoreSink:
    """Writes runs through the shared writer. ``cases`` are the inputs of the runs to come, by which they are shown.

    Any number of runs may go through one sink, side by side. A result that is saved again (a resumed run) replaces
    the earlier one. Every method raises ``StoreError`` when its data could not be made durable.
    """

    def __init__(self, writer: Writer, dialect: str, cases: Iterable[Case] = ()) -> None:
        self._writer = writer
        self._cases = tuple(cases)
        self._save = insert_or_replace(dialect, schema.results)
        self._keys: dict[str, int] = {}

    async def start_run(self, start: RunStart) -> None:
        def begin(connection: Connection) -> int:
            key = begin_run(connection, start)
            attach_cases(connection, key, self._cases)
            return key

        self._keys[start.run_id] = await self._writer.write(begin)

    async def save_result(self, run_id: str, result: TaskResult) -> None:
        await self._writer.write(RowWrite(self._save, to_row(self._key(run_id), result)))

    async def finish_run(self, result: RunExecutionResult) -> None:
        key = self._key(result.run_id)

        def finish(connection: Connection) -> None:
            save_missing(connection, key, result.task_results)
            end_run(connection, key, result)

        await self._writer.write(finish)
        del self._keys[result.run_id]

    def _key(self, run_id: str) -> int:
        try:
            return self._keys[run_id]
        except KeyError:
            raise StoreError(f"run {run_id!r} was not started here; its results have no place") from None

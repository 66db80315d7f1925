"""Answers by content hash: the executor's ``ResponseCache``, shared by all runs of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import func, select

from sharpen.executor.ports import CachedResponse
from sharpen.storage import schema
from sharpen.storage.batching import Batcher
from sharpen.storage.engine import Database
from sharpen.storage.upsert import insert_or_replace
from sharpen.storage.writer import RowWrite, Writer
from sharpen.targets.base import TargetResponse, Usage

_TABLE = schema.responses.c


class ResponseRepository:
    """Remembered answers. Concurrent ``get`` calls share one query, concurrent ``put`` calls one commit."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._reader: Batcher[str, CachedResponse | None] = Batcher("reader", self._look_up)
        self._put = insert_or_replace(database.engine.dialect.name, schema.responses)

    async def get(self, key: str) -> CachedResponse | None:
        """The answer remembered under ``key``. Raises ``StoreError``."""
        return await self._reader.submit(key)

    async def claim(self, key: str, give_up: Callable[[], bool]) -> CachedResponse | bool:
        del give_up
        return await self.get(key) or True

    async def release(self, key: str) -> None:
        del key

    async def put(self, key: str, value: CachedResponse) -> None:
        """Remember an answer; a later one replaces it. Raises ``StoreError``."""
        response = value.response
        row = {
            "key": key,
            "output": response.output,
            "prompt_tokens": response.usage.prompt_tokens,
            "completion_tokens": response.usage.completion_tokens,
            "cost": response.cost,
            "finish_reason": response.finish_reason,
            "model": response.model,
            "execution_time": value.execution_time,
        }
        await self._writer.write(RowWrite(self._put, row))

    def count(self) -> int:
        """How many answers are remembered."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(schema.responses)).scalar_one()

    def close(self) -> None:
        """End the reading thread."""
        self._reader.close()

    def _look_up(self, keys: Sequence[str]) -> Sequence[CachedResponse | None]:
        query = select(schema.responses).where(_TABLE.key.in_(set(keys)))
        with self._database.read() as connection:
            found = {
                row.key: CachedResponse(
                    TargetResponse(
                        output=row.output,
                        usage=Usage(row.prompt_tokens, row.completion_tokens),
                        cost=row.cost,
                        finish_reason=row.finish_reason,
                        model=row.model,
                    ),
                    row.execution_time,
                )
                for row in connection.execute(query)
            }
        return [found.get(key) for key in keys]

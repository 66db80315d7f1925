"""Answers by content hash: the executor's ``ResponseCache``, shared by all runs of a store and their processes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from sharpen.executor.models import FailedAttempt
from sharpen.executor.ports import CachedResponse, Retried
from sharpen.storage import claims, schema
from sharpen.storage.batching import Batcher
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.ownership import Ownership
from sharpen.storage.types import exact_json, exact_text
from sharpen.storage.writer import BulkRow, Writer
from sharpen.targets.base import TargetResponse, Usage

_TABLE = schema.responses.c
_COLUMNS = (
    "key", "output", "prompt_tokens", "completion_tokens", "cost", "finish_reason", "model", "execution_time",
    "attempts", "origin", "retried", "created_at",
)  # fmt: skip
_FIRST_POLL_S, _LAST_POLL_S = 0.05, 0.25


class ResponseRepository:
    """Remembered answers. Concurrent ``get`` or ``claim`` calls share one query, concurrent ``put`` calls one commit.

    Of all processes that ``claim`` one key, one gets it and the others wait for its answer. Neither claims nor their
    ends wait for the disk.
    """

    def __init__(self, database: Database, writer: Writer, ownership: Ownership) -> None:
        self._database = database
        self._writer = writer
        self._ownership = ownership
        self._reader: Batcher[str, CachedResponse | None] = Batcher("reader", self._look_up)
        self._claimer: Batcher[str, CachedResponse | bool] = Batcher("claimer", self._claim)
        self._put = BulkInsert(schema.responses, database.engine.dialect, _COLUMNS)
        self._answered: deque[str] = deque()

    async def get(self, key: str) -> CachedResponse | None:
        """The answer remembered under ``key``. Raises ``StoreError``."""
        return await self._reader.submit(key)

    async def claim(self, key: str, give_up: Callable[[], bool]) -> CachedResponse | bool:
        """The answer; True when it is the caller's to pay for, until ``put`` or ``release``; False after ``give_up``.

        Waits while a living process pays for it. Raises ``StoreError``.
        """
        pause = _FIRST_POLL_S
        while True:
            found = await self._claimer.submit(key)
            if found is not False or give_up():
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_S)

    async def put(self, key: str, value: CachedResponse) -> None:
        """Remember an answer; a later one replaces it. Raises ``StoreError``."""
        response = value.response
        row = (
            key,
            exact_text(response.output),
            response.usage.prompt_tokens,
            response.usage.completion_tokens,
            response.cost,
            exact_text(response.finish_reason),
            exact_text(response.model),
            value.execution_time,
            value.attempts,
            value.origin,
            exact_json(_retried_row(value.retried)),
            datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        await self._writer.write(BulkRow(self._put, row))
        self._answered.append(key)

    async def release(self, key: str) -> None:
        """End a claim without an answer. Raises ``StoreError``."""
        mine = self._ownership.id()
        await self._writer.write(lambda connection: claims.end(connection, [key], mine))

    async def forget(self, scope: str) -> None:
        """Drop every answer whose key begins with ``scope`` and a slash. Raises ``StoreError``."""
        private = _TABLE.key.startswith(f"{scope}/", autoescape=True)
        await self._writer.write(lambda connection: connection.execute(delete(schema.responses).where(private)))

    def count(self) -> int:
        """How many answers are remembered."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(schema.responses)).scalar_one()

    def close(self) -> None:
        """End the threads."""
        self._reader.close()
        self._claimer.close()

    def _look_up(self, keys: Sequence[str]) -> Sequence[CachedResponse | None]:
        with self._database.read() as connection:
            found = _answers(connection, set(keys))
        return [found.get(key) for key in keys]

    def _claim(self, keys: Sequence[str]) -> Sequence[CachedResponse | bool]:
        """Answers, else whether the key is ours now. Writes only for keys that nobody else is paying for."""
        wanted = set(keys)
        mine = self._ownership.id()
        with self._database.read() as connection:
            found = _answers(connection, wanted)
            owners = claims.owners_of(connection, wanted - found.keys())
            alive = self._ownership.alive(connection, set(owners.values()))
        free = {key for key in wanted - found.keys() if owners.get(key) not in alive}
        won: set[str] = set()
        if free:
            answered = [self._answered.popleft() for _ in range(len(self._answered))]
            with self._database.write(quick=True) as connection:
                claims.end(connection, answered, mine)  # late, and in good company: whoever waits sees the answer first
                claims.drop(connection, set(owners.values()) - alive)
                won.update(claims.take(connection, free, mine))
                late = _answers(connection, won)  # put between the two transactions
                claims.end(connection, late, mine)
            found |= late
            won -= late.keys()
        answers: list[CachedResponse | bool] = []
        for key in keys:
            answers.append(found.get(key) or key in won)
            won.discard(key)  # asked for twice: the first one pays
        return answers


def _answers(connection: Connection, keys: Collection[str]) -> dict[str, CachedResponse]:
    if not keys:
        return {}
    return {
        row.key: CachedResponse(
            TargetResponse(
                output=row.output,
                usage=Usage(row.prompt_tokens, row.completion_tokens),
                cost=row.cost,
                finish_reason=row.finish_reason,
                model=row.model,
            ),
            row.execution_time,
            row.attempts,
            row.origin,
            _retried(row.retried),
        )
        for row in connection.execute(select(schema.responses).where(_TABLE.key.in_(keys)))
    }


def _retried_row(value: Retried | None) -> dict[str, Any] | None:
    if value is None:
        return None
    failed = [attempt.model_dump(mode="json", exclude_defaults=True) for attempt in value.failed_attempts]
    return {
        "prompt_tokens": value.prompt_tokens,
        "completion_tokens": value.completion_tokens,
        "cost": value.cost,
        "failed_attempts": failed,
    }


def _retried(row: dict[str, Any] | None) -> Retried | None:
    if row is None:
        return None
    failed = tuple(FailedAttempt.model_validate(attempt) for attempt in row["failed_attempts"])
    return Retried(row["prompt_tokens"], row["completion_tokens"], row["cost"], failed)

"""Answers by content hash: the executor's ``ResponseCache``, shared by all runs of a store and their processes."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from sharpen.executor.models import FailedAttempt
from sharpen.executor.ports import CachedResponse, Retried
from sharpen.storage import schema
from sharpen.storage.batching import Batcher
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.by_keys import ByKeys
from sharpen.storage.claims import Claims
from sharpen.storage.engine import Database
from sharpen.storage.exact_text import exact_text, plain_text
from sharpen.storage.ownership import Ownership
from sharpen.storage.recovery import recover
from sharpen.storage.types import exact_json
from sharpen.storage.writer import BulkRow, Writer
from sharpen.targets.base import TargetResponse, Usage

_TABLE = schema.responses.c
_COLUMNS = (
    "key", "output", "prompt_tokens", "completion_tokens", "cost", "finish_reason", "model", "execution_time",
    "attempts", "origin", "retried", "created_at",
)  # fmt: skip
_READ = _COLUMNS[:-1]
_FIRST_POLL_S, _LAST_POLL_S = 0.05, 0.25


class ResponseRepository:
    """Remembered answers. Concurrent ``get`` or ``claim`` calls share one query, concurrent ``put`` calls one commit.

    Of all that ``claim`` one key, in whatever process, one gets it and the others wait for its answer. Neither claims
    nor their ends wait for the disk.
    """

    def __init__(self, database: Database, writer: Writer, ownership: Ownership) -> None:
        dialect = database.engine.dialect
        self._database = database
        self._writer = writer
        self._ownership = ownership
        self._reader: Batcher[str, CachedResponse | None] = Batcher("reader", self._look_up)
        self._claimer: Batcher[_Ask, CachedResponse | bool] = Batcher("claimer", self._answer_all)
        self._put = BulkInsert(schema.responses, dialect, _COLUMNS)
        self._select = ByKeys(f"SELECT {', '.join(_READ)} FROM responses WHERE key", dialect)  # noqa: S608 - our names
        self._claims = Claims(dialect)
        self._ours: dict[str, _Ask] = {}
        self._posted: dict[str, CachedResponse] = {}
        self._ended: deque[str] = deque()
        self._hits = True
        self._releases: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> CachedResponse | None:
        """The answer remembered under ``key``. Raises ``StoreError``."""
        return self._posted.get(key) or await self._reader.submit(key)

    async def claim(self, key: str, give_up: Callable[[], bool]) -> CachedResponse | bool:
        """The answer; True when it is the caller's to pay for, until ``put`` or ``release``; False after ``give_up``.

        Waits while a living process pays for it. Raises ``StoreError``.
        """
        pause = _FIRST_POLL_S
        while True:
            ask = _Ask(key)
            try:
                found = await self._claimer.submit(ask)
            except asyncio.CancelledError:
                self._give_back(ask)
                raise
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

        def done(_: Exception | None) -> None:
            if self._ours.pop(key, None):  # the claim's row goes with the next claims: the answer is seen first
                self._ended.append(key)
            if self._posted.get(key) is value:
                del self._posted[key]

        self._posted[key] = value
        try:
            await self._writer.post(BulkRow(self._put, row, done), soon=True)
        except BaseException as error:
            done(error if isinstance(error, Exception) else None)
            raise

    async def release(self, key: str) -> None:
        """End a claim without an answer. Raises ``StoreError``."""
        if key not in self._ours:
            return
        mine = self._ownership.id()
        try:
            await self._writer.write(lambda connection: self._claims.end(connection, [key], mine))
        finally:  # not before: another one here would take the claim that is about to end for his own
            self._ours.pop(key, None)

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
            found = self._answers(connection, set(keys))
        return [found.get(key) for key in keys]

    def _answer_all(self, asks: Sequence[_Ask]) -> Sequence[CachedResponse | bool]:
        """Answers, else whether the key is ours to pay for now."""
        wanted = {ask.key for ask in asks}
        found = {key: answer for key in wanted if (answer := self._posted.get(key))}  # on their way to the store
        wanted -= found.keys()
        if self._hits:  # then most answers are there, and need no write
            with self._database.read() as connection:
                found |= self._answers(connection, wanted)
        open_keys = wanted - found.keys() - self._ours.keys()
        late, won = self._take(open_keys) if open_keys else ({}, set[str]())
        found |= late
        self._hits = bool(found)
        answers: list[CachedResponse | bool] = [found.get(ask.key) or self._given(ask, won) for ask in asks]
        if won:  # by those alone who were cancelled meanwhile
            with self._database.write(quick=True) as connection:
                self._claims.end(connection, won, self._ownership.id())
        return answers

    def _given(self, ask: _Ask, won: set[str]) -> bool:
        """Of several that ask for a key that was won, the first one gets it, and it is no longer among ``won``."""
        if ask.key not in won:
            return False
        self._ours[ask.key] = ask
        if ask.cancelled and self._ours.pop(ask.key, None) is not None:  # _give_back looks at both the other way round
            return False
        won.discard(ask.key)
        return True

    def _take(self, keys: Collection[str]) -> tuple[dict[str, CachedResponse], set[str]]:
        """Answers that are there, and the keys that are ours now. Claims come first, so that no answer is missed."""
        mine, claims = self._ownership.id(), self._claims
        gone: set[str] = set()
        while True:
            with self._database.write(quick=True) as connection:
                if gone:
                    claims.drop(connection, gone)
                claims.end(connection, [self._ended.popleft() for _ in range(len(self._ended))], mine)
                claims.take(connection, keys, mine)
                others = claims.of_others(connection, mine)
                payers = {others[key] for key in keys if key in others}
                gone = payers - self._ownership.alive(connection, payers)
                if not gone:
                    found = self._answers(connection, keys)
                    claims.end(connection, found.keys() - others.keys(), mine)
                    return found, set(keys) - found.keys() - others.keys()
                claims.end(connection, keys, mine)  # until what the dead have paid for is home
            recover(self._database)

    def _give_back(self, ask: _Ask) -> None:
        """Whoever asked was cancelled: what it may have won is for others."""
        ask.cancelled = True
        if self._ours.get(ask.key) is ask:
            task = asyncio.ensure_future(self.release(ask.key))
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)

    def _answers(self, connection: Connection, keys: Collection[str]) -> dict[str, CachedResponse]:
        return {
            key: CachedResponse(
                TargetResponse(
                    plain_text(output) or "", Usage(asked, said), cost, plain_text(reason), plain_text(model)
                ),
                time, attempts, origin, _retried(retried),
            )
            for key, output, asked, said, cost, reason, model, time, attempts, origin, retried in self._select.rows(
                connection, keys
            )
        }  # fmt: skip


@dataclass(slots=True, eq=False)
class _Ask:
    """One who asks for an answer or, failing that, for the right to pay for it."""

    key: str
    cancelled: bool = False


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


def _retried(text: str | None) -> Retried | None:
    if text is None:
        return None
    row = json.loads(plain_text(text) or "")
    failed = tuple(FailedAttempt.model_validate(attempt) for attempt in row["failed_attempts"])
    return Retried(row["prompt_tokens"], row["completion_tokens"], row["cost"], failed)

"""Who is at work on a store: each process that holds a lock or pays for an answer stands in ``processes``.

A process of this machine is alive when the system says so (see ``alive``). Of one on another machine (a shared
PostgreSQL) we know only its last sign of life, which it gives every few seconds by the database's clock; after a minute
without one it counts as gone. Should it have slept only, it learns on waking that its lock is another's now.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, func, select, update

from sharpen.errors import StoreError
from sharpen.storage import schema
from sharpen.storage.alive import UNKNOWN, birth_of, is_running, this_host
from sharpen.storage.engine import Database
from sharpen.storage.recovery import recover

SIGN_OF_LIFE_S = 10.0
GONE_AFTER_S = 60.0
_PROCESSES, _LOCKS, _CLAIMS = schema.processes.c, schema.locks.c, schema.claims.c


@dataclass(frozen=True, slots=True)
class Process:
    """One that works, or worked, on a store. ``host`` is its machine's name."""

    pid: int
    host: str


class Ownership:
    """This process among those that work on a store; it is noted there when it first takes something.

    Nothing here waits for the disk: after a power failure no owner is alive anyway.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._id = ""
        self._pid = 0
        self._closed = threading.Event()
        self._held: dict[str, Callable[[], None] | None] = {}

    def id(self) -> str:
        """Under which this process is noted. Raises ``StoreError``."""
        with self._lock:
            if self._pid != os.getpid():  # not noted yet, or noted as the process that we were forked from
                self._id = self._enter()
                self._pid = os.getpid()
                self._held = {}
                threading.Thread(target=self._give_signs, name="sharpen-alive", daemon=True).start()
            return self._id

    def alive(self, connection: Connection, owners: Collection[str]) -> frozenset[str]:
        """Those of ``owners`` that are still at work."""
        if not owners:
            return frozenset()
        rows = connection.execute(select(schema.processes).where(_PROCESSES.id.in_(owners)))
        now = _now(connection)
        return frozenset(row.id for row in rows if row.id == self._id or _is_alive(row, now))

    def watch(self, lock: str, on_lost: Callable[[], None] | None) -> None:
        """Call ``on_lost`` (from another thread) when a lock that was taken is found to be another's."""
        self._held[lock] = on_lost

    def unwatch(self, lock: str) -> None:
        """The lock is given back."""
        self._held.pop(lock, None)

    def close(self) -> None:
        """Give back everything and leave. Idempotent."""
        self._closed.set()
        with self._lock:
            mine, self._id = self._id if self._pid == os.getpid() else "", ""
        if mine:
            with suppress(StoreError), self._database.write(quick=True) as connection:  # else others see us gone
                for column in (_LOCKS.owner, _CLAIMS.owner, _PROCESSES.id):
                    connection.execute(delete(column.table).where(column == mine))

    def _enter(self) -> str:
        mine, pid = uuid4().hex, os.getpid()
        birth = birth_of(pid)
        recover(self._database)  # before what they were paying for is free
        with self._database.write(quick=True) as connection:
            now = _now(connection)
            gone = [row.id for row in connection.execute(select(schema.processes)) if not _is_alive(row, now)]
            if gone:  # what they were paying for is free; who held a lock is named once more when it is taken over
                connection.execute(delete(schema.claims).where(_CLAIMS.owner.in_(gone)))
                locked = select(_LOCKS.owner)
                connection.execute(
                    delete(schema.processes).where(_PROCESSES.id.in_(gone), _PROCESSES.id.not_in(locked))
                )
            row = {"id": mine, "host": this_host(), "pid": pid, "seen_at": now}
            connection.execute(schema.processes.insert(), row | {"born_at": UNKNOWN if birth is None else birth})
        return mine

    def _give_signs(self) -> None:
        while not self._closed.wait(SIGN_OF_LIFE_S):
            with suppress(StoreError):  # a store that is full or locked: the next sign will do
                self._give_sign()

    def _give_sign(self) -> None:
        with self._database.write(quick=True) as connection:
            ours = update(schema.processes).where(_PROCESSES.id == self._id)
            connection.execute(ours.values(seen_at=_now(connection)))
            held = set(connection.execute(select(_LOCKS.name).where(_LOCKS.owner == self._id)).scalars())
        for lock, on_lost in tuple(self._held.items()):
            if lock not in held and self._held.pop(lock, None) and on_lost:
                on_lost()


def process_of(connection: Connection, owner: str) -> Process | None:
    """Who that is; None when it has left."""
    row = connection.execute(select(schema.processes).where(_PROCESSES.id == owner)).first()
    return None if row is None else Process(row.pid, row.host.partition("/")[0])


def _is_alive(row: Row[Any], now: float) -> bool:
    if row.host == this_host():
        return is_running(row.pid, row.born_at)
    return bool(now - row.seen_at < GONE_AFTER_S)


def _now(connection: Connection) -> float:
    """Seconds since 1970 by the one clock that all users of the store share: a server's own, or this machine's."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

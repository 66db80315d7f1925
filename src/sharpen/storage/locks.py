"""Locks between processes: a run, an optimization or a workflow's versions are one process's to work on at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, update

from sharpen.errors import LockedError, StoreError
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.ownership import Ownership, Process, process_of
from sharpen.storage.recovery import recover
from sharpen.storage.upsert import insert_or_keep

_LOCKS = schema.locks.c
_POLL_S = 0.05
_SAID = {"ab": "A/B test"}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, or held it and is gone. ``process``: None when nothing is known of it any more."""

    process: Process | None
    since: datetime
    alive: bool

    def __str__(self) -> str:
        if self.process is None:
            return "another process"
        return f"process {self.process.pid} on {self.process.host}"


class LockRepository:
    """Locks by name: ``run:<id>``, ``optimization:<id>``, ``ab:<id>``, ``versions:<workflow>``."""

    def __init__(self, database: Database, ownership: Ownership) -> None:
        self._database = database
        self._ownership = ownership

    @contextmanager
    def hold(
        self, name: str, *, wait_s: float = 0.0, on_lost: Callable[[], None] | None = None
    ) -> Iterator[Holder | None]:
        """Hold a lock for the block. Gives the process it was taken over from, which is gone without giving it back.

        Raises ``LockedError`` when a living process holds it, this one included, for longer than ``wait_s`` seconds.
        ``on_lost`` is called, from another thread, when another machine took this process for dead and took over.
        """
        mine = self._ownership.id()
        deadline = time.monotonic() + wait_s
        while True:
            with self._database.write(quick=True) as connection:
                holder = self._take(connection, name, mine)
            if holder is None or not holder.alive:
                break
            if time.monotonic() >= deadline:
                raise LockedError(_refusal(name, holder))
            time.sleep(_POLL_S)
        self._ownership.watch(name, on_lost)
        try:
            recover(self._database)  # what who had it before was killed with
            yield holder
        finally:
            self._ownership.unwatch(name)
            with suppress(StoreError), self._database.write(quick=True) as connection:  # gone with us at the latest
                connection.execute(delete(schema.locks).where(_LOCKS.name == name, _LOCKS.owner == mine))

    def holder(self, name: str) -> Holder | None:
        """Who holds a lock now, or left it behind (not ``alive``); None when it is free."""
        with self._database.read() as connection:
            found = self._look(connection, name)
            return found[1] if found else None

    def held(self) -> frozenset[str]:
        """The names of all locks that living processes hold."""
        with self._database.read() as connection:
            owners = {row.name: row.owner for row in connection.execute(select(_LOCKS.name, _LOCKS.owner))}
            alive = self._ownership.alive(connection, set(owners.values()))
        return frozenset(name for name, owner in owners.items() if owner in alive)

    def _take(self, connection: Connection, name: str, mine: str) -> Holder | None:
        """Take the lock, from a dead process too. Who held it: None or a dead one when it is ours now."""
        row = {"name": name, "owner": mine, "taken_at": datetime.now(UTC)}
        statement = insert_or_keep(connection.dialect.name, schema.locks).execution_options(preserve_rowcount=True)
        if connection.execute(statement, row).rowcount == 1:
            return None
        found = self._look(connection, name)
        if found is None:  # given back meanwhile
            return self._take(connection, name, mine)
        owner, holder = found
        if holder.alive:
            return holder
        same = update(schema.locks).where(_LOCKS.name == name, _LOCKS.owner == owner)
        if not connection.execute(same.values(owner=mine, taken_at=row["taken_at"])).rowcount:
            return self._take(connection, name, mine)  # another one was faster
        return holder

    def _look(self, connection: Connection, name: str) -> tuple[str, Holder] | None:
        row = connection.execute(select(schema.locks).where(_LOCKS.name == name)).first()
        if row is None:
            return None
        alive = bool(self._ownership.alive(connection, [row.owner]))
        return row.owner, Holder(process_of(connection, row.owner), row.taken_at, alive)


def _refusal(name: str, holder: Holder) -> str:
    kind, _, what = name.partition(":")
    since = holder.since.astimezone()
    when = f"{since:%H:%M}" if since.date() == datetime.now().astimezone().date() else f"{since:%Y-%m-%d %H:%M}"
    return f"{_SAID.get(kind, kind)} {what!r} is being worked on by {holder} since {when}; wait for it or stop it"

"""The response cache as a whole: what is in it, and how it is made smaller.

Whoever is not done may still need what it paid for: an interrupted search goes on by asking everything again, and a run
that was killed may have answers whose results were not saved. So answers of the time since the oldest unfinished one
began are kept, and counted as kept, unless they are given up by ``needed=True``. Answers that belong to one unfinished
run alone (their keys name it) are no part of the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, cast, delete, func, or_, select

from sharpen.executor.models import AwareDatetime, Record, RunStatus
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.types import ExactText, Moment

_R, _RUNS, _SEARCHES = schema.responses.c, schema.runs.c, schema.searches.c
_SHARED = _R.key.not_like("%/%")
_AT_A_TIME = 1000
"""Entries dropped in one transaction: a run under way waits for one no longer than for a batch of results."""


class CacheSummary(Record):
    """What the cache holds. ``bytes`` of keys and answers, without the database's own overhead.

    ``saves``: USD that it would cost to ask everything in it once more; ``unpriced``: answers of unknown price.
    ``needed_by``: what is unfinished; ``needed``: how many answers that may still want.
    """

    entries: int = 0
    bytes: int = 0
    oldest: AwareDatetime | None = None
    newest: AwareDatetime | None = None
    saves: float = 0.0
    unpriced: int = 0
    needed: int = 0
    needed_by: tuple[str, ...] = ()


class Pruned(Record):
    """What was dropped (or, in a rehearsal, would be), and what was not because it may still be needed."""

    entries: int = 0
    bytes: int = 0
    kept: int = 0
    needed_by: tuple[str, ...] = ()
    left: int = 0
    left_bytes: int = 0
    rehearsal: bool = False


class CacheRepository:
    """The response cache of a store. Everything here is safe beside runs that use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def summary(self) -> CacheSummary:
        """What the cache holds."""
        size = _size(self._database)
        with self._database.read() as connection:
            since, needed_by = _unfinished(connection)
            row = connection.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(size), 0),
                    func.min(_R.created_at, type_=Moment),
                    func.max(_R.created_at, type_=Moment),
                    func.coalesce(func.sum(_R.cost), 0.0),
                    func.count().filter(_R.cost.is_(None)),
                    func.count().filter(_needed(since)),
                ).where(_SHARED)
            ).one()
        names = ("entries", "bytes", "oldest", "newest", "saves", "unpriced", "needed")
        return CacheSummary(**dict(zip(names, row, strict=True)), needed_by=needed_by)

    def prune(
        self,
        now: datetime,
        *,
        older_than: timedelta | None = None,
        max_bytes: int | None = None,
        everything: bool = False,
        needed: bool = False,
        rehearsal: bool = False,
    ) -> Pruned:
        """Drop answers older than that, then the oldest until ``max_bytes`` are left; or everything.

        Answers without a date are from before dates were kept: older than any other. What is unfinished may need
        answers again: those are dropped with ``needed`` only. ``rehearsal``: only tell what would be dropped.
        """
        entries = size = kept = 0
        with self._database.read() as connection:
            since, needed_by = _unfinished(connection)
            wanted = list(self._wanted(connection, now, older_than, max_bytes, everything))
        going: list[str] = []
        for key, created_at, length in wanted:
            if not needed and since is not None and created_at is not None and created_at >= since:
                kept += 1
                continue
            going.append(key)
            entries, size = entries + 1, size + length
        if not rehearsal:
            for first in range(0, len(going), _AT_A_TIME):
                self._drop(going[first : first + _AT_A_TIME])
        left = self.summary()
        gone = (entries, size) if rehearsal else (0, 0)
        return Pruned(
            entries=entries,
            bytes=size,
            kept=kept,
            needed_by=needed_by if kept else (),
            left=left.entries - gone[0],
            left_bytes=left.bytes - gone[1],
            rehearsal=rehearsal,
        )

    def _wanted(
        self,
        connection: Connection,
        now: datetime,
        older_than: timedelta | None,
        max_bytes: int | None,
        everything: bool,
    ) -> Iterator[tuple[str, datetime | None, int]]:
        """(key, date, bytes) of what should go, were nothing needed any more."""
        size = _size(self._database)
        newest_first = (_R.created_at.desc().nulls_last(), _R.key)
        so_far = func.sum(size).over(order_by=newest_first, rows=(None, 0)).label("so_far")
        found = select(_R.key, _R.created_at, size.label("bytes"), so_far).where(_SHARED).subquery()
        which: list[ColumnElement[bool]] = []
        if not everything:
            if older_than is not None:
                which.append(or_(found.c.created_at < now - older_than, found.c.created_at.is_(None)))
            if max_bytes is not None:
                which.append(found.c.so_far > max_bytes)
        query = select(found.c.key, found.c.created_at, found.c.bytes).order_by(found.c.so_far.desc())
        for row in connection.execute(query.where(or_(*which)) if which else query):
            yield row.key, row.created_at, row.bytes

    def _drop(self, keys: list[str]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(schema.claims).where(schema.claims.c.key.in_(keys)))  # answered, not yet ended
            connection.execute(delete(schema.responses).where(_R.key.in_(keys)))


def _unfinished(connection: Connection) -> tuple[datetime | None, tuple[str, ...]]:
    """Since when something is unfinished, and what: searches, and runs that are under way or were killed."""
    searches = connection.execute(select(_SEARCHES.id, _SEARCHES.started_at)).all()
    running = and_(_RUNS.status == RunStatus.RUNNING.value, _RUNS.parent_run_id.is_(None))
    runs = connection.execute(select(_RUNS.run_id, _RUNS.started_at).where(running)).all()
    found = sorted((row[1], str(row[0])) for row in (*searches, *runs))
    return (found[0][0] if found else None), tuple(name for _, name in found)


def _needed(since: datetime | None) -> ColumnElement[bool]:
    return _R.created_at.is_not(None) & (_R.created_at >= since) if since else _R.key.is_(None)


def _size(database: Database) -> ColumnElement[int]:
    """Bytes of an entry's key and answer."""
    if database.engine.dialect.name == "sqlite":
        sizes: list[Any] = [func.length(cast(column, LargeBinary)) for column in (_R.key, _R.output)]
    else:
        sizes = [func.octet_length(cast(column, ExactText)) for column in (_R.key, _R.output)]
    return sizes[0] + sizes[1]  # type: ignore[no-any-return]  # functions without a declared type

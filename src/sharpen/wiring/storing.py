"""What is done to a store as a whole: upgraded, copied, checked, made smaller."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sharpen.config.settings import SQLITE, store_url
from sharpen.errors import StoreError, UserError
from sharpen.executor.models import Record
from sharpen.storage import checking, copying, migrate, pruning
from sharpen.storage.checking import Health
from sharpen.storage.copying import Copied
from sharpen.storage.engine import connect
from sharpen.storage.history import fill_history
from sharpen.storage.pruning import PrunedStore
from sharpen.storage.revision import REVISION
from sharpen.storage.store import Store
from sharpen.wiring.stores import may_exist, open_store

_EVERY = 50
"""Pages of rows between two signs of life of a copy."""


class UpgradedStore(Record):
    """What ``store upgrade`` did. ``before`` is ``after`` when there was nothing to do."""

    store: str
    before: str
    after: str
    backup: str | None = None
    history_rows_added: int = 0


def upgrade_store(url: str | None) -> UpgradedStore:
    """Bring a store to the schema of this sharpen, and its history to what its runs say.

    Raises ``StoreError`` where there is no store, or a newer one.
    """
    found = store_url(Path(), url)
    if not may_exist(found):
        raise StoreError(f"there is no store {found!r}; a new one needs no upgrade")
    database = connect(found)
    try:
        done = migrate.upgrade(database)
        with database.write() as connection:
            added = fill_history(connection)
        return UpgradedStore(
            store=database.name,
            before=(done.before or "nothing") if done else REVISION,
            after=REVISION,
            backup=str(done.backup) if done and done.backup else None,
            history_rows_added=added,
        )
    finally:
        database.close()


def copy_store(source: str, target: str, *, quiet: bool = False) -> Copied:
    """Copy a store into an empty database, or go on with that. Tells on stderr how far it is.

    Raises ``StoreError`` as ``storage.copying`` does, and ``UserError`` for a path in place of a URL.
    """
    for url in (source, target):
        if "://" not in url:
            raise UserError(f"{url!r} is no store URL; did you mean {SQLITE + url!r}?")
    pages = 0

    def told(table: str, rows: int) -> None:
        nonlocal pages
        pages += 1
        if not quiet and pages % _EVERY == 0:
            sys.stderr.write(f"{table}: {rows:,} rows\n")

    with open_store(source) as opened:
        opened.flush()
        database = connect(target)
        try:
            return copying.copy_store(opened.database, database, told)
        finally:
            database.close()


def check_store(store: Store, *, full: bool = False) -> Health:
    """Whether a store is whole."""
    return checking.check_store(store.database, full=full)


def prune_store(
    store: Store, older_than: timedelta, *, keep: int = 0, forget: bool = False, rehearsal: bool = False
) -> PrunedStore:
    """Drop what is older than that. Raises ``UserError`` for an age that reaches back before any calendar."""
    try:
        before = datetime.now(UTC) - older_than
    except OverflowError:
        raise UserError(f"--older-than {older_than.days} days is longer ago than any calendar knows") from None
    return pruning.prune(store.database, store.locks, before, keep=keep, forget=forget, rehearsal=rehearsal)


def vacuum_store(store: Store) -> None:
    """Give free space inside the store back to the disk."""
    pruning.vacuum(store.database)

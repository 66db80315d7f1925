"""A store's URL → a database that can be read and written, with every failure in the user's words.

Durability on SQLite: a write-ahead log. A transaction of ``write()`` survives ``kill -9`` of this process and also a
power failure when the block ends (``synchronous=FULL``). One of ``write(quick=True)`` survives ``kill -9`` when the
block ends, and a power failure after the next ``sync()`` (``synchronous=NORMAL`` and see ``disk_sync``): many results
share one wait for the disk, and the next call need not wait for it. All this as far as the disk keeps what it has
confirmed. PostgreSQL is durable with each commit, as its server is set up.
Readers see the last commit and never wait for a writer, nor a writer for them.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from sharpen.errors import StoreError
from sharpen.storage.disk_sync import WalSync
from sharpen.storage.failures import (
    BUSY_TIMEOUT_S,
    IMPATIENT_S,
    StoreLockedError,
    StoreUnavailableError,
    hide_password,
    is_crowded,
    translated,
)
from sharpen.storage.raw import execute_raw

EXAMPLES = "sqlite:///path/to/store.db or postgresql://user@host/database"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",  # as hosting companies write it
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_POSTGRESQL: dict[str, Any] = {
    "isolation_level": "READ COMMITTED",  # whatever the server's default: a writer must see what it waited for
    "pool_pre_ping": True,  # a run of hours outlives idle connections
    "pool_size": 4,
    "max_overflow": 8,
    "connect_args": {"client_encoding": "utf8"},  # of a server without an encoding the driver makes no texts at all
}
_SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Database:
    """Transactions on one engine. ``name`` is the URL as its user wrote it, without its password.

    ``file`` is that of an SQLite database with a write-ahead log, None for any other.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.file: Path | None = None
        self._log: WalSync | None = None
        self._locked_out = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store. Raises ``StoreError``, for an unreadable record too."""
        try:
            with translated(self.name), self._connect() as connection:
                if self.engine.dialect.name == "postgresql":  # SQLite's transactions are like that by themselves
                    connection = connection.execution_options(**_SNAPSHOT)
                with connection.begin():
                    yield connection
        except ValueError as error:  # no JSON, or a record that its model rejects: altered by other hands
            said = " ".join(str(error).split())
            raise StoreError(f"store {self.name} holds a record that cannot be understood: {said}") from error

    @contextmanager
    def write(self, *, quick: bool = False) -> Iterator[Connection]:
        """A transaction that may write; committed at the end of the block, rolled back when it raises.

        ``quick``: durable against power failures only after the next ``sync()``. On SQLite it takes the write lock at
        once: a lock that is taken over later can fail without waiting. Raises ``StoreError``.
        """
        synchronous = "NORMAL" if quick and self._log else "FULL"
        wait_ms = round(1000 * (IMPATIENT_S if self._locked_out else BUSY_TIMEOUT_S))
        try:
            with translated(self.name), self._connect() as connection:
                connection = connection.execution_options(sharpen_write=synchronous, sharpen_wait_ms=wait_ms)
                with connection.begin():
                    self._locked_out = False
                    yield connection
        except StoreLockedError:
            self._locked_out = True
            raise

    def _connect(self) -> Connection:
        """A connection; waited for while a server has none to give, as one waits for SQLite's lock."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                return self.engine.connect()
            except exc.OperationalError as error:
                if not is_crowded(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.05, 0.2))

    def sync(self) -> None:
        """Return when every commit so far would survive a power failure. Raises ``StoreUnavailableError``."""
        if self._log is None:  # then each commit was durable by itself
            return
        try:
            self._log.sync()
        except OSError as error:
            raise StoreUnavailableError(
                f"store {self.name}: its disk did not confirm what was written: {error.strerror or error}"
            ) from error

    def logs_ahead(self, file: Path) -> None:
        """The database is an SQLite file with a write-ahead log."""
        self.file = file
        self._log = WalSync(file)

    def close(self) -> None:
        """Close every connection; the last one folds SQLite's log into the file."""
        if self._log:
            self._log.close()
        self.engine.dispose()


def connect(url: str) -> Database:
    """Open the database of ``url``; a SQLite file and its directory are created when missing.

    Raises ``StoreError`` for a malformed URL, an unknown scheme, a missing driver, an unusable path or file.
    """
    parsed, name = _parse(url)
    database = Database(_create_engine(parsed, name), name)
    if database.engine.dialect.name == "sqlite":
        _prepare_file(parsed, name)
        _configure_sqlite(database.engine)
        try:
            if file := _switch_to_wal(database):
                database.logs_ahead(file)
        except BaseException:  # also Ctrl-C: nobody else has it to close it
            database.close()
            raise
    return database


def _parse(url: str) -> tuple[URL, str]:
    """The URL with its driver, and what users call it. Raises ``StoreError`` for what is no URL, or not supported."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        meant = f"did you mean {f'sqlite:///{url}'!r}?" if url and "://" not in url else f"expected e.g. {EXAMPLES}"
        raise StoreError(f"{hide_password(url)!r} is no store URL; {meant}") from None
    name, driver = hide_password(parsed.render_as_string(hide_password=True)), parsed.drivername
    if driver not in _DRIVERS:
        if (kind := parsed.get_backend_name()) in _DRIVERS:
            raise StoreError(f"store {name}: {driver!r} is no driver that sharpen uses; expected e.g. {EXAMPLES}")
        raise StoreError(f"store {name}: {kind!r} is not supported, only SQLite and PostgreSQL are: {EXAMPLES}")
    return parsed.set(drivername=_DRIVERS[driver]), name


def _prepare_file(url: URL, name: str) -> None:
    if not url.database or url.database == ":memory:" or url.query.get("mode") == "memory":
        raise StoreError(
            f"store {name}: an in-memory database cannot be shared between threads; expected a file: {EXAMPLES}"
        )
    if url.database.startswith("file:"):  # SQLite's own URIs name flags beside the path: SQLite checks them
        return
    path = Path(url.database)
    if path.is_dir():
        raise StoreError(f"store {name}: {str(path)!r} is a directory; expected a file, e.g. {path / 'sharpen.db'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"store {name}: {str(path.parent)!r} is or lies in a file; expected a directory") from None
    except OSError as error:
        raise StoreError(
            f"store {name}: cannot create its directory {str(path.parent)!r}: {error.strerror or error}"
        ) from error


def _create_engine(url: URL, name: str) -> Engine:
    options = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.get_backend_name() == "sqlite" else _POSTGRESQL
    try:
        return create_engine(url, **options)
    except ImportError as error:
        raise StoreError(
            f"store {name}: its driver is not installed ({error}); install it: pip install 'sharpen[postgres]'"
        ) from error
    except (exc.ArgumentError, ValueError, TypeError) as error:  # options after the question mark
        raise StoreError(f"store {name}: {error}") from error


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions late, and none at all for DDL
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        synchronous = options.get("sharpen_write")
        for pragma, value in (("synchronous", synchronous), ("busy_timeout", options.get("sharpen_wait_ms"))):
            if value is not None and connection.info.get(pragma) != value:
                execute_raw(connection, f"PRAGMA {pragma}={value}")
                connection.info[pragma] = value
        execute_raw(connection, "BEGIN IMMEDIATE" if synchronous else "BEGIN")


def _switch_to_wal(database: Database) -> Path | None:
    """Write-ahead log: a property of the file, which is returned where it has one now.

    SQLite does not wait for other openers here, so we do.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            with translated(database.name), database.engine.connect() as connection:
                return _write_ahead(connection)
        except Exception as error:
            locked = "locked" in str(error)
            if not locked or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _write_ahead(connection: Connection) -> Path | None:
    """The database's file; None where a write-ahead log is not to be had (some network file systems).

    Past SQLAlchemy, which would begin a transaction first; what the driver raises is wrapped as it would do.
    """
    try:
        raw = connection.connection.cursor()
        mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        return Path(raw.execute("PRAGMA database_list").fetchone()[2]) if mode == "wal" else None
    except sqlite3.Error as error:  # a full disk, a directory that cannot be written
        raise exc.OperationalError("PRAGMA journal_mode=WAL", None, error) from error

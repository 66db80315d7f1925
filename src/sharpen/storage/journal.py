"""Answers between their arrival and their commit: appended to a file beside the store, one line each.

An append reaches the operating system in microseconds, on the event loop itself: from then on the answer survives
``kill -9``, and the next call need not wait for a commit. Commits follow in batches, the disk confirms them (see
``disk_sync``), and what is committed leaves the journal. So a journal with lines in it is what a process left that was
killed; whoever opens the store next brings them home (``recover``). It is no protection against power failures: those
are what results are counted for only after ``Writer.sync``.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from sharpen.storage.alive import birth_of, is_running, this_host
from sharpen.storage.failures import NO_SPACE, StoreUnavailableError

_SUFFIX, _LEFT = "-journal-", "-left"
SILENT_S = 60.0
ROTATE_BYTES = 4 * 2**20
"""From this size on a new file is begun, so that the old one can go when its lines are committed."""


def line_of(table: str, values: Sequence[Any]) -> bytes:
    """A row of a table as ``extend`` takes it. Raises ``ValueError`` for what JSON cannot hold."""
    return to_json((table, *values)) + b"\n"


class Journal:
    """The journal of one open store, which users call ``store``. Thread-safe.

    Nothing is on disk before the first line. That one says whose the journal is; every other is ``[table, columns…]``,
    once for each table, or ``[table, values…]``.
    """

    def __init__(self, database: Path, store: str = "") -> None:
        self._database = database
        self._store = store or str(database)
        self._name = uuid4().hex[:12]
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._file = 0
        self._size = 0
        self._head = 0  # bytes of the first line: it stays when all others go, for an idle process lives, too
        self._written = 0
        self._old: list[tuple[int, int]] = []  # files that are full, and up to which mark they hold lines
        self._described: set[str] = set()

    def append(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> None:
        """Add a row of a table; it survives ``kill -9`` when this returns. Raises ``StoreUnavailableError``."""
        self.extend([(table, columns, line_of(table, values))])

    def extend(self, rows: Iterable[tuple[str, Sequence[str], bytes]]) -> None:
        """Add rows (table, columns, ``line_of`` it) with one write: all of them are there when it returns, or none."""
        with self._lock:
            if self._handle is None or (self._size <= self._head and self._taken_away(self._handle)):
                self._open()
            head = b"" if self._size else to_json((this_host(), os.getpid(), birth_of(os.getpid()))) + b"\n"
            data, described = [head], set(self._described)
            for table, columns, line in rows:
                if table not in described:
                    data.append(line_of(table, columns))
                    described.add(table)
                data.append(line)
            self._write(b"".join(data))
            self._described = described
            if head:
                self._head = len(head)

    def mark(self) -> int:
        """How much was appended so far, for ``committed``."""
        return self._written

    def committed(self, mark: int) -> None:
        """What was appended before ``mark`` was taken is in the database, and confirmed by the disk."""
        with self._lock:
            while self._old and self._old[0][1] <= mark:
                self._path(self._old.pop(0)[0]).unlink(missing_ok=True)
            if self._handle is None or self._size <= self._head:
                return
            if mark == self._written:
                os.ftruncate(self._handle, self._head)
                self._size = self._head
                self._described.clear()
            elif self._size > ROTATE_BYTES:
                os.close(self._handle)
                self._handle = None
                self._old.append((self._file, self._written))

    def close(self, *, keep: bool = False) -> None:
        """Remove the journal: all is committed. ``keep``: not all is, leave it to whoever opens the store next."""
        with self._lock:
            current = [] if self._handle is None else [self._file]
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
            for path in map(self._path, [*(file for file, _ in self._old), *current]):
                with suppress(OSError):
                    path.rename(f"{path}{_LEFT}") if keep else path.unlink()
            self._old.clear()

    def _path(self, number: int) -> Path:
        return self._database.with_name(f"{self._database.name}{_SUFFIX}{self._name}-{number}")

    def _taken_away(self, handle: int) -> bool:
        """Whether somebody removed the file who could not know that we live: a process of another container."""
        if os.fstat(handle).st_nlink:
            return False
        os.close(handle)
        self._handle = None
        return True

    def _open(self) -> None:
        self._file += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._handle = os.open(self._path(self._file), flags, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        self._size = self._head = 0
        self._described.clear()

    def _write(self, data: bytes) -> None:
        assert self._handle is not None
        done = 0
        try:
            while done < len(data):
                done += os.write(self._handle, data[done:])
        except OSError as error:
            with suppress(OSError):  # half a line would spoil the next one
                os.ftruncate(self._handle, self._size)
            raise self._failed(error) from error
        self._size += len(data)
        self._written += len(data)

    def _failed(self, error: OSError) -> StoreUnavailableError:
        reason = NO_SPACE if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) else "an answer cannot be saved"
        return StoreUnavailableError(f"store {self._store}: {reason} ({error.strerror or error})")


def left_behind(database: Path) -> list[Path]:
    """Journals of processes that are gone, or of which nothing is known and that say nothing for a minute.

    To bring home the lines of one that still lives would do no harm either, they are true.
    """
    every = database.parent.glob(f"{glob.escape(database.name)}{_SUFFIX}*")
    return [path for path in every if path.name.endswith(_LEFT) or not _in_use(path)]


def _in_use(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            host, pid, born_at = json.loads(file.readline())
            age_s = time.time() - os.fstat(file.fileno()).st_mtime
        return bool(is_running(pid, born_at)) if host == this_host() else age_s < SILENT_S
    except FileNotFoundError:
        return True  # brought home by another process a moment ago
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):  # cut off by a power failure, or not ours
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime < SILENT_S
        return True


def read(path: Path) -> Iterator[tuple[str, tuple[str, ...], tuple[Any, ...]]]:
    """The rows of a journal: table, columns, values. What was cut off is left out."""
    columns: dict[str, tuple[str, ...]] = {}
    for line in path.read_bytes().split(b"\n")[1:-1]:
        try:
            table, *values = json.loads(line)
        except (ValueError, TypeError, RecursionError):  # a power failure may leave anything
            continue
        if not isinstance(table, str):
            continue
        if table not in columns:
            columns[table] = tuple(map(str, values))
        elif len(values) == len(columns[table]):
            yield table, columns[table], tuple(values)

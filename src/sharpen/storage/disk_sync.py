"""Power failure: the second half of a commit to SQLite's write-ahead log.

With ``synchronous=NORMAL`` a commit appends to the log and returns. It survives the end of the process, but not that of
the machine until the log has reached the disk, which SQLite then leaves to the next checkpoint. ``WalSync`` does it at
once, for all commits before it: one wait for the disk, whatever their number, and none of it in the commit's way.
A log that is torn by a power failure ends at its last whole commit (its frames carry cumulative checksums), so that
this is exactly the promise of ``synchronous=FULL``, kept a moment later (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

_flush = getattr(os, "fdatasync", os.fsync)  # absent on Windows and macOS


class WalSync:
    """The log of one database file. Thread-safe."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._log = database.with_name(f"{database.name}-wal")
        self._lock = threading.Lock()
        self._handle: int | None = None

    def sync(self) -> None:
        """Return when every commit before this call would survive a power failure. Raises ``OSError``."""
        with self._lock:
            try:
                now = self._log.stat()
            except FileNotFoundError:
                self._database.stat()  # gone as well? Then somebody has removed the store
                return  # the last connection was closed, and has moved all of it into the database
            if self._handle is not None and not os.path.samestat(os.fstat(self._handle), now):
                os.close(self._handle)  # then another one made a new log
                self._handle = None
            if self._handle is None:
                self._handle = os.open(self._log, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
                _sync_directory(self._log.parent)  # the log's own name must survive, too
            _flush(self._handle)

    def close(self) -> None:
        """Let go of the log. Idempotent."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None


def _sync_directory(path: Path) -> None:
    if os.name != "posix":  # elsewhere a directory cannot be opened, and its entries are not ours to flush
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

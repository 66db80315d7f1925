"""A copy of a SQLite store beside it, made before its schema is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sharpen.errors import StoreError

_PAGES = 10_000


def back_up(file: Path, revision: str, store: str) -> Path:
    """Copy the store's last commit to ``NAME.REVISION.bak`` (``…-2.bak`` and so on: nothing is overwritten).

    To be called while the caller holds the write lock, so that the copy is the state that is about to be changed. It
    is on the disk when this returns. Raises ``StoreError`` when it cannot be made: then nothing should be changed.
    """
    unfinished = file.with_name(f"{file.name}.{revision}.bak-{os.getpid()}")
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        return _named(unfinished, file, revision)
    except (OSError, sqlite3.Error) as error:
        said = getattr(error, "strerror", None) or error
        raise StoreError(
            f"store {store} must be upgraded, and no backup can be written beside it ({said}); nothing was changed"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _named(unfinished: Path, file: Path, revision: str) -> Path:
    number = 1
    while True:
        path = file.with_name(f"{file.name}.{revision}{f'-{number}' if number > 1 else ''}.bak")
        try:
            os.link(unfinished, path)  # unlike a rename it never takes another file's place
            return path
        except FileExistsError:
            number += 1
        except OSError:  # a file system without links
            if not path.exists():
                return unfinished.rename(path)
            number += 1

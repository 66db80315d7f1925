"""What a database says when it fails → ``StoreError`` in the user's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from sharpen.errors import StoreError

BUSY_TIMEOUT_S = 10.0
"""How long a connection waits for another process's write before it gives up, in seconds."""

NO_SPACE = "there is no space left for it; free some and resume"
_SQLITE = {
    "FULL": NO_SPACE,
    "BUSY": f"another process kept it locked for more than {BUSY_TIMEOUT_S:g} s; try again when that is done",
    "LOCKED": "another connection keeps it locked; try again when that is done",
    "NOTADB": "it is no SQLite database; name another file, or remove this one",
    "CORRUPT": "it is damaged; restore a backup, or save what is left with: sqlite3 FILE .recover",
    "READONLY": "it cannot be written; check the permissions of the file and its directory",
    "CANTOPEN": "it cannot be opened; check that the file and its directory may be read and written",
    "IOERR": "the disk reported an error while it was read or written",
    "PERM": "access to it was denied",
}


class StoreUnavailableError(StoreError):
    """The store as a whole cannot be used now (full, locked, damaged): trying another row would not help."""


def hide_password(url: str) -> str:
    """``url`` without its password, also when it is too malformed to be parsed."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what a database raises in this block into ``StoreError``. ``name`` is what users call the store."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(error, name) from error
    except (OverflowError, exc.SQLAlchemyError) as error:  # a number beyond 64 bits; a pool that stays empty
        raise StoreError(f"store {name}: {error}") from error


def _translate(error: exc.DBAPIError, name: str) -> StoreError:
    code = getattr(error.orig, "sqlite_errorname", None)  # e.g. SQLITE_IOERR_WRITE: the second word is the class
    said = str(error.orig).strip()
    if isinstance(code, str) and (reason := _SQLITE.get(code.split("_")[1])):
        return StoreUnavailableError(f"store {name}: {reason} ({said})")
    if error.connection_invalidated or (code is None and isinstance(error, exc.OperationalError)):
        return StoreUnavailableError(f"store {name}: the database does not answer: {said}")
    return StoreError(f"store {name}: {said}")

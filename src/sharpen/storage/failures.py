"""What a database says when it fails → ``StoreError`` in the user's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from sharpen.errors import StoreError

BUSY_TIMEOUT_S = 10.0
"""How long a connection waits for another process's write before it gives up, in seconds."""
IMPATIENT_S = 0.5
"""How long it waits from then on, until the lock is gone: what follows a failure must not take as long each time."""

NO_SPACE = "there is no space left for it; free some and resume"
BUSY = f"another process kept it locked for more than {BUSY_TIMEOUT_S:g} s; try again when that is done"
_SQLITE = {
    "FULL": NO_SPACE,
    "BUSY": BUSY,
    "LOCKED": "another connection keeps it locked; try again when that is done",
    "NOTADB": "it is no SQLite database; name another file, or remove this one",
    "CORRUPT": "it is damaged; restore a backup, or save what is left with: sqlite3 FILE .recover",
    "READONLY": "it cannot be written; check the permissions of the file and its directory",
    "CANTOPEN": "it cannot be opened; check that the file and its directory may be read and written",
    "IOERR": "the disk reported an error while it was read or written",
    "PERM": "access to it was denied",
}

_POSTGRESQL = {  # classes of its error codes, or whole ones (appendix A of its manual)
    "53100": NO_SPACE,
    "53300": "the server takes no more connections; raise its max_connections, or let fewer processes write at once",
    "55P03": BUSY,
    "57P": "the server was stopped, or ended the connection; try again when it is up",
    "25006": "the server takes no writes now (a replica, or read-only)",
}
_CONFLICTS = ("40001", "40P01")  # serialization failure, deadlock


class StoreConflictError(StoreError):
    """Another process wrote the same rows at the same moment, and this transaction had to give way: do it again."""


class StoreUnavailableError(StoreError):
    """The store as a whole cannot be used now (full, locked, damaged): trying another row would not help."""


class StoreLockedError(StoreUnavailableError):
    """Another process kept the store locked for as long as one waits."""


def hide_password(url: str) -> str:
    """``url`` without its password, also when it is too malformed to be parsed."""
    return re.sub(r"([?&][a-z]*password=)[^&]*", r"\1***", re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url))


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what a database raises in this block into ``StoreError``. ``name`` is what users call the store."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(error, name) from error
    except (OverflowError, exc.SQLAlchemyError) as error:  # a number beyond 64 bits; a pool that stays empty
        raise StoreError(f"store {name}: {error}") from error


def is_crowded(error: exc.DBAPIError) -> bool:
    """The server has no connection left for us just now."""
    said = str(error.orig)  # that a connection fails has no code
    return "too many clients" in said or "too many connections" in said or "remaining connection slots" in said


def _translate(error: exc.DBAPIError, name: str) -> StoreError:
    said = " ".join(str(error.orig).split())
    code = getattr(error.orig, "sqlite_errorname", None)  # e.g. SQLITE_IOERR_WRITE: the second word is the class
    if isinstance(code, str) and (reason := _SQLITE.get(code.split("_")[1])):
        failed = StoreLockedError if reason is BUSY else StoreUnavailableError
        return failed(f"store {name}: {reason} ({said})")
    state = getattr(error.orig, "sqlstate", None)
    if state in _CONFLICTS:
        return StoreConflictError(f"store {name}: another process wrote the same at the same moment; try again")
    if isinstance(state, str) and (reason := _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:3])):
        return StoreUnavailableError(f"store {name}: {reason} ({said})")
    if error.connection_invalidated or (code is None and isinstance(error, exc.OperationalError)):
        return StoreUnavailableError(f"store {name}: the database does not answer: {said}")
    return StoreError(f"store {name}: {said}")

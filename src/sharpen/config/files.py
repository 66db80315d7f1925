"""Reads the user's text files; whatever is wrong with them becomes a ``Problem`` that names the file."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from sharpen.errors import PlanError, Problem

_BUFFER = 1 << 18  # bytes; a data set is read from front to back


def display(path: Path) -> str:
    """``path`` as a message shows it: relative when it lies under the working directory."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def file_problem(path: Path, what: str, where: str = "", key: str = "") -> Problem | None:
    """Why ``path`` cannot be a readable file; None when it is one. ``what`` it should be ("a prompt file")."""
    resolved = path.absolute()
    try:
        if resolved.is_dir():
            return Problem(f"{str(resolved)!r} is a directory", where, key, what)
        if resolved.exists():
            return None
    except (OSError, ValueError):  # a name too long for the system, or with a NUL byte
        pass
    return Problem(f"there is no file {str(resolved)!r}", where, key, what)


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(f"cannot be read: {error.strerror or type(error).__name__}", display(path))


def read_text(path: Path) -> str:
    """The whole file as text with plain newlines and without a byte order mark.

    Raises ``PlanError`` with the line of the first byte that is not UTF-8 and of the first NUL byte.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(_unreadable(path, error)) from error
    return decode(data, path).replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, path: Path, first_line: int = 1) -> str:
    """UTF-8 text of ``data``, which begins at ``first_line`` of ``path``. Raises ``PlanError``."""
    if first_line == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        message = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise PlanError(Problem(message, f"{display(path)}:{line}", expected="a text file saved as UTF-8")) from None
    nul = text.find("\0")
    if nul >= 0:
        line = first_line + text.count("\n", 0, nul)
        raise PlanError(Problem("holds a NUL byte", f"{display(path)}:{line}", expected="a text file saved as UTF-8"))
    return text


def iter_lines(path: Path) -> Iterator[bytes]:
    """The lines with their ends, streamed. Raises ``PlanError`` when the file cannot be read."""
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            yield from file
    except OSError as error:
        raise PlanError(_unreadable(path, error)) from error

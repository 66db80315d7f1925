"""Standard output, whose reader may leave before everything is said."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


def escape_what_is_unknown() -> None:
    """Write letters that standard output's encoding does not know (a pipe on Windows, a ``C`` locale) as JSON would,
    as ``u`` and four digits. A document stays a document then, and no command fails when its calls are paid.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        codecs.register_error("json-escape", _json_escape)
        sys.stdout.reconfigure(errors="json-escape")


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)), error.end


@contextmanager
def to_reader() -> Iterator[None]:
    """Around (or, as a decorator, on) what prints a result: a reader that leaves early (``head``, ``less``) ends the
    printing and not the command, so that the exit code still tells the verdict.

    Rich answers a broken pipe with ``SystemExit``, which no command raises itself.
    """
    try:
        yield
        if sys.stdout is not None:  # None: it was closed before we began
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@to_reader()
def print_found(found: BaseModel, lines: Iterable[str], as_json: bool) -> None:
    """What a command found: one JSON document, or these lines."""
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    for line in lines:
        print(line)


def to_stderr(text: str) -> None:
    """What users must know and no program reads."""
    print(text, file=sys.stderr, flush=True)

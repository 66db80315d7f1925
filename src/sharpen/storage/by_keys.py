"""Rows by many keys at once: the counterpart of ``bulk`` for reading and deleting, past the expression language."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect

_CHUNK = 512
"""Keys of the longest statement."""


class ByKeys:
    """``SELECT … WHERE key IN`` or ``DELETE … WHERE key IN``: ``head`` is the statement up to its list of keys.

    It may hold placeholders, written ``?``, for parameters ``before`` the keys.
    """

    def __init__(self, head: str, dialect: Dialect) -> None:
        self._mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self._head = head.replace("?", self._mark)
        self._sql = lru_cache(maxsize=None)(self._statement)

    def rows(self, connection: Connection, keys: Collection[str], *before: Any) -> Iterator[Any]:
        """What is found under ``keys``, as the driver gives it."""
        for some in self._chunks(keys):
            yield from connection.exec_driver_sql(self._sql(len(some)), before + some)

    def execute(self, connection: Connection, keys: Collection[str], *before: Any) -> None:
        """Do it to the rows of ``keys``."""
        for some in self._chunks(keys):
            connection.exec_driver_sql(self._sql(len(some)), before + some)

    def _chunks(self, keys: Collection[str]) -> Iterator[tuple[str, ...]]:
        """Each as long as a power of two, the last key repeated where they are fewer: few different statements."""
        every = tuple(keys)
        for first in range(0, len(every), _CHUNK):
            some = every[first : first + _CHUNK]
            yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))

    def _statement(self, count: int) -> str:
        return f"{self._head} IN ({', '.join([self._mark] * count)})"

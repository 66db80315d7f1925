"""Tasks in case order, read a chunk ahead of those who work them off: never a whole data set at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

from sharpen.config.models import Case

Task = tuple[int, Case, int]
"""The task's place in the run, its case, and which repeat of it."""

Admit = Callable[[int, Sequence[Case]], Awaitable[Sequence[Task]]]
"""Told of a chunk of cases and the first one's position; returns the tasks of it that are still to be run."""

CHUNK = 128
"""Cases read at a time: about a millisecond in which nothing else happens."""


class TaskFeed:
    """Hands out tasks to any number of workers. ``fill`` must run beside them.

    Reading goes on while fewer than ``ahead`` tasks are ready. ``close`` ends the feed early. What reading or admitting
    raises ends it too, and is kept in ``error``: calls under way must come to their end before anybody hears of it.
    """

    def __init__(self, cases: Iterable[Case], admit: Admit, ahead: int) -> None:
        self._cases = cases
        self._admit = admit
        self._ahead = max(CHUNK, ahead)
        self._ready: deque[Task] = deque()
        self._more = asyncio.Event()
        self._wanted = asyncio.Event()
        self._ended = False
        self.error: Exception | None = None

    async def fill(self) -> None:
        """Read cases until there are no more."""
        cases, position = iter(self._cases), 0
        try:
            while not self._ended and (chunk := list(islice(cases, CHUNK))):
                self._ready.extend(await self._admit(position, chunk))
                position += len(chunk)
                self._more.set()
                while len(self._ready) >= self._ahead and not self._ended:
                    self._wanted.clear()
                    await self._wanted.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, who runs the tasks raises it in the end
            self.error = error
        finally:
            self._ended = True
            self._more.set()

    async def next(self) -> Task | None:
        """The next task; None when there are no more."""
        while not self._ready:
            if self._ended:
                return None
            self._wanted.set()
            self._more.clear()
            await self._more.wait()
        if len(self._ready) == self._ahead:
            self._wanted.set()
        return self._ready.popleft()

    def close(self) -> None:
        """No further task."""
        self._ready.clear()
        self._ended = True
        self._wanted.set()
        self._more.set()

"""Deadlines of many calls of equal patience: what ``asyncio.timeout`` does, with one timer for all of them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

Task = asyncio.Task[Any]

ASLEEP_S = 0.1
"""A timer that comes so much too late tells that the process did not run: it was suspended, or something blocked it."""
READING_S = 0.25
"""So long it may take then to read what has arrived meanwhile."""


class Deadlines:
    """``enter`` before a call, ``leave`` after it. A task that stays longer than ``timeout_s`` is cancelled.

    All wait equally long, so those who came first are due first: one timer, set for the first of them, does for all.
    Setting and cancelling a timer for every call costs ten times as much.

    After a sleep the timer comes before the answers that were there in time and could not be read: whoever was
    cancelled then would pay for his answer twice. So they are read first.
    """

    __slots__ = ("_due", "_expired", "_timer", "timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._due: dict[Task, float] = {}
        self._expired: set[Task] = set()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> Task:
        """The current task's deadline starts now."""
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._due[task] = due = loop.time() + self.timeout_s
        if self._timer is None:
            self._timer = loop.call_at(due, self._expire, loop, due)
        return task

    def leave(self, task: Task) -> bool:
        """The call of ``task`` is over. Whether its deadline had passed: then the task is no longer being cancelled."""
        if self._due.pop(task, None) is not None or task not in self._expired:
            return False
        self._expired.remove(task)
        task.uncancel()
        return True

    def _expire(self, loop: asyncio.AbstractEventLoop, planned: float) -> None:
        """Cancel those that are due. ``planned``: when this was to happen; infinity: now, however late it is."""
        self._timer = None
        now = loop.time()
        if now - planned > ASLEEP_S:
            self._timer = loop.call_at(now + READING_S, self._expire, loop, math.inf)
            return
        while self._due:
            task, due = next(iter(self._due.items()))
            if due > now:
                self._timer = loop.call_at(due, self._expire, loop, due)
                return
            del self._due[task]
            self._expired.add(task)
            task.cancel()

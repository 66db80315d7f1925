"""The one place where a run learns that it must make no further call."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from sharpen.errors import ErrorKind
from sharpen.executor.models import RunStatus


class StopSignal:
    """Set once; the first reason wins. Calls in flight go on, waits end early, nothing new is called."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.waiting: set[asyncio.Future[Any]] = set()
        """What ends with None when the signal comes: calls that wait for their turn."""
        self.status: RunStatus | None = None
        self.reason = ""

    @property
    def requested(self) -> bool:
        return self.status is not None

    @property
    def by_budget(self) -> bool:
        return self.status is RunStatus.BUDGET_EXHAUSTED

    @property
    def kind(self) -> ErrorKind:
        """The error kind of a task that is not called because of this."""
        return ErrorKind.BUDGET if self.by_budget else ErrorKind.CANCELLED

    def stop(self, status: RunStatus, reason: str) -> None:
        """Ask for the end. A later request is ignored, except that any other reason outranks a spent budget.

        A spent budget still lets remembered answers through; a cancelled or aborted run ends at once.
        """
        if self.status is None or (self.by_budget and status is not RunStatus.BUDGET_EXHAUSTED):
            self.status, self.reason = status, reason
            self._event.set()
            for future in self.waiting:
                if not future.done():
                    future.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds, or until the signal comes."""
        if seconds > 0 and not self.requested:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()

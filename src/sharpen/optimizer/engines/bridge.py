"""Lets a blocking search in a thread of its own ask the event loop that waits for it.

::

    async def search(self, context):
        async with Bridge() as bridge:
            evaluate = lambda batch: bridge.call(trials.outcomes(batch))
            await bridge.run_package("mine", lambda: optimize(evaluate))

What sharpen raises on purpose ends the search at once, through whatever ``except Exception`` the other side has.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from sharpen.errors import RunAborted, SharpenError
from sharpen.targets.threads import DaemonThreads

T = TypeVar("T")
GRACE_S = 2.0
"""How long a cancelled search may take to notice it: it does with its next call."""


class SearchOver(BaseException):
    """Ends a search from within; ``reason`` is what is raised then (None: nothing, it has simply had its share)."""

    def __init__(self, reason: SharpenError | None = None) -> None:
        self.reason = reason
        super().__init__(str(reason or "the search has had its share"))


class Bridge:
    """One search's way back to the event loop. Open it on the loop, ``call`` from the thread."""

    def __init__(self) -> None:
        self._threads = DaemonThreads("sharpen-search")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open = True

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """End what is under way; a thread that goes on all the same is refused with its next call."""
        self._close()
        self._threads.close()

    def _close(self) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()

    async def run(self, function: Callable[[], T]) -> T | None:
        """The result of ``function``, called in a thread; None when the search had had its share before."""
        search = asyncio.ensure_future(self._threads.run(function))
        try:
            result: T = await asyncio.shield(search)
        except SearchOver as over:
            if over.reason is not None:
                raise over.reason from None
            return None
        except asyncio.CancelledError:
            self._close()
            await asyncio.wait([search], timeout=GRACE_S)
            if search.done():
                search.exception()  # known: it was refused
            raise
        return result

    async def run_package(self, engine: str, function: Callable[[], object]) -> None:
        """``run`` a package's search: what goes wrong in there becomes ``RunAborted``, which names ``engine``."""
        try:
            await self.run(function)
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RunAborted(f"engine {engine!r} failed: {type(error).__name__}: {error}") from error

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """From the thread: the result of a coroutine, which runs on the event loop. Raises ``SearchOver``."""
        guarded = self._guarded(coroutine)
        try:
            answer = asyncio.run_coroutine_threadsafe(guarded, self._loop)
        except RuntimeError:  # the loop is closed: nobody waits for this search any more
            guarded.close()
            coroutine.close()
            raise SearchOver from None
        try:
            return answer.result()
        except SharpenError as reason:
            raise SearchOver(reason) from reason
        except (asyncio.CancelledError, concurrent.futures.CancelledError):
            raise SearchOver from None

    async def _guarded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if not self._open:
            coroutine.close()
            raise asyncio.CancelledError
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        try:
            return await task
        finally:
            self._tasks.discard(task)

"""A fixed number of workers that pull from one source: never a coroutine for every task at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def work_off(
    pull: Callable[[], Awaitable[T | None]],
    workers: int,
    handle: Callable[[T], Awaitable[None]],
    beside: Coroutine[Any, Any, None],
) -> None:
    """Handle every item that ``pull`` gives until it gives None, at most ``workers`` of them at the same time.

    ``beside`` runs along with the workers. When anything raises, all else is cancelled and the first exception is
    raised, bare.
    """

    async def worker() -> None:
        while (item := await pull()) is not None:
            await handle(item)
            await asyncio.sleep(0)  # a handler that never waits must not keep signals and other workers from their turn

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(beside)
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None

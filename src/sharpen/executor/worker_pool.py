"""A fixed number of workers that pull from one iterator: never a coroutine for every task at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def work_off(items: Iterable[T], workers: int, handle: Callable[[T], Awaitable[None]]) -> None:
    """Handle every item, at most ``workers`` of them at the same time, started in order.

    When ``handle`` raises, the other workers are cancelled and the first exception is raised, bare.
    """
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await handle(item)
            await asyncio.sleep(0)  # a handler that never waits must not keep signals and other workers from their turn

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None

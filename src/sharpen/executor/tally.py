"""Results between saved and counted: what is counted would survive a power failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sharpen.executor.models import TaskResult
from sharpen.executor.ports import RunSink

Placed = tuple[int, TaskResult]
"""A result and its task's place in the run."""

SYNC_EVERY_S = 0.01
"""The disk is asked no more often than that: what is not counted yet survives ``kill -9`` all the same."""

MAX_WAITING = 10_000
"""So many saved results may wait for the disk before workers wait, too."""


class Tally:
    """Counts results in batches, each after one ``sink.sync()``: many of them share one wait for the disk.

    Without a sink they are counted at once. ``broken`` is told when the disk does not confirm; the results of that
    batch are not counted, but saved all the same.
    """

    def __init__(
        self,
        sink: RunSink | None,
        count: Callable[[Sequence[Placed]], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self._sink = sink
        self._count = count
        self._broken = broken
        self._waiting: list[Placed] = []
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False
        self._counting: asyncio.Task[None] | None = None

    def add(self, index: int, result: TaskResult) -> None:
        """One more saved result. Raises what ``count`` has raised: nothing is counted any more."""
        if self._sink is None:
            self._count([(index, result)])
            return
        self._waiting.append((index, result))
        if self._counting is None:
            self._counting = asyncio.create_task(self._count_batches(self._sink))
            self._counting.add_done_callback(lambda _: self._room.set())
        elif self._counting.done():
            self._counting.result()
        self._some.set()

    async def wait_for_room(self) -> None:
        """Return when fewer than ``MAX_WAITING`` results wait for the disk, or nobody counts them any more."""
        while len(self._waiting) >= MAX_WAITING and self._counting and not self._counting.done():
            self._room.clear()
            await self._room.wait()

    async def close(self) -> None:
        """Return when all is counted."""
        self._closing = True
        self._some.set()
        self._hurry.set()
        if self._counting:
            await self._counting

    async def _count_batches(self, sink: RunSink) -> None:
        while self._waiting or not self._closing:
            await self._some.wait()
            self._some.clear()
            batch, self._waiting = self._waiting, []
            if not batch:
                continue
            self._room.set()
            try:
                await sink.sync()
            except Exception as error:  # noqa: BLE001 - a disk that fails is reported like a store that is full
                self._broken(error)
            else:
                self._count(batch)
            with suppress(TimeoutError):
                async with asyncio.timeout(SYNC_EVERY_S):
                    await self._hurry.wait()

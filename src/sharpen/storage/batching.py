"""A thread that answers coroutines in batches: while it works on one batch, the next one gathers.

That is group commit when the work is writing (many results share one transaction and one wait for the disk) and one
query for many keys when the work is reading. A lone item is not delayed: the thread takes what is there.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Generic, TypeVar

from sharpen.errors import StoreError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LINGER_S = 0.002
MAX_BATCH = 1000
"""Items in one batch: bounds how long a transaction holds the write lock."""


class _Signal(Enum):
    NUDGE = 1
    CLOSE = 2


class Batcher(Generic[Item, Answer]):
    """Hands items from any event loop to ``handle``, which runs in one thread of its own.

    ``handle`` gets one batch, in the order of submission, and returns one answer for each item: a value, or an
    exception that only this item's waiter gets. When it raises, every waiter of the batch gets that exception.
    """

    def __init__(self, name: str, handle: Callable[[Sequence[Item]], Sequence[Answer | BaseException]]) -> None:
        self._name = name
        self._handle = handle
        self._queue: queue.SimpleQueue[tuple[Item, asyncio.Future[Answer]] | _Signal] = queue.SimpleQueue()
        self._nudged = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def submit(self, item: Item) -> Answer:
        """The answer to ``item``. Cancelling the waiter does not take the item back."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._put((item, future))
        return await future

    def nudge(self) -> None:
        """Have ``handle`` called soon, be it with no item: for who keeps items of another sort."""
        if not self._nudged:
            self._nudged = True
            self._put(_Signal.NUDGE)

    def _put(self, entry: tuple[Item, asyncio.Future[Answer]] | _Signal) -> None:
        with self._lock:
            if self._closed:
                raise StoreError(f"the store is closed: nothing more can go through its {self._name}")
            if self._thread is None:  # started on first use: commands that only list things need no threads
                self._thread = threading.Thread(target=self._work, name=f"sharpen-{self._name}", daemon=True)
                self._thread.start()
            self._queue.put(entry)

    def close(self) -> None:
        """Answer what was submitted, then end the thread. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(_Signal.CLOSE)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        closing = False
        while not closing:
            taken = [self._queue.get()]
            if taken[0] is _Signal.NUDGE:  # nobody waits: let some more come together
                time.sleep(LINGER_S)
            while len(taken) < MAX_BATCH and not self._queue.empty():
                taken.append(self._queue.get())
            closing = _Signal.CLOSE in taken
            batch = [entry for entry in taken if not isinstance(entry, _Signal)]
            self._nudged = False
            if batch or _Signal.NUDGE in taken:
                self._answer(batch)

    def _answer(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | BaseException]
        try:
            answers = self._handle([item for item, _ in batch])
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            answers = [error] * len(batch)
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Answer | BaseException]]]
        by_loop = defaultdict(list)
        for (_, future), answer in zip(batch, answers, strict=True):
            by_loop[future.get_loop()].append((future, answer))
        for loop, settled in by_loop.items():
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits there any more
                loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: Sequence[tuple[asyncio.Future[Answer], Answer | BaseException]]) -> None:
    for future, answer in settled:
        if future.done():  # its waiter was cancelled
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)

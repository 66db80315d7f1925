"""Threads for blocking functions of the user. Unlike those of ``concurrent.futures`` they never keep Python alive.

A function that hangs past its deadline cannot be stopped; its thread is left behind as a daemon, so that neither the
next call nor the end of the program waits for it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = Callable[[], None]


class _Pool:
    """Threads that wait at one queue, from one opening to the closing after it."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.idle = 0
        self.threads = 0


class DaemonThreads:
    """As many threads as there are calls at the same time; idle ones are used again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pool = _Pool()

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` in a thread, within this task's context variables."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():  # its deadline passed meanwhile
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def job() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = context.run(function, *args, **kwargs)
            except StopIteration as stop:  # a future refuses it
                error = RuntimeError(f"StopIteration raised: {stop}")
            except BaseException as raised:  # noqa: BLE001 - SystemExit and all: it belongs to the caller
                error = raised
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                return  # the loop has closed: nobody waits for this answer

        self._submit(job)
        return await future

    def _submit(self, job: Job) -> None:
        with self._lock:
            pool = self._pool
            if pool.idle:
                pool.idle -= 1
            else:
                pool.threads += 1
                name = f"{self._name}-{pool.threads}"
                threading.Thread(target=self._work, args=(pool,), name=name, daemon=True).start()
            pool.jobs.put(job)

    def _work(self, pool: _Pool) -> None:
        while (job := pool.jobs.get()) is not None:
            job()
            del job  # or its result would live as long as this thread idles
            with self._lock:
                pool.idle += 1

    def close(self) -> None:
        """Let idle threads end, and busy ones after their job. What is run later gets threads of its own.

        A thread that is about to call itself idle belongs to the past then: it must not be counted on again.
        """
        with self._lock:
            left, self._pool = self._pool, _Pool()
        for _ in range(left.threads):
            left.jobs.put(None)

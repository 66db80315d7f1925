"""Threads for blocking functions: used again, and opened again after they were closed."""

import asyncio
import threading

from sharpen.targets.threads import DaemonThreads


def test_closed_and_used_again_no_job_waits_for_a_thread_that_is_leaving():
    """A thread says that it is idle only after its answer has arrived, which may be after the closing."""
    threads = DaemonThreads("test")

    async def once(number):
        try:
            return await asyncio.wait_for(threads.run(lambda: number), 5)
        finally:
            threads.close()

    assert [asyncio.run(once(number)) for number in range(300)] == list(range(300))


async def test_a_thread_that_reports_late_is_not_counted_on(monkeypatch):
    threads = DaemonThreads("test")
    late, closed = threading.Event(), threading.Event()
    lock = threads._lock

    class Slow:
        """The worker's way to call itself idle takes until the pool was closed."""

        def __enter__(self):
            if threading.current_thread() is not threading.main_thread():
                late.set()
                closed.wait(5)
            return lock.__enter__()

        def __exit__(self, *error):
            return lock.__exit__(*error)

    threads._lock = Slow()
    assert await threads.run(lambda: 1) == 1
    await asyncio.to_thread(late.wait, 5)
    threads._lock = lock
    threads.close()
    closed.set()
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(threads.run(lambda: 2), 5) == 2
    threads.close()


async def test_idle_threads_are_used_again_and_busy_ones_are_not_waited_for():
    threads = DaemonThreads("test")
    first = await threads.run(threading.get_ident)
    await asyncio.sleep(0.05)
    assert await threads.run(threading.get_ident) == first
    gate = threading.Event()
    blocked = asyncio.ensure_future(threads.run(gate.wait, 5))
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(threads.run(lambda: "done"), 5) == "done"
    gate.set()
    assert await blocked
    threads.close()

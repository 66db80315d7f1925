import asyncio
import socket
import time

import pytest
from executor_kit import now, run_virtual

from sharpen.executor.deadlines import Deadlines
from sharpen.executor.loop import run


async def _stay(deadlines: Deadlines, seconds: float) -> tuple[bool, float]:
    """Whether the deadline passed, and when."""
    task = deadlines.enter()
    late = False
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        late = deadlines.leave(task)
        if task.cancelling():
            raise
    else:
        assert not deadlines.leave(task)
    return late, now()


def test_each_call_has_its_own_deadline_by_one_timer() -> None:
    async def main() -> list[tuple[bool, float]]:
        deadlines = Deadlines(10.0)

        async def later(start: float, seconds: float) -> tuple[bool, float]:
            await asyncio.sleep(start)
            return await _stay(deadlines, seconds)

        return await asyncio.gather(later(0, 9), later(1, 99), later(2, 99), later(3, 9.5), later(30, 99))

    assert run_virtual(main()) == [(False, 9), (True, 11), (True, 12), (False, 12.5), (True, 40)]


def test_a_task_may_go_on_after_its_deadline() -> None:
    async def main() -> float:
        deadlines = Deadlines(1.0)
        assert (await _stay(deadlines, 5))[0]
        await asyncio.sleep(1)
        assert not (await _stay(deadlines, 0.5))[0]
        return now()

    assert run_virtual(main()) == 2.5


def test_a_cancellation_from_outside_is_no_deadline() -> None:
    async def main() -> None:
        deadlines = Deadlines(10.0)
        task = asyncio.create_task(_stay(deadlines, 99))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())


def test_a_cancellation_in_the_instant_of_the_deadline_wins() -> None:
    async def main() -> None:
        deadlines = Deadlines(1.0)
        task = asyncio.create_task(_stay(deadlines, 99))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())


def test_what_arrived_while_the_process_slept_is_read_before_its_deadline_counts() -> None:
    async def main() -> tuple[bytes, bool, float]:
        deadlines = Deadlines(0.2)
        here, there = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=here)
        silent = asyncio.create_task(_silent(deadlines))

        async def call() -> bytes:
            task = deadlines.enter()
            try:
                return await reader.readexactly(2)
            except asyncio.CancelledError:
                return b""
            finally:
                deadlines.leave(task)

        asking = asyncio.create_task(call())
        await asyncio.sleep(0.01)
        there.send(b"ok")
        time.sleep(0.5)  # noqa: ASYNC251 - as SIGSTOP, a closed lid or a slow disk would: the loop does not run
        answer = await asking
        late, took = await silent
        writer.close()
        there.close()
        return answer, late, took

    answer, late, took = run(main())
    assert answer == b"ok"
    assert late
    assert took < 2


async def _silent(deadlines: Deadlines) -> tuple[bool, float]:
    """A call that nobody answers: whether its deadline passed, and after which time."""
    began = time.monotonic()
    task = deadlines.enter()
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return deadlines.leave(task), time.monotonic() - began
    return deadlines.leave(task), time.monotonic() - began

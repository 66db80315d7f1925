"""Tasks are read ahead, not all at once; an end in the middle loses no call."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence

import pytest
from executor_kit import Journal, cases, plan, scripted

from sharpen.config.models import Case
from sharpen.errors import StoreError, UserError
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.task_feed import CHUNK, Task, TaskFeed


class Read(Collection[Case]):
    """Cases that know how far they were read, and may end with an error."""

    def __init__(self, number: int) -> None:
        self.every = cases(number)
        self.error: Exception | None = None
        self.read = 0

    def __len__(self) -> int:
        return len(self.every)

    def __contains__(self, case: object) -> bool:
        return case in self.every

    def __iter__(self) -> Iterator[Case]:
        for case in self.every:
            self.read += 1
            yield case
        if self.error:
            raise self.error


async def admit(first: int, some: Sequence[Case]) -> list[Task]:
    await asyncio.sleep(0)
    return [(first + index, case, 0) for index, case in enumerate(some)]


async def test_cases_are_read_as_tasks_are_taken() -> None:
    source = Read(20 * CHUNK)
    feed = TaskFeed(source, admit, ahead=10)
    filling = asyncio.create_task(feed.fill())
    taken = []
    while (task := await feed.next()) is not None:
        taken.append(task)
        assert source.read <= len(taken) + 3 * CHUNK
    await filling
    assert taken == [(index, case, 0) for index, case in enumerate(source.every)]
    assert await feed.next() is None


async def test_a_closed_feed_reads_no_further() -> None:
    source = Read(20 * CHUNK)
    feed = TaskFeed(source, admit, ahead=10)
    filling = asyncio.create_task(feed.fill())
    assert await feed.next() is not None
    feed.close()
    assert await feed.next() is None
    await filling
    assert source.read < 5 * CHUNK


async def test_admitting_nothing_is_no_end() -> None:
    async def only_the_last(first: int, some: Sequence[Case]) -> list[Task]:
        return [task for task in await admit(first, some) if task[1].id == f"c{5 * CHUNK - 1}"]

    feed = TaskFeed(Read(5 * CHUNK), only_the_last, ahead=1)
    filling = asyncio.create_task(feed.fill())
    assert (await feed.next() or (None,))[0] == 5 * CHUNK - 1
    assert await feed.next() is None
    await filling


@pytest.mark.parametrize("where", ["data set", "store"])
def test_calls_under_way_come_to_their_end_before_an_error_is_raised(where: str) -> None:
    source = Read(2 * CHUNK)

    class Torn(Journal):
        async def add_cases(self, run_id: str, position: int, cases: Sequence[Case]) -> None:
            if where == "data set":
                source.error = UserError("cut off")
            elif position:
                raise StoreError("cut off")

    async def main() -> None:
        async with ExecutorService(sink=sink).session(plan(1, scripted(latency_ms=50), concurrency=CHUNK)) as session:
            with pytest.raises(UserError, match=r"^cut off$"):
                await session.run(source)

    sink = Torn()
    asyncio.run(main())
    assert len(sink.results) == (2 * CHUNK if where == "data set" else CHUNK)  # paid for, and saved
    assert sink.count("finish") == 0  # it can be resumed

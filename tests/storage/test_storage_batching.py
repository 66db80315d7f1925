"""Group work in one thread: nothing lost, nothing reordered, failures only where they belong."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sharpen.errors import StoreError
from sharpen.storage.batching import MAX_BATCH, Batcher
from sharpen.storage.engine import connect
from sharpen.storage.failures import StoreUnavailableError
from sharpen.storage.migrate import ensure_current
from sharpen.storage.writer import Writer


async def test_items_that_wait_are_answered_together_and_in_order() -> None:
    batches: list[list[int]] = []
    gate = threading.Event()

    def handle(items: Sequence[int]) -> list[int]:
        gate.wait(5)
        batches.append(list(items))
        return [item * 2 for item in items]

    batcher: Batcher[int, int] = Batcher("test", handle)
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(batcher.submit(i)) for i in range(1, MAX_BATCH + 6)]
    await asyncio.sleep(0.05)
    gate.set()
    assert await asyncio.gather(first, *rest) == [i * 2 for i in range(MAX_BATCH + 6)]
    assert [len(batch) for batch in batches] == [1, MAX_BATCH, 5]
    batcher.close()


async def test_an_exception_reaches_its_waiter_or_everyone() -> None:
    def handle(items: Sequence[str]) -> list[str | BaseException]:
        if "all" in items:
            raise StoreError("all of it")
        return [StoreError(item) if item == "one" else item for item in items]

    batcher: Batcher[str, str] = Batcher("test", handle)
    with pytest.raises(StoreError, match="all of it"):
        await batcher.submit("all")
    answers = await asyncio.gather(batcher.submit("one"), batcher.submit("two"), return_exceptions=True)
    assert isinstance(answers[0], StoreError)
    assert answers[1] == "two"
    batcher.close()


async def test_a_cancelled_waiter_disturbs_nobody() -> None:
    done: list[int] = []
    gate = threading.Event()

    def handle(items: Sequence[int]) -> Sequence[int]:
        gate.wait(5)
        done.extend(items)
        return items

    batcher: Batcher[int, int] = Batcher("test", handle)
    impatient = asyncio.create_task(batcher.submit(1))
    patient = asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0.05)
    impatient.cancel()
    gate.set()
    assert await patient == 2
    assert sorted(done) == [1, 2]
    batcher.close()


def test_closing_answers_what_was_submitted_and_refuses_the_rest() -> None:
    done: list[int] = []
    gate = threading.Event()

    def handle(items: Sequence[int]) -> Sequence[int]:
        gate.wait(5)
        done.extend(items)
        return items

    batcher: Batcher[int, int] = Batcher("test", handle)

    async def leave() -> None:  # the loop ends while the work is under way
        for item in range(3):
            asyncio.create_task(batcher.submit(item))  # noqa: RUF006 - abandoned on purpose
        await asyncio.sleep(0.05)

    asyncio.run(leave())
    gate.set()
    batcher.close()
    batcher.close()
    assert done == [0, 1, 2]
    with pytest.raises(StoreError, match="nothing more can go through its test"):
        asyncio.run(batcher.submit(3))


def test_a_batcher_that_was_never_used_has_no_thread() -> None:
    before = threading.active_count()
    Batcher("test", lambda items: items).close()
    assert threading.active_count() == before


async def test_one_bad_write_does_not_take_its_neighbours_along(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path}/store.db")
    ensure_current(database)
    writer = Writer(database)

    def good(connection: Connection, number: int) -> int:
        connection.exec_driver_sql("INSERT INTO prompts VALUES (?, '[]')", (str(number),))
        return number

    def bad(_connection: Connection) -> int:
        raise ValueError("a bug")

    works = [bad if i == 2 else (lambda connection, i=i: good(connection, i)) for i in range(5)]
    answers = await asyncio.gather(*(writer.write(work) for work in works), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, ValueError)] == [0, 1, 3, 4]
    writer.close()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM prompts").scalar() == 4
    database.close()


async def test_a_store_that_is_unavailable_is_not_tried_for_each_row(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path}/store.db")
    writer = Writer(database)
    tried = []

    def full(_connection: Connection) -> None:
        tried.append(1)
        raise StoreUnavailableError("full")

    answers = await asyncio.gather(*(writer.write(full) for _ in range(30)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailableError) for answer in answers)
    assert len(tried) < 30
    writer.close()
    database.close()

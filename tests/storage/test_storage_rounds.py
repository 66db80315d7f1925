"""Rounds: what one round of an event loop brings is handed over at once, before those who brought it go on."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from sharpen.storage.failures import StoreUnavailableError
from sharpen.storage.journal import line_of, read
from sharpen.storage.rounds import Rounds
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, start_of


async def test_a_round_is_handed_over_at_once_and_in_order() -> None:
    handed: list[list[int]] = []
    rounds: Rounds[int] = Rounds(lambda items: handed.append(list(items)))

    async def bring(number: int) -> None:
        await rounds.submit(number)
        assert any(number in items for items in handed)  # before it goes on
        await rounds.submit(-number)
        assert any(-number in items for items in handed)

    await asyncio.gather(*map(bring, range(1, 65)))
    assert handed == [list(range(1, 65)), [-number for number in range(1, 65)]]


@pytest.mark.parametrize("error", [ValueError("a bug"), StoreUnavailableError("full")])
async def test_all_of_a_round_hear_what_went_wrong_and_the_next_round_does_not(error: Exception) -> None:
    broken, handed = [error], []

    def handle(items: Any) -> None:
        if broken:
            raise broken.pop()
        handed.extend(items)

    rounds: Rounds[int] = Rounds(handle)
    answers = await asyncio.gather(*map(rounds.submit, range(3)), return_exceptions=True)
    assert answers == [error] * 3
    await rounds.submit(3)
    assert handed == [3]


async def test_what_was_brought_is_handed_over_even_if_nobody_waits_for_it() -> None:
    handed: list[int] = []
    rounds: Rounds[int] = Rounds(handed.extend)
    tasks = [asyncio.create_task(rounds.submit(number)) for number in range(2)]
    asyncio.get_running_loop().call_soon(tasks[0].cancel)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1] is None
    assert handed == [0, 1]


def test_every_event_loop_has_rounds_of_its_own() -> None:
    handed: list[tuple[int, list[int]]] = []
    rounds: Rounds[int] = Rounds(lambda items: handed.append((threading.get_ident(), list(items))))

    async def bring(first: int) -> None:
        for turn in range(20):
            await asyncio.gather(*(rounds.submit(first + turn * 5 + number) for number in range(5)))

    threads = [threading.Thread(target=asyncio.run, args=(bring(first),)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for first in (0, 1000):
        own = [items for _, items in handed if items[0] // 1000 == first // 1000]
        assert own == [[first + turn * 5 + number for number in range(5)] for turn in range(20)]
    assert len({thread for thread, _ in handed}) == 2


def journaled(directory: Path) -> list[Any]:
    (path,) = directory.glob("*-journal-*")
    return [values[1] for *_, values in read(path)]


RUN = make_run("r1", [make_result(f"c{number}", output="x") for number in range(50)])


async def test_results_of_one_moment_are_in_the_journal_by_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, write = [], os.write

    def counted(handle: int, data: bytes) -> int:
        if b'"results"' in data:
            writes.append(data)
        return write(handle, data)

    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        sink = store.sink()
        await sink.start_run(start_of(RUN))
        monkeypatch.setattr(os, "write", counted)
        await asyncio.gather(*(sink.save_result("r1", result) for result in RUN.task_results))
        assert len(writes) == 1
        assert journaled(tmp_path) == [result.case_id for result in RUN.task_results]
        await sink.sync()
        await sink.finish_run(RUN)
        assert store.runs.load_result("r1") == RUN


async def test_a_disk_that_is_full_costs_everybody_of_that_moment_and_nobody_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        sink = store.sink()
        await sink.start_run(start_of(RUN))
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", full)
            saving = (sink.save_result("r1", result) for result in RUN.task_results[:3])
            answers = await asyncio.gather(*saving, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailableError) for answer in answers)
        await sink.save_result("r1", RUN.task_results[3])
        await sink.sync()
        assert [result.case_id for result in store.results.list("r1")] == ["c3"]


def test_a_line_keeps_what_a_row_may_hold() -> None:
    values = (10**30, float("inf"), -0.0, 5e-324, 0.1 + 0.2, True, None, 'ä\n\u2028\x00"', "")
    line = line_of("results", values)
    assert line.count(b"\n") == 1
    assert json.loads(line) == ["results", *values]

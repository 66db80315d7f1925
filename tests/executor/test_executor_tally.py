"""Counting: once the disk has confirmed, in batches; when it cannot go on, the run does not go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from executor_kit import Journal, plan, scripted

from sharpen.executor import tally as tallies
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.models import RunStatistics, TaskResult, TaskStatus
from sharpen.executor.tally import Placed, Tally


class Broken(Journal):
    """A watcher with a bug."""

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:
        raise ZeroDivisionError("a bug")


async def test_a_watcher_with_a_bug_ends_the_run_and_not_only_its_counting() -> None:
    journal = Broken()
    service = ExecutorService(sink=journal, observer=journal)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(20):
            await service.execute_test_plan_async(plan(2000, scripted(latency_ms=2), concurrency=4))
    assert 1 <= journal.count("saved") < 200


async def test_nobody_waits_for_room_that_will_never_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_WAITING", 3)

    def count(_: Sequence[Placed]) -> None:
        raise ZeroDivisionError

    result = TaskResult(task_id="a", case_id="a", status=TaskStatus.SUCCEEDED)
    tally = Tally(Journal(), count, lambda _: None)
    for number in range(3):
        tally.add(number, result)
    waiting = [asyncio.create_task(tally.wait_for_room()) for _ in range(2)]
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
        await asyncio.sleep(0.05)
        with pytest.raises(ZeroDivisionError):
            tally.add(3, result)
        with pytest.raises(ZeroDivisionError):
            await tally.close()

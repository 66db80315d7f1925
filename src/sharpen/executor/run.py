"""One run: every task worked off, each result durable before it is counted, the whole as ``RunExecutionResult``."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sharpen.config.models import Case
from sharpen.errors import NotSavedError, StoreError
from sharpen.executor.models import ResultLog, RunExecutionResult, RunStatus, TaskResult, TaskStatus
from sharpen.executor.ports import RunObserver, RunSink, RunStart
from sharpen.executor.statistics import StatisticsAccumulator
from sharpen.executor.stopping import StopSignal
from sharpen.executor.tally import Placed, Tally
from sharpen.executor.task_feed import Task, TaskFeed
from sharpen.executor.task_runner import TaskRunner
from sharpen.executor.worker_pool import work_off

Finished = Mapping[tuple[str, int], TaskResult]
"""Results that an earlier process left, by (case id, repeat). One with a method ``of(cases)`` is asked by the chunk."""

HELD_RESULTS = 10_000
"""Results of up to so many tasks are kept in memory; those of a larger run are read from the sink when they are asked
for. Without a sink they must all be kept."""


class Run:
    """One run, used once. Only what the store cannot keep is raised (``StoreError``); the rest is in the result."""

    def __init__(
        self,
        start: RunStart,
        cases: Collection[Case],
        repeats: int,
        runner: TaskRunner,
        stop: StopSignal,
        sink: RunSink | None,
        observer: RunObserver | None,
    ) -> None:
        self._start = start
        self._cases = cases
        self._repeats = repeats
        self._runner = runner
        self._stop = stop
        self._sink = sink
        self._observer = observer
        held = sink is None or start.total_tasks <= HELD_RESULTS
        self._results: list[TaskResult | None] | None = [None] * start.total_tasks if held else None
        self._statistics = StatisticsAccumulator(start.total_tasks)
        self._tally = Tally(sink, self._count, self._break)
        self._lost: list[str] = []
        self._broken: Exception | None = None

    async def execute(
        self, workers: int, finished: Finished, metadata: Callable[[], dict[str, Any]]
    ) -> RunExecutionResult:
        """Run what is not ``finished`` with so many workers and return the result. ``metadata`` is asked at the end.

        Raises ``StoreError`` when a result could not be saved; calls under way are finished (and saved, where that
        still works) first. Raises what reading the cases raises.
        """
        began = time.monotonic()
        await self._store(self._sink.start_run(self._start) if self._sink else None, "the run cannot be started")
        if self._observer:
            self._observer.run_started(self._start)
        workers = min(workers, self._start.total_tasks)
        self._feed = TaskFeed(self._cases, lambda first, cases: self._admit(first, cases, finished), 2 * workers)
        try:
            await work_off(self._feed.next, workers, self._work, self._feed.fill())
        finally:
            await self._tally.close()
        if self._broken:
            raise self._lost_results() from self._broken
        if self._feed.error:
            raise self._feed.error
        if self._results is None:
            self._statistics.add_uncalled()
        status = self._status()
        result = RunExecutionResult(
            run_id=self._start.run_id,
            workflow_id=self._start.workflow_id,
            started_at=self._start.started_at,
            # by the monotonic clock: a wall clock that is set back meanwhile must not spoil a paid run
            finished_at=self._start.started_at + timedelta(seconds=time.monotonic() - began),
            statistics=self._statistics.statistics(),
            task_results=self._task_results(),
            status=status,
            stop_reason=None if status is RunStatus.COMPLETED else self._stop.reason,
            metadata=metadata(),
        )
        await self._store(
            self._sink.finish_run(result) if self._sink else None, "all results are saved, but not the run's end"
        )
        if self._observer:
            self._observer.run_finished(result)
        return result

    async def _admit(self, first: int, cases: Sequence[Case], finished: Finished) -> list[Task]:
        """Make the cases known to the store; take over what is finished, for that is durable already."""
        if self._sink:
            adding = self._sink.add_cases(self._start.run_id, first, cases)
            await self._store(adding, "its cases cannot be saved")
        index, tasks, taken = first * self._repeats, list[Task](), list[Placed]()
        of = getattr(finished, "of", None)  # not `if finished`: to ask a store whether there are any is to count them
        known: Finished = of(cases) if of else finished
        for case in cases:
            for repeat in range(self._repeats):
                result = known.get((case.id, repeat))
                if result is not None and result.status.completed:
                    taken.append((index, result))
                else:
                    tasks.append((index, case, repeat))
                index += 1
        self._keep(taken)
        return tasks

    async def _work(self, task: Task) -> None:
        index, case, repeat = task
        stop = self._stop
        if stop.requested and not (stop.by_budget and self._runner.remembers):
            if self._results is None or self._broken:  # what is left is not worth a look, its number is known
                self._feed.close()
                return
            result = self._runner.cancelled(case, repeat, stop)
        else:
            result = await self._runner.run(case, repeat)
        never_called = result.status is TaskStatus.CANCELLED and result.attempts == 0
        if self._sink and not never_called:  # the end of the run saves those
            if not await self._saved(result):
                return
            self._tally.add(index, result)
            await self._tally.wait_for_room()
        else:
            self._count([(index, result)])

    def _count(self, batch: Sequence[Placed]) -> None:
        self._keep(batch)
        if self._observer:
            statistics = self._statistics.statistics()
            for _, result in batch:
                self._observer.task_finished(result, statistics)

    def _keep(self, batch: Sequence[Placed]) -> None:
        for index, result in batch:
            if self._results is not None:
                self._results[index] = result
            self._statistics.add(result)

    async def _saved(self, result: TaskResult) -> bool:
        assert self._sink is not None
        try:
            await self._sink.save_result(self._start.run_id, result)
        except Exception as error:  # noqa: BLE001 - a full disk, a lost connection, a locked file: all end the run
            if result.attempts:
                self._lost.append(result.task_id)
            self._break(error)
            return False
        return True

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._stop.stop(RunStatus.ABORTED, f"results cannot be saved: {error}")

    def _lost_results(self) -> NotSavedError:
        named = ", ".join(self._lost[:5]) + (", …" if len(self._lost) > 5 else "")
        lost = f"answers lost: {len(self._lost)}, of {named}" if self._lost else "no answer is lost"
        return NotSavedError(
            f"run {self._start.run_id!r} stopped, its results cannot be saved ({lost}): {self._broken}"
        )

    async def _store(self, saving: Awaitable[None] | None, what: str) -> None:
        if saving is None:
            return
        try:
            await saving
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"run {self._start.run_id!r}: {what}: {type(error).__name__}: {error}") from error

    def _task_results(self) -> tuple[TaskResult, ...] | ResultLog:
        if self._results is None:
            assert self._sink is not None  # else they are held
            return self._sink.results(self._start.run_id)
        return tuple(result for result in self._results if result is not None)

    def _status(self) -> RunStatus:
        """A stop that came too late to keep any task from its end did not stop the run; an abort always counts."""
        status = self._stop.status
        if status is None or status is RunStatus.ABORTED:
            return status or RunStatus.COMPLETED
        return status if self._statistics.cancelled else RunStatus.COMPLETED

"""One run: every task worked off, each result durable before it is counted, the whole as ``RunExecutionResult``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sharpen.config.models import Case
from sharpen.errors import NotSavedError, StoreError
from sharpen.executor.models import RunExecutionResult, RunStatus, TaskResult, TaskStatus
from sharpen.executor.ports import RunObserver, RunSink, RunStart
from sharpen.executor.statistics import StatisticsAccumulator
from sharpen.executor.stopping import StopSignal
from sharpen.executor.task_runner import TaskRunner
from sharpen.executor.worker_pool import work_off

Finished = Mapping[tuple[str, int], TaskResult]
"""Results that an earlier process left, by (case id, repeat)."""


class Run:
    """One run, used once. Only what the store cannot keep is raised (``StoreError``); the rest is in the result."""

    def __init__(
        self,
        start: RunStart,
        cases: Sequence[Case],
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
        self._results: list[TaskResult | None] = [None] * start.total_tasks
        self._statistics = StatisticsAccumulator(start.total_tasks)
        self._lost: list[str] = []
        self._broken: Exception | None = None

    async def execute(
        self, workers: int, finished: Finished, metadata: Callable[[], dict[str, Any]]
    ) -> RunExecutionResult:
        """Run what is not ``finished`` with so many workers and return the result. ``metadata`` is asked at the end.

        Raises ``StoreError`` when a result could not be saved; calls under way are finished (and saved, where that
        still works) first.
        """
        began = time.monotonic()
        await self._store(self._sink.start_run(self._start) if self._sink else None, "the run cannot be started")
        todo = list(self._pending(finished)) if finished else self._tasks()
        if self._observer:
            self._observer.run_started(self._start)
        await work_off(todo, min(workers, self._start.total_tasks), self._work)
        if self._broken:
            raise self._lost_results() from self._broken
        status = self._status()
        result = RunExecutionResult(
            run_id=self._start.run_id,
            workflow_id=self._start.workflow_id,
            started_at=self._start.started_at,
            # by the monotonic clock: a wall clock that is set back meanwhile must not spoil a paid run
            finished_at=self._start.started_at + timedelta(seconds=time.monotonic() - began),
            statistics=self._statistics.statistics(),
            task_results=tuple(result for result in self._results if result is not None),
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

    def _tasks(self) -> Iterator[tuple[int, Case, int]]:
        index = 0
        for case in self._cases:
            for repeat in range(self._repeats):
                yield index, case, repeat
                index += 1

    def _pending(self, finished: Finished) -> Iterable[tuple[int, Case, int]]:
        """The tasks still to run; the others are put in place and counted, for they are durable already."""
        for index, case, repeat in self._tasks():
            result = finished.get((case.id, repeat))
            if result is not None and result.status.completed:
                self._results[index] = result
                self._statistics.add(result)
            else:
                yield index, case, repeat

    async def _work(self, task: tuple[int, Case, int]) -> None:
        index, case, repeat = task
        if self._broken:
            return
        stop = self._stop
        if stop.requested and not (stop.by_budget and self._runner.remembers):
            result = self._runner.cancelled(case, repeat, stop)
        else:
            result = await self._runner.run(case, repeat)
        never_called = result.status is TaskStatus.CANCELLED and result.attempts == 0
        if self._sink and not never_called and not await self._saved(result):  # the end of the run saves those
            return
        self._results[index] = result
        self._statistics.add(result)
        if self._observer:
            self._observer.task_finished(result, self._statistics.statistics())

    async def _saved(self, result: TaskResult) -> bool:
        assert self._sink is not None
        try:
            await self._sink.save_result(self._start.run_id, result)
        except Exception as error:  # noqa: BLE001 - a full disk, a lost connection, a locked file: all end the run
            self._broken = self._broken or error
            self._stop.stop(RunStatus.ABORTED, f"results cannot be saved: {error}")
            if result.attempts:
                self._lost.append(result.task_id)
            return False
        return True

    def _lost_results(self) -> NotSavedError:
        named = ", ".join(self._lost[:5]) + (", …" if len(self._lost) > 5 else "")
        lost = f"answers lost: {len(self._lost)}, of {named}" if self._lost else "no answer is lost"
        return NotSavedError(
            f"run {self._start.run_id!r} stopped, its results cannot be saved ({lost}): {self._broken}"
        )

    async def _store(self, saving: Any, what: str) -> None:
        if saving is None:
            return
        try:
            await saving
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"run {self._start.run_id!r}: {what}: {type(error).__name__}: {error}") from error

    def _status(self) -> RunStatus:
        """A stop that came too late to keep any task from its end did not stop the run; an abort always counts."""
        status = self._stop.status
        if status is None or status is RunStatus.ABORTED:
            return status or RunStatus.COMPLETED
        cancelled = any(result and result.status is TaskStatus.CANCELLED for result in self._results)
        return status if cancelled else RunStatus.COMPLETED

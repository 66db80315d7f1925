"""``ExecutorService``: what callers of the executor hold."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager

from sharpen.config.models import Case, RunManifest
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.ports import CallTracer, ResponseCache, RunObserver, RunSink
from sharpen.executor.scheduler import Scheduler
from sharpen.executor.session import ExecutionSession


class ExecutorService:
    """Runs test plans and measures them.

    Without arguments nothing is stored, remembered or shown. ``sink`` makes each result durable before it is counted,
    ``cache`` answers calls that were made before, ``observer`` watches, ``seed`` fixes the jitter of retries,
    ``tracer`` records each attempt.
    """

    def __init__(
        self,
        sink: RunSink | None = None,
        cache: ResponseCache | None = None,
        observer: RunObserver | None = None,
        seed: int | None = None,
        tracer: CallTracer | None = None,
    ) -> None:
        self.scheduler = Scheduler(sink, cache, observer, seed, tracer)

    def execute_test_plan(self, manifest: RunManifest) -> RunExecutionResult:
        """Run a plan and return its result, however the run ended.

        Raises ``EmptyDatasetError`` before anything is called, ``UserError`` for other mistakes of the plan,
        ``RunAborted`` for a target that cannot be opened, ``StoreError`` for results that cannot be saved, and
        ``RuntimeError`` inside a running event loop (await ``execute_test_plan_async`` there).
        """
        return run(self.execute_test_plan_async(manifest), "execute_test_plan_async(manifest)")

    async def execute_test_plan_async(self, manifest: RunManifest) -> RunExecutionResult:
        """The async twin of ``execute_test_plan``."""
        return await self.scheduler.run_manifest_async(manifest)

    def session(
        self, manifest: RunManifest, budget: BudgetMeter | None = None, cases: Collection[Case] | None = None
    ) -> AbstractAsyncContextManager[ExecutionSession]:
        """Several runs on open targets, limits and budgets: ``async with service.session(manifest) as session``."""
        return self.scheduler.session(manifest, budget, cases)

    def cancel(self, reason: str = "cancelled by the user") -> None:
        """No new call from now on; calls under way finish, the rest is marked cancelled. From any thread."""
        self.scheduler.cancel(reason)

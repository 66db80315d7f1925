"""Whole manifests, run to their end; the async core and its one synchronous edge."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from sharpen.config.models import Case, RunManifest
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.ports import CallTracer, ResponseCache, RunObserver, RunSink
from sharpen.executor.session import ExecutionSession


class Scheduler:
    """Makes sessions and runs plans in them.

    ``sink`` makes results durable, ``cache`` remembers answers, ``observer`` watches; all optional. ``seed`` fixes the
    jitter of retries, ``tracer`` records each attempt.
    """

    def __init__(
        self,
        sink: RunSink | None = None,
        cache: ResponseCache | None = None,
        observer: RunObserver | None = None,
        seed: int | None = None,
        tracer: CallTracer | None = None,
    ) -> None:
        self._sink = sink
        self._cache = cache
        self._observer = observer
        self._rng = random.Random(seed)
        self._tracer = tracer
        self._sessions: set[ExecutionSession] = set()

    @asynccontextmanager
    async def session(
        self, manifest: RunManifest, budget: BudgetMeter | None = None, cases: Collection[Case] | None = None
    ) -> AsyncIterator[ExecutionSession]:
        """Several runs on open targets; ``budget`` is one more that every attempt must fit in.

        ``cases``: the plan's, when they were read before.
        """
        session = ExecutionSession(
            manifest,
            cases,
            sink=self._sink,
            cache=self._cache,
            observer=self._observer,
            rng=self._rng,
            budget=budget,
            tracer=self._tracer,
        )
        self._sessions.add(session)  # before it is entered: loading a model may take long enough to be cancelled
        try:
            async with session:
                yield session
        finally:
            self._sessions.discard(session)

    def run_manifest(self, manifest: RunManifest) -> RunExecutionResult:
        """Run a plan. Raises what ``run_manifest_async`` raises, and ``RuntimeError`` inside a running event loop."""
        return run(self.run_manifest_async(manifest), "run_manifest_async(manifest)")

    async def run_manifest_async(self, manifest: RunManifest) -> RunExecutionResult:
        """Run a plan. The result says how it ended, aborted and cancelled runs included.

        Raises ``EmptyDatasetError`` before anything is opened or called, ``UserError`` for other mistakes of the plan,
        ``RunAborted`` for a target that cannot be opened, ``StoreError`` for results that cannot be saved.
        """
        async with self.session(manifest) as session:
            return await session.run()

    def cancel(self, reason: str = "cancelled by the user") -> None:
        """Cancel every session under way. From any thread."""
        for session in tuple(self._sessions):
            session.cancel(reason)

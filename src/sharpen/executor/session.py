"""Several runs on open targets: one set of limits, one budget, one switch to stop them all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sharpen.config.assertions import AssertionConfig, RubricAssertion
from sharpen.config.case_set import CaseSet
from sharpen.config.models import Case, RunManifest
from sharpen.config.prompts import PromptTemplate
from sharpen.config.targets import TargetConfig
from sharpen.errors import EmptyDatasetError, PlanError, Problem
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.budget import BudgetMeter, CompositeMeter
from sharpen.executor.caller import Caller
from sharpen.executor.current_run import current_run
from sharpen.executor.descriptors import make_room
from sharpen.executor.hedging import Hedging
from sharpen.executor.memory import CallMemory, Ledger
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.ports import CallTracer, ResponseCache, RunObserver, RunSink, RunStart
from sharpen.executor.rendering import PromptRenderer
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.run import Finished, Run
from sharpen.executor.run_ids import new_run_id
from sharpen.executor.stopping import StopSignal
from sharpen.executor.target_pool import OpenTarget, TargetPool
from sharpen.executor.task_runner import TaskRunner


class ExecutionSession:
    """``async with`` it, then ``run`` as often as needed. Targets are opened once and closed with the session.

    Entering reads the data set (unless its ``cases`` are given, checked by who read them) and opens the plan's target
    and its judges; it raises ``PlanError`` (``EmptyDatasetError`` before any target is opened), other ``UserError``s,
    or ``RunAborted`` for a target that cannot be reached. The plan's ``execution.budget`` holds for the session as a
    whole; ``budget`` is one more that every attempt must fit in.
    """

    def __init__(
        self,
        manifest: RunManifest,
        cases: Collection[Case] | None = None,
        *,
        sink: RunSink | None = None,
        cache: ResponseCache | None = None,
        observer: RunObserver | None = None,
        rng: random.Random | None = None,
        budget: BudgetMeter | None = None,
        tracer: CallTracer | None = None,
    ) -> None:
        self.manifest = manifest
        self.cases: Collection[Case] = cases or ()
        self._own_meter = BudgetMeter(manifest.execution.budget)
        self.meter = CompositeMeter(self._own_meter, *([budget] if budget else []))
        self._sink = sink
        self._cache = cache
        self._ledger = Ledger()
        self._judged = False
        self._observer = observer
        self._tracer = tracer
        self._rng = rng or random.Random()
        self._policy = RetryPolicy(max_retries=manifest.execution.max_retries)
        self._snapshot: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = StopSignal()
        self._run_stops: set[StopSignal] = set()

    @property
    def target_identity(self) -> Mapping[str, Any]:
        """What is called: ``Target.identity()`` of the plan's target."""
        return self._main.target.identity()

    async def __aenter__(self) -> Self:
        from sharpen.assertions.grading import Grader

        self._loop = asyncio.get_running_loop()
        make_room(self.manifest.execution.concurrency)
        if not self.cases:
            found = self.manifest.case_set()
            self.cases = found.held or found
        self._grader = Grader(self.manifest.assertions, self.manifest.base_dir)
        self._targets = TargetPool(self.manifest.execution, self.manifest.base_dir)
        try:
            self._main = await self._targets.open(self.manifest.target)
            await self._open_judges(self.manifest.assertions)
        except BaseException:  # also cancelled half way: __aexit__ is not called then
            await self._targets.close()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._targets.close()

    def cancel(self, reason: str = "cancelled by the user") -> None:
        """No new call from now on: calls under way finish, all other tasks are marked cancelled. From any thread."""
        if self._loop is None:
            self._stop.stop(RunStatus.CANCELLED, reason)  # nothing waits for it yet; a run that begins looks at it
        if self._loop is asyncio._get_running_loop():
            self._cancel(reason)
        elif self._loop is not None:  # it may have been entered in this very moment by another thread
            self._loop.call_soon_threadsafe(self._cancel, reason)

    def _cancel(self, reason: str) -> None:
        for stop in (self._stop, *self._run_stops):
            stop.stop(RunStatus.CANCELLED, reason)

    async def caller_for(self, config: TargetConfig, payer: str = "") -> Caller:
        """A caller of any target, on this session's limits and budget. Opens the target on first use.

        ``payer``: whose answers those are that a process paid for before it died; they are charged again, once.
        """
        opened = await self._targets.open(config)
        return self._caller(opened, self._stop, self._memory(opened, payer))

    async def run(
        self,
        cases: Collection[Case] | None = None,
        prompt: PromptTemplate | None = None,
        purpose: str = "run",
        run_id: str | None = None,
        parent_run_id: str | None = None,
        finished: Finished | None = None,
    ) -> RunExecutionResult:
        """Run a prompt (default: the plan's) on cases (default: all) and return the result, however the run ended.

        ``finished`` tasks are taken over and not called again. Raises ``UserError`` before anything is called
        (``TemplateError``, ``EmptyDatasetError``, …) and ``StoreError`` when results cannot be saved.
        """
        manifest, execution = self.manifest, self.manifest.execution
        cases = self.cases if cases is None else _checked(cases)
        prompt = prompt or manifest.prompt
        renderer = PromptRenderer(prompt)
        for case in cases if _own_assertions(cases) else ():
            if case.assertions:  # a mistake in them is found before anything is called
                self._grader.prepare(case.assertions, f"case {case.id!r}")
                await self._open_judges(case.assertions)
        start = RunStart(
            run_id=run_id or new_run_id(),
            workflow_id=manifest.workflow_id,
            started_at=datetime.now(UTC),
            total_tasks=len(cases) * execution.repeats,
            purpose=purpose,
            parent_run_id=parent_run_id,
            manifest=self._manifest_snapshot(),
            prompt=[{"role": message.role, "content": message.content} for message in prompt.messages],
            target=self.target_identity,
            case_ids=() if isinstance(cases, CaseSet) else tuple(case.id for case in cases),
            dataset_hash=self._dataset_hash(cases),
            limits=self._main.limiter.state,
        )
        pending = start.total_tasks - len(finished or ())
        stop = StopSignal()
        if self._stop.status is RunStatus.CANCELLED:
            stop.stop(RunStatus.CANCELLED, self._stop.reason)
        self._run_stops.add(stop)
        told = current_run.set(start.run_id)
        try:
            run = Run(
                start, cases, execution.repeats,
                self._runner(renderer, stop, max(1, pending), start.run_id, finished is not None), stop,
                self._sink, self._observer,
            )  # fmt: skip
            result = await run.execute(execution.concurrency, finished or {}, lambda: self._metadata(start, prompt))
            if self._cache and self._keeps_privately and result.status is RunStatus.COMPLETED:
                with suppress(Exception):  # they are of no use any more, and harm nobody
                    await self._cache.forget(start.run_id)
            return result
        finally:
            current_run.reset(told)
            self._run_stops.discard(stop)

    def _dataset_hash(self, cases: Collection[Case]) -> str | None:
        """Which data set it is, when it is the plan's and all of it."""
        if isinstance(cases, CaseSet):
            return cases.content_hash
        whole = self.manifest.case_set()
        return whole.content_hash if cases is whole.held else None

    async def _open_judges(self, assertions: Sequence[AssertionConfig]) -> None:
        for assertion in assertions:
            if isinstance(assertion, RubricAssertion):
                self._judged = True
                await self._targets.open(assertion.judge)

    @property
    def _keeps_privately(self) -> bool:
        """Without a cache, answers are kept for their own run alone, while a judge may still be asked about them."""
        return self._judged and not self.manifest.execution.cache

    def _memory(self, opened: OpenTarget, payer: str, run_id: str = "", resumed: bool = False) -> CallMemory | None:
        if self._cache is None:
            return None
        if self.manifest.execution.cache:
            return CallMemory(self._cache, opened.keys, self._ledger, payer)
        if self._keeps_privately and run_id:
            return CallMemory(self._cache, opened.keys, self._ledger, payer, private=run_id, resumed=resumed)
        return None

    def _runner(self, renderer: PromptRenderer, stop: StopSignal, tasks: int, run_id: str, resumed: bool) -> TaskRunner:
        judges: dict[int, Caller] = {}

        def judge_caller(config: TargetConfig) -> Caller:
            opened = self._targets.find(config)
            if id(opened) not in judges:
                memory = self._memory(opened, f"{run_id} judge", run_id, resumed)
                judges[id(opened)] = self._caller(opened, stop, memory, tasks, "the judge")
            return judges[id(opened)]

        caller = self._caller(self._main, stop, self._memory(self._main, run_id, run_id, resumed), tasks)
        return TaskRunner(renderer, caller, self._grader, judge_caller, self.manifest.execution.repeats)

    def _caller(
        self,
        opened: OpenTarget,
        stop: StopSignal,
        memory: CallMemory | None,
        tasks: int | None = None,
        subject: str = "the target",
    ) -> Caller:
        """A caller within a run of so many tasks; outside of any run (None) nothing can be aborted or watched."""
        execution = self.manifest.execution
        return Caller(
            target=opened.target,
            limiter=opened.limiter,
            stop=stop,
            meter=self.meter,
            policy=self._policy,
            timeout_s=execution.timeout_s,
            max_tokens=opened.max_tokens,
            memory=memory,
            abort=None if tasks is None else AbortPolicy(tasks, subject),
            observer=None if tasks is None else self._observer,
            tracer=self._tracer,
            hedging=Hedging(execution.hedge) if execution.hedge else None,
            rng=self._rng,
        )

    def _metadata(self, start: RunStart, prompt: PromptTemplate) -> dict[str, Any]:
        found: dict[str, Any] = {
            "purpose": start.purpose,
            "parent_run_id": start.parent_run_id,
            "prompt_hash": prompt.content_hash,
            "concurrency": self.manifest.execution.concurrency,
        }
        unpriced, limit = self._own_meter.unpriced_calls, self._own_meter.budget.max_cost_usd
        warnings = []
        if unpriced and limit is not None:
            warnings.append(
                f"max_cost_usd {limit:g} could not be kept: the price of {unpriced} calls is unknown; set target.price"
            )
        most = self._own_meter.budget.max_tokens
        if most is not None and self._own_meter.calls_made() and not self._own_meter.tokens:
            warnings.append(f"max_tokens {most:,} could not be kept: the server does not tell how many it uses")
        if warnings:
            found["warnings"] = warnings
        return found

    def _manifest_snapshot(self) -> dict[str, Any]:
        """The plan as JSON-ready data, and ``source``: the plan's file (None when built in Python)."""
        if not self._snapshot:
            source: Path | None = self.manifest.source
            plan = self.manifest.model_dump(mode="json", fallback=str)
            self._snapshot = {**plan, "source": str(source) if source else None}
        return self._snapshot


def _checked(cases: Collection[Case]) -> Collection[Case]:
    if not cases:
        raise EmptyDatasetError(Problem("the data set holds no case", key="dataset", expected="at least one case"))
    if isinstance(cases, CaseSet):  # its survey has looked
        return cases
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise PlanError(Problem(f"two cases have the id {case.id!r}", key="dataset", expected="unique ids"))
        seen.add(case.id)
    return cases


def _own_assertions(cases: Collection[Case]) -> bool:
    return cases.own_assertions if isinstance(cases, CaseSet) else True

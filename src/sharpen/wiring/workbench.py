"""An open execution session with everything the pipeline asks for around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

from sharpen.config.models import Case
from sharpen.config.prompts import PromptTemplate
from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.caller import Caller
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.interrupt import interruptible
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.run_ids import new_run_id
from sharpen.executor.session import ExecutionSession
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.ports import RewritePrompt, SearchObserver, SpendMeter
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.storage.store import Store
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.plans import LoadedPlan

OnInterrupt = Callable[[str], None]
"""Told once, with the reason, when an interrupted run begins to drain."""
KEEPING_S = 60.0
"""How long another process may take to keep its versions, in seconds; it takes milliseconds."""


@dataclass(slots=True)
class Bench:
    """``pipeline.Workbench`` over one session."""

    run_id: str
    cases: Sequence[Case]
    service: OptimizerService
    versions: VersionManager
    meter: SpendMeter
    rewrite: RewritePrompt | None
    session: ExecutionSession
    budget: BudgetMeter
    keeping: Callable[[], AbstractContextManager[object]]

    async def execute(
        self, prompt: PromptTemplate | None, case_ids: Sequence[str] | None, purpose: str
    ) -> RunExecutionResult:
        """Run a prompt (None: the plan's) on cases (None: all)."""
        by_id = {case.id: case for case in self.cases}
        cases = None if case_ids is None else [by_id[case_id] for case_id in case_ids]
        return await self.session.run(cases, prompt, purpose, parent_run_id=self.run_id)

    def spent(self) -> tuple[int, float | None]:
        """Tokens, and cost in USD (None: some call's price is unknown)."""
        return self.budget.tokens, None if self.budget.unpriced_calls else self.budget.cost


def executor(
    plan: LoadedPlan, store: Store | None, observer: RunObserver | None, tracer: CallTracer | None = None
) -> ExecutorService:
    """An executor that stores into ``store`` and answers repeated calls from it (None: neither)."""
    if store is None:
        return ExecutorService(observer=observer, tracer=tracer)
    return ExecutorService(store.sink(plan.cases), store.responses, observer, tracer=tracer)


def draining(service: ExecutorService, on_interrupt: OnInterrupt | None) -> Callable[[str], None]:
    """What the first Ctrl-C does: no new calls from now on, and whoever watches learns why nothing seems to happen."""

    def drain(reason: str) -> None:
        service.cancel(reason)
        if on_interrupt:
            on_interrupt(reason)

    return drain


@contextmanager
def holding(
    store: Store | None, name: str, service: ExecutorService, on_takeover: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Keep other processes away from a run or an optimization; whoever takes it over from a dead one is told so.

    Raises ``LockedError`` when another process works on it. Should that one ever take us for dead, we stop.
    """
    if store is None:
        yield
        return
    with store.locks.hold(name, on_lost=partial(service.cancel, "another process took over")) as gone:
        if gone is not None and on_takeover:
            on_takeover(f"{gone} worked on it and is gone: going on")
        yield


@asynccontextmanager
async def open_bench(
    plan: LoadedPlan,
    store: Store,
    observer: RunObserver | None,
    search_observer: SearchObserver | None,
    on_interrupt: OnInterrupt | None = None,
    tracer: CallTracer | None = None,
) -> AsyncIterator[Bench]:
    """A workbench for one optimization; Ctrl-C drains it. ``optimize.budget`` holds for all that happens on it."""
    manifest = plan.manifest
    budget = BudgetMeter(manifest.optimize.budget)
    service = executor(plan, store, observer, tracer)
    run_id = new_run_id()
    with interruptible(draining(service, on_interrupt)), holding(store, f"optimization:{run_id}", service):
        async with service.session(manifest, budget) as session:
            rewriter = manifest.optimize.rewriter
            yield Bench(
                run_id=run_id,
                cases=tuple(plan.cases),  # the split needs them all at once
                service=OptimizerService(ScoringRules.of(manifest.rules), search_observer),
                versions=VersionManager(store.versions),
                meter=session.meter,
                rewrite=_rewrite(await session.caller_for(rewriter)) if rewriter else None,
                session=session,
                budget=budget,
                keeping=partial(store.locks.hold, f"versions:{manifest.workflow_id}", wait_s=KEEPING_S),
            )


def _rewrite(caller: Caller) -> RewritePrompt:
    """The rewriter model behind the executor's limits, retries and budget."""

    async def rewrite(messages: tuple[Message, ...]) -> str:
        outcome = await caller.call(TargetRequest(messages, case_id="rewrite"))
        if outcome.response is not None:
            return outcome.response.output
        failure = outcome.failure or Failure(ErrorKind.CANCELLED, "the rewriter was not called")
        if failure.kind is ErrorKind.BUDGET:
            raise BudgetExhausted(failure.message)
        raise TargetError(failure)

    return rewrite

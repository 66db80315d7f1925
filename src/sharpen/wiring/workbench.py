"""An open execution session with everything the pipeline asks for around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sharpen.config.models import Case
from sharpen.config.prompts import PromptTemplate
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.interrupt import interruptible
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.run_ids import new_run_id
from sharpen.executor.session import ExecutionSession
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.ports import HoldoutLedger, RewritePrompt, SearchObserver, SpendMeter
from sharpen.pipeline import Recommend
from sharpen.storage.records import SearchRecord
from sharpen.storage.store import Store
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.plans import LoadedPlan
from sharpen.wiring.recommending import Recommender
from sharpen.wiring.references import rules_of
from sharpen.wiring.rewriting import Rewriter
from sharpen.wiring.steps import Steps
from sharpen.wiring.stored_plans import search_record
from sharpen.wiring.stores import store_option

OnInterrupt = Callable[[str], None]
"""Told once, with the reason, when an interrupted run begins to drain."""
KEEPING_S = 60.0
"""How long another process may take to keep its versions, in seconds; it takes milliseconds."""


@dataclass(slots=True)
class Bench:
    """``pipeline.Workbench`` over one session."""

    run_id: str
    started_at: datetime
    cases: Sequence[Case]
    service: OptimizerService
    versions: VersionManager
    meter: SpendMeter
    rewrite: RewritePrompt | None
    holdout: HoldoutLedger
    session: ExecutionSession
    budget: BudgetMeter
    keeping: Callable[[], AbstractContextManager[object]]
    steps: Steps
    note: Callable[[], None]
    recommend: Recommend
    noted: bool = False

    async def execute(
        self, prompt: PromptTemplate | None, case_ids: Sequence[str] | None, purpose: str
    ) -> RunExecutionResult:
        """Run a prompt (None: the plan's) on cases (None: all)."""
        if not self.noted:
            self.note()
            self.noted = True
        by_id = {case.id: case for case in self.cases}
        cases = self.cases if case_ids is None else [by_id[case_id] for case_id in case_ids]
        return await self.steps.run(prompt or self.session.manifest.prompt, cases, purpose)

    def spent(self) -> tuple[int, float | None]:
        """Tokens, and cost in USD (None: some call's price is unknown)."""
        return self.budget.tokens, None if self.budget.unpriced_calls else self.budget.cost


def executor(store: Store | None, observer: RunObserver | None, tracer: CallTracer | None = None) -> ExecutorService:
    """An executor that stores into ``store`` and answers repeated calls from it (None: neither)."""
    if store is None:
        return ExecutorService(observer=observer, tracer=tracer)
    return ExecutorService(store.sink(), store.responses, observer, tracer=tracer)


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
    search: SearchRecord | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> AsyncIterator[Bench]:
    """A workbench for one optimization; Ctrl-C drains it. ``optimize.budget`` holds for all that happens on it.

    ``search``: the one that goes on (None: a new one, noted before its first run begins). Raises ``LockedError`` while
    another process works on it.
    """
    manifest = plan.manifest
    budget = BudgetMeter(manifest.optimize.budget)
    service = executor(store, observer, tracer)
    run_id = search.id if search else new_run_id()
    started_at = search.started_at if search else datetime.now(UTC)
    lock = f"optimization:{run_id}"
    with interruptible(draining(service, on_interrupt)), holding(store, lock, service, on_takeover):
        earlier = store.runs.list(limit=None, parent_run_id=run_id) if search else ()
        async with service.session(manifest, budget, plan.cases) as session:
            rewriter, rewrite = manifest.optimize.rewriter, None
            if rewriter is not None:
                caller = await session.caller_for(rewriter, payer=f"{run_id} rewriter")
                rewrite = Rewriter(caller, session.meter, store, run_id)
            yield Bench(
                run_id=run_id,
                started_at=started_at,
                cases=tuple(plan.cases),  # the split needs them all at once
                service=OptimizerService(rules_of(manifest, store), search_observer),
                versions=VersionManager(store.versions),
                meter=session.meter,
                rewrite=rewrite,
                holdout=store.holdout,
                session=session,
                budget=budget,
                keeping=partial(store.locks.hold, f"versions:{manifest.workflow_id}", wait_s=KEEPING_S),
                steps=Steps(run_id, session, store, [store.runs.get(run.run_id) for run in earlier]),
                note=lambda: store.searches.begin(search or search_record(run_id, plan, started_at)),
                recommend=Recommender(store, manifest, run_id),
            )


def kept_message(run_id: str, store: Store) -> str:
    """What is left of a search or an A/B test that was cut off, and how it goes on."""
    return f"what was finished is kept, `sharpen resume {run_id}{store_option(store)}` goes on"


def worth_going_on(run_id: str, store: Store) -> bool:
    """Some call of its runs came to an answer."""
    runs = store.runs.list(limit=None, parent_run_id=run_id)
    return any(run.statistics is None or run.statistics.succeeded_tasks + run.statistics.failed_tasks for run in runs)

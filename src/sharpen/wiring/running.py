"""``run`` and ``resume``: execute a plan into a store and tell what it means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from sharpen.config.models import Case
from sharpen.errors import UnknownNameError, UserError
from sharpen.events import emit
from sharpen.executor.interrupt import interruptible
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.run_ids import new_run_id
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.pipeline import RunStory, tell
from sharpen.storage.cases import StoredCases
from sharpen.storage.store import Store
from sharpen.wiring.plans import LoadedPlan
from sharpen.wiring.references import breaks_measured_rules, rules_of
from sharpen.wiring.steps import charge, covered
from sharpen.wiring.stored_plans import plan_of
from sharpen.wiring.stores import store_option
from sharpen.wiring.workbench import OnInterrupt, draining, executor, holding


def run_plan(
    plan: LoadedPlan,
    store: Store | None = None,
    observer: RunObserver | None = None,
    on_interrupt: OnInterrupt | None = None,
    tracer: CallTracer | None = None,
) -> RunStory:
    """Run a plan; every result is in ``store`` before it is counted.

    Ctrl-C drains (and ``on_interrupt`` is told), twice stops with ``KeyboardInterrupt``. A run that was aborted (the
    target is unreachable or refuses the key) is returned like any other: see ``abort_message``.
    """
    return run(_run(plan, store, observer, on_interrupt, tracer=tracer))


def resume_run(
    run_id: str,
    store: Store,
    observer: RunObserver | None = None,
    on_interrupt: OnInterrupt | None = None,
    overrides: Sequence[str] | None = None,
    tracer: CallTracer | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> tuple[LoadedPlan, RunStory]:
    """Finish a stored run with the plan, prompt and cases it began with; finished calls are not repeated.

    ``overrides`` change settings of the plan, such as a budget that was too small; what was spent counts towards it.
    ``on_takeover`` is told when a process that died had worked on the run. Raises ``LockedError`` while one does.
    """
    record = store.runs.get(run_id)
    if record.purpose != "run":
        raise UserError(
            f"run {record.run_id!r} is a step of an optimization ({record.purpose}); "
            f"`sharpen resume {record.parent_run_id}{store_option(store)}` goes on with all of it"
        )
    plan = plan_of(record, overrides)
    emit(logging.getLogger("sharpen.run"), logging.INFO, "run_resumed", run_id=record.run_id)
    story = run(_run(plan, store, observer, on_interrupt, record.run_id, tracer, on_takeover))
    return plan, story


def inputs_of(plan: LoadedPlan, result: RunExecutionResult, store: Store) -> Collection[Case]:
    """The inputs of a run for its reports: in memory where the plan's cases are, else read from the store."""
    cases = plan.cases
    return cases if isinstance(cases, Sequence | StoredCases) else store.cases.stored(result.run_id)


def find_optimization(store: Store, ref: str) -> OptimizationOutcome | None:
    """The optimization that ``ref`` names or begins; None when that is a run.

    Raises ``UnknownNameError``, and ``UserError`` for an optimization of which nothing is known yet but its runs.
    """
    kind, run_id = store.searches.identify(ref)
    if kind == "run":
        return None
    if kind == "experiment":
        raise UserError(f"{run_id!r} is an A/B test; `sharpen ab status {run_id}{store_option(store)}` shows it")
    try:
        return store.optimizations.get(run_id)
    except UnknownNameError:
        raise UserError(
            f"optimization {run_id!r} did not come to its end; `sharpen resume {run_id}{store_option(store)}` goes on, "
            "`sharpen runs list --all` shows its runs"
        ) from None


def exit_code(story: RunStory) -> int:
    """0 the measured rules hold · 1 they do not · 3 the run did not come to its end."""
    if story.result.status is not RunStatus.COMPLETED:
        return 3
    return 1 if breaks_measured_rules(story.decision) else 0


async def _run(
    plan: LoadedPlan,
    store: Store | None,
    observer: RunObserver | None,
    on_interrupt: OnInterrupt | None = None,
    resumed: str | None = None,
    tracer: CallTracer | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> RunStory:
    service = executor(store, observer, tracer)
    run_id = resumed or new_run_id()
    with interruptible(draining(service, on_interrupt)), holding(store, f"run:{run_id}", service, on_takeover):
        async with service.session(plan.manifest, cases=plan.cases) as session:
            finished = None
            if store and resumed:  # whoever had it writes no more
                charge(session.meter, store.take_up(run_id), covered(store.spans(run_id)))
                finished = store.results.finished(run_id)
            result = await session.run(plan.cases, run_id=run_id, finished=finished)
    story = tell(plan.manifest, result, plan.sample, OptimizerService(rules_of(plan.manifest, store)))
    if store is not None:
        store.decisions.save(result.run_id, story.decision)
    return story


def abort_message(result: RunExecutionResult, store: Store | None) -> str | None:
    """The one message that an aborted run comes to, and how to go on; None for any other run."""
    if result.status is not RunStatus.ABORTED:
        return None
    done = result.statistics.succeeded_tasks + result.statistics.failed_tasks
    goes_on = f"`sharpen resume {result.run_id}{store_option(store)}` goes on" if store else ""
    kept = f"; {done} finished results are kept, {goes_on}" if done and store else ""
    return f"{result.stop_reason or 'the run was aborted'}{kept}"

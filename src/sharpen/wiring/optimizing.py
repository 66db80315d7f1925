"""``optimize``: the pipeline on a workbench, its outcome kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sharpen.config.models import Case, RunManifest
from sharpen.errors import RunAborted
from sharpen.events import emit
from sharpen.executor.loop import run
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.optimizer.engines.registry import engine_for
from sharpen.optimizer.forecast import SearchForecast
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.optimizer.ports import SearchObserver
from sharpen.pipeline import optimize, still_broken
from sharpen.storage.records import SearchRecord
from sharpen.storage.store import Store
from sharpen.wiring.forecasting import refuse_hopeless
from sharpen.wiring.plans import LoadedPlan
from sharpen.wiring.queries import stored_cases
from sharpen.wiring.references import breaks_measured_rules
from sharpen.wiring.stored_plans import manifest_of, search_plan_of
from sharpen.wiring.workbench import OnInterrupt, kept_message, open_bench, worth_going_on


def optimize_plan(
    plan: LoadedPlan,
    store: Store,
    observer: RunObserver | None = None,
    search_observer: SearchObserver | None = None,
    on_interrupt: OnInterrupt | None = None,
    tracer: CallTracer | None = None,
    on_forecast: Callable[[SearchForecast], None] | None = None,
) -> OptimizationOutcome:
    """The whole loop on a plan. ``on_forecast`` is told what it will take and can prove before anything is paid.

    Raises ``MissingExtraError`` for an engine that is not installed, ``TooFewCasesError``, and ``PlanError`` for a
    budget that cannot do, before that too; ``RunAborted`` as ``run_plan``. A search that was cut off, by a signal or a
    kill, by its budget or by such an error, stays in the store for ``resume_optimization``.
    """
    _check_engine(plan)
    told = refuse_hopeless(plan, store)
    if on_forecast:
        on_forecast(told)
    return run(_optimize(plan, store, observer, search_observer, on_interrupt, tracer))


def resume_optimization(
    run_id: str,
    store: Store,
    observer: RunObserver | None = None,
    search_observer: SearchObserver | None = None,
    on_interrupt: OnInterrupt | None = None,
    overrides: Sequence[str] | None = None,
    tracer: CallTracer | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> tuple[LoadedPlan, OptimizationOutcome] | None:
    """Go on with a search that was cut off, with the plan and cases it began with; None when it came to its end.

    What it did before is taken over: nothing is called twice but what was under way when it was cut off, and its
    spending counts towards its budgets, so that it ends as it would have ended then. ``overrides`` change ``execution``
    and ``optimize.budget``. ``on_takeover`` is told when a process that died had worked on it.
    Raises ``LockedError`` while one works on it, ``StoreError`` for a data set that has changed.
    """
    search = store.searches.find(run_id)
    if search is None:
        return None
    plan = search_plan_of(search, overrides)
    _check_engine(plan)
    emit(logging.getLogger("sharpen.search"), logging.INFO, "optimization_resumed", run_id=run_id)
    return plan, run(_optimize(plan, store, observer, search_observer, on_interrupt, tracer, search, on_takeover))


def _check_engine(plan: LoadedPlan) -> None:
    config = plan.manifest.optimize
    engine_for(config.engine, config.rewriter is not None, plan.manifest.base_dir)


def finished_optimization(run_id: str, store: Store) -> tuple[RunManifest, Sequence[Case], OptimizationOutcome]:
    """The plan, cases and outcome of an optimization that came to its end. Raises ``UnknownNameError``."""
    outcome = store.optimizations.get(run_id)
    baseline = store.runs.get(outcome.baseline_run.run_id)
    return manifest_of(baseline), stored_cases(baseline.run_id, store), outcome


async def _optimize(
    plan: LoadedPlan,
    store: Store,
    observer: RunObserver | None,
    search_observer: SearchObserver | None,
    on_interrupt: OnInterrupt | None,
    tracer: CallTracer | None,
    search: SearchRecord | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> OptimizationOutcome:
    bench = None
    try:
        async with open_bench(
            plan, store, observer, search_observer, on_interrupt, tracer, search, on_takeover
        ) as bench:
            outcome = await optimize(plan.manifest, bench)
            store.decisions.save(outcome.baseline_run.run_id, outcome.decision)
            store.optimizations.save(outcome)
            return outcome
    except RunAborted as error:
        if bench is None:
            raise
        if not worth_going_on(bench.run_id, store):
            store.searches.drop(bench.run_id)
            raise
        raise RunAborted(f"{error}; {kept_message(bench.run_id, store)}", error.kind) from error
    except KeyboardInterrupt:
        if bench is None or store.searches.find(bench.run_id) is None:
            raise
        raise KeyboardInterrupt(kept_message(bench.run_id, store)) from None


def optimize_exit_code(outcome: OptimizationOutcome, manifest: RunManifest) -> int:
    """0 the rules hold for the prompt that is live now · 1 they do not · 3 the search was stopped before its end.

    Live is the new version (judged by its held-out cases) when there is one, the plan's prompt otherwise.
    """
    if outcome.version is not None and outcome.verification is not None:
        return 1 if still_broken(outcome.verification, manifest.rules) else 0
    if outcome.stop_reason is not None:
        return 3
    return 1 if breaks_measured_rules(outcome.decision) else 0

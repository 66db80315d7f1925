"""``optimize``: the pipeline on a workbench, its outcome kept."""

from __future__ import annotations

from sharpen.config.models import RunManifest
from sharpen.executor.loop import run
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.optimizer.measures import broken_limits
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.optimizer.ports import SearchObserver
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.pipeline import optimize
from sharpen.storage.store import Store
from sharpen.wiring.plans import LoadedPlan
from sharpen.wiring.workbench import OnInterrupt, open_bench


def optimize_plan(
    plan: LoadedPlan,
    store: Store,
    observer: RunObserver | None = None,
    search_observer: SearchObserver | None = None,
    on_interrupt: OnInterrupt | None = None,
    tracer: CallTracer | None = None,
) -> OptimizationOutcome:
    """The whole loop on a plan. Raises ``TooFewCasesError`` before anything is paid, ``RunAborted`` as ``run_plan``."""
    return run(_optimize(plan, store, observer, search_observer, on_interrupt, tracer))


async def _optimize(
    plan: LoadedPlan,
    store: Store,
    observer: RunObserver | None,
    search_observer: SearchObserver | None,
    on_interrupt: OnInterrupt | None,
    tracer: CallTracer | None,
) -> OptimizationOutcome:
    async with open_bench(plan, store, observer, search_observer, on_interrupt, tracer) as bench:
        outcome = await optimize(plan.manifest, bench)
        store.decisions.save(outcome.baseline_run.run_id, outcome.decision)
        store.optimizations.save(outcome)
        return outcome


def optimize_exit_code(outcome: OptimizationOutcome, manifest: RunManifest) -> int:
    """0 the rules hold for the prompt that is live now · 1 they do not · 3 the search was stopped before its end.

    Live is the new version (judged by its held-out cases) when there is one, the plan's prompt otherwise.
    """
    rules = ScoringRules.of(manifest.rules)
    if outcome.version is not None and outcome.verification is not None:
        return 1 if broken_limits(outcome.verification.candidate, rules) else 0
    if outcome.stop_reason is not None:
        return 3
    return 1 if rules.broken_limits(outcome.baseline) else 0

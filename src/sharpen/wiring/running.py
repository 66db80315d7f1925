"""``run`` and ``resume``: execute a plan into a store and tell what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sharpen.config.models import Case, RunManifest
from sharpen.config.overrides import apply, parse_override
from sharpen.errors import PlanError, Problem, StoreError, UserError
from sharpen.executor.interrupt import interruptible
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.run_ids import new_run_id
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.pipeline import RunStory, tell
from sharpen.storage.records import RunRecord
from sharpen.storage.store import Store
from sharpen.wiring.plans import LoadedPlan, complete
from sharpen.wiring.stores import store_option
from sharpen.wiring.workbench import OnInterrupt, draining, executor, holding

CHANGEABLE = ("execution", "rules")
"""Blocks of a plan that may change while a run goes on: they touch neither what is asked nor what is expected."""


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

    ``overrides`` change settings of the plan, such as a budget that was too small; the budget counts anew.
    ``on_takeover`` is told when a process that died had worked on the run. Raises ``LockedError`` while one does.
    """
    if find_optimization(store, run_id) is not None:
        raise UserError(
            f"{run_id!r} is an optimization; run `sharpen optimize` again: answers it paid for come from the cache"
        )
    record = store.runs.get(run_id)
    if record.purpose != "run":
        raise UserError(
            f"run {record.run_id!r} is a step of {record.parent_run_id!r} ({record.purpose}); "
            "run `sharpen optimize` again: answers it paid for come from the cache"
        )
    plan = plan_of(record, overrides)
    story = run(_run(plan, store, observer, on_interrupt, record.run_id, tracer, on_takeover))
    return plan, story


def find_optimization(store: Store, run_id: str) -> OptimizationOutcome | None:
    """The optimization with exactly that id, else None: the beginning of an id means a run."""
    try:
        outcome = store.optimizations.get(run_id)
    except UserError:
        return None
    return outcome if outcome.run_id == run_id else None


def manifest_of(record: RunRecord, overrides: Sequence[str] | None = None) -> RunManifest:
    """The plan of a stored run as it was, with the prompt that was run and ``overrides`` (``key.path=value``)."""
    snapshot: Any = {key: value for key, value in record.manifest.items() if key != "source"}
    for override in map(parse_override, overrides or ()):
        if override.path[0] not in CHANGEABLE:
            raise UserError(
                f"{override.label} would make another run of it; a stored run takes {' and '.join(CHANGEABLE)} only"
            )
        snapshot, _ = apply(snapshot, override)
    snapshot["prompt"] = list(record.prompt)
    source = record.manifest.get("source")
    try:
        manifest = RunManifest.model_validate(snapshot)
    except ValidationError as error:
        problems = [Problem(e["msg"], "--set", ".".join(map(str, e["loc"]))) for e in error.errors()]
        raise PlanError(problems) from error
    return manifest.with_source(Path(source) if source else None)


def plan_of(record: RunRecord, overrides: Sequence[str] | None = None) -> LoadedPlan:
    """A stored run's plan with its cases, read anew from the data set.

    Raises ``StoreError`` when the data set no longer holds the run's cases.
    """
    manifest = manifest_of(record, overrides)
    by_id: dict[str, Case] = {case.id: case for case in manifest.iter_cases()}
    missing = [case_id for case_id in record.case_ids if case_id not in by_id]
    if missing:
        raise StoreError(
            f"the data set no longer holds {len(missing)} cases of run {record.run_id!r} (first: {missing[0]!r}); "
            "restore it, or run the plan anew"
        )
    return complete(manifest, [by_id[case_id] for case_id in record.case_ids])


def exit_code(story: RunStory, manifest: RunManifest) -> int:
    """0 the measured rules hold · 1 they do not · 3 the run did not come to its end."""
    if story.result.status is not RunStatus.COMPLETED:
        return 3
    return 1 if ScoringRules.of(manifest.rules).broken_limits(story.report) else 0


async def _run(
    plan: LoadedPlan,
    store: Store | None,
    observer: RunObserver | None,
    on_interrupt: OnInterrupt | None = None,
    resumed: str | None = None,
    tracer: CallTracer | None = None,
    on_takeover: Callable[[str], None] | None = None,
) -> RunStory:
    service = executor(plan, store, observer, tracer)
    run_id = resumed or new_run_id()
    with interruptible(draining(service, on_interrupt)), holding(store, f"run:{run_id}", service, on_takeover):
        finished = store.results.finished(run_id) if store and resumed else None  # whoever had it writes no more
        async with service.session(plan.manifest) as session:
            result = await session.run(plan.cases, run_id=run_id, finished=finished)
    story = tell(plan.manifest, result, plan.sample, OptimizerService(ScoringRules.of(plan.manifest.rules)))
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

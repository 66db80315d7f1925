"""``sharpen ab PLAN``: an offline experiment through the executor and the store, and going on with one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sharpen.config.models import Case
from sharpen.errors import RunAborted, UnknownNameError
from sharpen.executor.interrupt import interruptible
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.experiments.guardrails import parse_guardrail
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.offline import OfflinePlan, PairedExperiment
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.proof.units import groups_of, units_of
from sharpen.storage.experiments import AbRecord
from sharpen.storage.store import Store
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.ab_arms import open_arms
from sharpen.wiring.ab_options import AbOptions
from sharpen.wiring.ab_records import fingerprint_of, new_record, options_of, variants_of
from sharpen.wiring.ab_reports import look_text, report_of
from sharpen.wiring.ab_variants import Variant, load_variants
from sharpen.wiring.promoting import promote_variant
from sharpen.wiring.workbench import OnInterrupt, draining, executor, holding, kept_message, worth_going_on


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who is told of what happens; all optional. ``on_look``: a sentence after every batch."""

    observer: RunObserver | None = None
    tracer: CallTracer | None = None
    on_interrupt: OnInterrupt | None = None
    on_takeover: Callable[[str], None] | None = None
    on_look: Callable[[str], None] | None = None


def ab_plan(
    path: Path,
    variants: Sequence[str],
    store: Store,
    options: AbOptions,
    overrides: Sequence[str] | None = None,
    watchers: Watchers = Watchers(),
) -> ExperimentReport:
    """Test the variants of a plan against the first of them. One that was cut off and is the same goes on.

    A test that was stopped (budget, Ctrl-C) is returned as undecided and can go on: ``resume_ab``.
    Raises ``UserError`` for mistakes in the options, ``RunAborted`` when the target cannot be reached.
    """
    options.checked()
    found = load_variants(path, variants, store, overrides)
    fingerprint = fingerprint_of(found, options)
    earlier = next(iter(store.ab_tests.unfinished(fingerprint)), None)
    if earlier is not None and watchers.on_takeover:
        watchers.on_takeover(f"A/B test {earlier.id} asks the same and has not ended: going on with it")
    record = earlier or new_record(found, options, fingerprint)
    return run(_run(record, found, options, store, watchers))


def resume_ab(
    test_id: str,
    store: Store,
    overrides: Sequence[str] | None = None,
    watchers: Watchers = Watchers(),
) -> ExperimentReport:
    """Go on with a test that was cut off, as it began; one that came to its end is told again, without any call.

    ``overrides`` change ``execution``, such as a budget that was too small. Raises ``UnknownNameError``.
    """
    record = store.ab_tests.find(test_id)
    if record is None:
        raise UnknownNameError("A/B test", test_id, [one.id for one in store.ab_tests.list()][:5])
    if record.report is not None:
        return record.report
    return run(_run(record, variants_of(record, overrides), options_of(record), store, watchers))


async def _run(
    record: AbRecord, variants: Sequence[Variant], options: AbOptions, store: Store, watchers: Watchers
) -> ExperimentReport:
    cases = {case.id: case for case in variants[0].plan.cases}
    test = _test(variants, tuple(cases.values()), options)
    service = executor(store, watchers.observer, watchers.tracer)
    stop: RunExecutionResult | None = None
    try:
        with (
            interruptible(draining(service, watchers.on_interrupt)),
            holding(store, f"ab:{record.id}", service, watchers.on_takeover),
        ):
            async with AsyncExitStack() as stack:
                arms = await open_arms(record, variants, service, store, stack)
                store.ab_tests.begin(record)
                while stop is None and (batch := test.next_batch()):
                    going = [arms[name] for name in batch.variants]
                    some = [cases[case_id] for case_id in batch.case_ids]
                    results = await asyncio.gather(*(arm.run(some) for arm in going))
                    stop = next((result for result in results if result.status is not RunStatus.COMPLETED), None)
                    if stop is None:
                        pairs = zip(going, results, strict=True)
                        told = {arm.variant.name: outcomes_of(result.task_results) for arm, result in pairs}
                        test.tell(batch, told)
                        for arm in going:
                            arm.passes += [getattr(one, options.metric) for one in told[arm.variant.name]]
                        if watchers.on_look:
                            watchers.on_look(look_text(test))
    except KeyboardInterrupt:
        if store.ab_tests.find(record.id) is None:
            raise
        raise KeyboardInterrupt(kept_message(record.id, store)) from None
    if stop is not None and stop.status is RunStatus.ABORTED:
        reason = stop.stop_reason or "the run was aborted"
        if not worth_going_on(record.id, store):
            store.ab_tests.drop(record.id)
            raise RunAborted(reason)
        raise RunAborted(f"{reason}; {kept_message(record.id, store)}")
    report = report_of(record, variants, options, test, arms, stop)
    if report.verdict == "win" and options.promote is not None:
        report = _promoted(report, variants, options.promote, store)
    if stop is None:
        store.ab_tests.finish(record.id, report)
    return report


def _test(variants: Sequence[Variant], cases: Sequence[Case], options: AbOptions) -> PairedExperiment:
    return PairedExperiment(
        OfflinePlan(
            variants=tuple(one.name for one in variants),
            units=units_of([case.id for case in cases], groups_of(cases), options.seed),
            alpha=options.alpha,
            power=options.power,
            effect=options.effect,
            metric=options.metric,
            batch=options.batch,
            guardrails=tuple(map(parse_guardrail, options.guardrails)),
        )
    )


def _promoted(report: ExperimentReport, variants: Sequence[Variant], alias: str, store: Store) -> ExperimentReport:
    best = next(one for one in variants if one.name == report.winner)
    moved = promote_variant(VersionManager(store.versions), alias, best, variants[0], report)
    return report.model_copy(update={"promotion": moved})

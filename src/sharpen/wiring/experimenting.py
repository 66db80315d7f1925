"""``sharpen ab PLAN``: an offline experiment through the executor and the store, and going on with one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sharpen.config.models import Case
from sharpen.errors import RunAborted, UnknownNameError, UserError
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.interrupt import interruptible
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult, RunStatus, TaskResult
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.run_ids import new_run_id
from sharpen.executor.session import ExecutionSession
from sharpen.experiments.guardrails import parse_guardrail
from sharpen.experiments.models import ExperimentReport, VariantSummary
from sharpen.experiments.offline import METRICS, OfflinePlan, PairedExperiment
from sharpen.experiments.planning import SamplePlan, plan_samples
from sharpen.experiments.sequential import Rule
from sharpen.experiments.wording import overall
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.proof.units import groups_of, units_of
from sharpen.storage.experiments import AbRecord
from sharpen.storage.records import SearchRecord
from sharpen.storage.store import Store
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.ab_variants import Variant, load_variants
from sharpen.wiring.plans import load_plan
from sharpen.wiring.promoting import promote_variant
from sharpen.wiring.steps import Steps
from sharpen.wiring.stored_plans import search_plan_of, search_record
from sharpen.wiring.stores import store_option
from sharpen.wiring.workbench import OnInterrupt, draining, executor, holding

PURPOSE = "ab"
CHANGED = (0.1, 0.2, 0.4)
"""Shares of cases on which two prompts differ, for plans; as a rule a tenth to two fifths do."""


@dataclass(frozen=True, slots=True)
class AbOptions:
    """How a test is judged. ``batch`` None: by the number of cases. ``promote``: the alias that a win moves."""

    alpha: float = 0.05
    power: float = 0.8
    effect: float = 0.05
    metric: str = "pass_rate"
    batch: int | None = None
    guardrails: tuple[str, ...] = ()
    seed: int = 0
    promote: str | None = None

    def checked(self) -> AbOptions:
        """Raises ``UserError`` for a value that cannot be."""
        for name in ("alpha", "power", "effect"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)!r} is not between 0 and 1")
        if self.metric not in METRICS:
            raise UnknownNameError("metric", self.metric, METRICS)
        for text in self.guardrails:
            parse_guardrail(text)
        if self.promote is not None:
            VersionManager.check_alias(self.promote)
        return self


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who is told of what happens; all optional. ``on_look``: a sentence after every batch."""

    observer: RunObserver | None = None
    tracer: CallTracer | None = None
    on_interrupt: OnInterrupt | None = None
    on_takeover: Callable[[str], None] | None = None
    on_look: Callable[[str], None] | None = None


@dataclass(slots=True)
class _Arm:
    """A variant at work: its steps, and what they took."""

    variant: Variant
    steps: Steps
    run_ids: list[str] = field(default_factory=list)
    calls: int = 0
    cost: float | None = 0.0
    passes: list[float] = field(default_factory=list)


def plan_ab(
    path: Path, overrides: Sequence[str] | None, options: AbOptions, changed: float | None = None
) -> tuple[int, tuple[SamplePlan, ...]]:
    """(samples in the data set, what the effect takes for each share of cases that may differ); nothing is called."""
    options.checked()
    cases = tuple(load_plan(path, overrides).cases)
    available = len(units_of([case.id for case in cases], groups_of(cases)))
    rule = Rule(options.alpha, options.power, options.effect)
    if changed is not None and not options.effect <= changed <= 1:
        raise UserError(
            f"--changed {changed:g} is not between the effect, {options.effect:g}, and 1: that many cases must differ"
        )
    shares = (changed,) if changed else tuple(share for share in CHANGED if share >= options.effect) or (1.0,)
    return available, tuple(plan_samples(rule, share, available) for share in shares)


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
    fingerprint = _fingerprint(found, options)
    earlier = next(iter(store.ab_tests.unfinished(fingerprint)), None)
    if earlier is not None and watchers.on_takeover:
        watchers.on_takeover(f"going on with A/B test {earlier.id}, which was cut off")
    started_at = earlier.started_at if earlier else datetime.now(UTC)
    record = earlier or AbRecord(
        id=new_run_id(),
        workflow_id=found[0].plan.manifest.workflow_id,
        started_at=started_at,
        fingerprint=fingerprint,
        definition=_definition(found, options, started_at),
    )
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
    options = AbOptions(
        **{**record.definition["options"], "guardrails": tuple(record.definition["options"]["guardrails"])}
    )
    variants = []
    for one in record.definition["variants"]:
        began = SearchRecord(
            id=record.id,
            workflow_id=record.workflow_id,
            started_at=record.started_at,
            manifest=one["manifest"],
            dataset_hash=record.definition["dataset_hash"],
        )
        plan = search_plan_of(began, overrides, "A/B test")
        variants.append(Variant(one["name"], one["label"], plan, one["version"]))
    return run(_run(record, variants, options, store, watchers))


async def _run(
    record: AbRecord, variants: Sequence[Variant], options: AbOptions, store: Store, watchers: Watchers
) -> ExperimentReport:
    control = variants[0].plan
    cases = {case.id: case for case in control.cases}
    test = PairedExperiment(
        OfflinePlan(
            variants=tuple(one.name for one in variants),
            units=units_of(tuple(cases), groups_of(cases.values()), options.seed),
            alpha=options.alpha,
            power=options.power,
            effect=options.effect,
            metric=options.metric,
            batch=options.batch,
            guardrails=tuple(map(parse_guardrail, options.guardrails)),
        )
    )
    service = executor(store, watchers.observer, watchers.tracer)
    stop: RunExecutionResult | None = None
    try:
        with (
            interruptible(draining(service, watchers.on_interrupt)),
            holding(store, f"ab:{record.id}", service, watchers.on_takeover),
        ):
            async with AsyncExitStack() as stack:
                arms = await _open(record, variants, service, store, stack)
                store.ab_tests.begin(record)
                while stop is None and (batch := test.next_batch()):
                    going = [arms[name] for name in batch.variants]
                    some = [cases[case_id] for case_id in batch.case_ids]
                    results = await asyncio.gather(*(_step(arm, some) for arm in going))
                    stop = next((result for result in results if result.status is not RunStatus.COMPLETED), None)
                    for arm, result in zip(going, results, strict=True):
                        _pay(arm, result.task_results)
                    if stop is None:
                        pairs = zip(going, results, strict=True)
                        told = {arm.variant.name: outcomes_of(result.task_results) for arm, result in pairs}
                        test.tell(batch, told)
                        for arm in going:
                            arm.passes += [getattr(one, options.metric) for one in told[arm.variant.name]]
                        if watchers.on_look:
                            watchers.on_look(_look_text(test))
    except KeyboardInterrupt:
        if store.ab_tests.find(record.id) is None:
            raise
        raise KeyboardInterrupt(_kept(record.id, store)) from None
    if stop is not None and stop.status is RunStatus.ABORTED:
        reason = stop.stop_reason or "the run was aborted"
        if not _worth_going_on(record.id, store):
            store.ab_tests.drop(record.id)
            raise RunAborted(reason)
        raise RunAborted(f"{reason}; {_kept(record.id, store)}")
    return _conclude(record, variants, options, store, test, arms, stop)


def _kept(test_id: str, store: Store) -> str:
    return f"what was finished is kept, `sharpen resume {test_id}{store_option(store)}` goes on"


def _worth_going_on(test_id: str, store: Store) -> bool:
    """Some call of the test came to an answer."""
    runs = store.runs.list(limit=None, parent_run_id=test_id)
    return any(run.statistics is None or run.statistics.succeeded_tasks + run.statistics.failed_tasks for run in runs)


async def _open(
    record: AbRecord, variants: Sequence[Variant], service: ExecutorService, store: Store, stack: AsyncExitStack
) -> dict[str, _Arm]:
    """A session for each target: variants of the same one share its limits. One budget holds for all of them."""
    budget = BudgetMeter(variants[0].plan.manifest.execution.budget)
    sessions: list[tuple[Any, ExecutionSession]] = []
    earlier = store.runs.list(limit=None, parent_run_id=record.id)
    arms = {}
    for number, one in enumerate(variants):
        manifest = one.plan.manifest
        session = next((opened for target, opened in sessions if target == manifest.target), None)
        if session is None:
            session = await stack.enter_async_context(service.session(manifest, budget, one.plan.cases))
            sessions.append((manifest.target, session))
        label = f"v{number}"  # names may hold what ids may not
        own = [store.runs.get(run.run_id) for run in earlier if run.run_id.startswith(f"{record.id}-{label}-")]
        arms[one.name] = _Arm(one, Steps(record.id, session, store, own, label))
    return arms


async def _step(arm: _Arm, cases: Sequence[Case]) -> RunExecutionResult:
    result = await arm.steps.run(arm.variant.plan.manifest.prompt, cases, PURPOSE)
    arm.run_ids.append(result.run_id)
    return result


def _pay(arm: _Arm, results: Sequence[TaskResult]) -> None:
    """Count what was paid, for every repeat, for judges and in a batch that was cut off; what is remembered is free."""
    arm.calls += sum(result.attempts + result.judge.calls for result in results)
    costs = [cost for result in results for cost in (result.cost, result.judge.cost)]
    arm.cost = None if arm.cost is None or None in costs else math.fsum([arm.cost, *(cost or 0.0 for cost in costs)])


def _conclude(
    record: AbRecord,
    variants: Sequence[Variant],
    options: AbOptions,
    store: Store,
    test: PairedExperiment,
    arms: Mapping[str, _Arm],
    stop: RunExecutionResult | None,
) -> ExperimentReport:
    comparisons, control = test.comparisons(), variants[0]
    available = len(test.plan.units)
    why = (stop.stop_reason or "it was stopped") if stop else f"all {available:,} cases are used"
    verdict, winner, headline, reason = overall(
        comparisons, control.name, over=True, stop=why, goes_on=stop is not None
    )
    costs = [arm.cost for arm in arms.values()]
    report = ExperimentReport(
        id=record.id,
        kind="offline",
        workflow_id=record.workflow_id,
        metric=options.metric,
        verdict=verdict,
        winner=winner,
        headline=headline,
        reason=reason,
        control=control.name,
        variants=tuple(_summary(arms[one.name], number == 0) for number, one in enumerate(variants)),
        comparisons=comparisons,
        metrics=test.metrics(),
        guardrails=test.guardrails(),
        alpha=options.alpha,
        power=options.power,
        effect=options.effect,
        samples=test.samples,
        available=available,
        stop_reason=why if verdict == "undecided" else None,
        calls=sum(arm.calls for arm in arms.values()),
        cost=None if None in costs else math.fsum(cost or 0.0 for cost in costs),
        started_at=record.started_at,
        finished_at=datetime.now(UTC),
    )
    if verdict == "win" and options.promote is not None:
        best = next(one for one in variants if one.name == winner)
        moved = promote_variant(VersionManager(store.versions), options.promote, best, control, report)
        report = report.model_copy(update={"promotion": moved})
    if stop is None:
        store.ab_tests.finish(record.id, report)
    return report


def _summary(arm: _Arm, control: bool) -> VariantSummary:
    return VariantSummary(
        name=arm.variant.name,
        label=arm.variant.label,
        control=control,
        samples=len(arm.passes),
        mean=math.fsum(arm.passes) / len(arm.passes) if arm.passes else None,
        calls=arm.calls,
        cost=arm.cost,
        run_ids=tuple(arm.run_ids),
        prompt_hash=arm.variant.plan.manifest.prompt.content_hash,
        version=arm.variant.version,
    )


def _look_text(test: PairedExperiment) -> str:
    told = [
        f"{one.variant} {one.estimate * 100:+.1f} points [{one.low * 100:+.1f}, {one.high * 100:+.1f}]"
        + (f" {one.state}" if one.state != "open" else "")
        for one in test.comparisons()
    ]
    return f"{test.samples:,} of {len(test.plan.units):,}: {' · '.join(told)}"


def _definition(variants: Sequence[Variant], options: AbOptions, started_at: datetime) -> dict[str, Any]:
    snapshots = [search_record("", one.plan, started_at) for one in variants]
    return {
        "options": asdict(options),
        "dataset_hash": snapshots[0].dataset_hash,
        "variants": [
            {"name": one.name, "label": one.label, "version": one.version, "manifest": snapshot.manifest}
            for one, snapshot in zip(variants, snapshots, strict=True)
        ],
    }


def _fingerprint(variants: Sequence[Variant], options: AbOptions) -> str:
    """What makes two tests the same: variants, cases, what is expected, and how they are judged."""
    content = [
        [
            [one.name, one.plan.manifest.prompt.content_hash, one.plan.manifest.target.model_dump(mode="json")]
            for one in variants
        ],
        variants[0].plan.manifest.workflow_id,
        variants[0].plan.manifest.case_set().content_hash,
        [check.model_dump(mode="json") for check in variants[0].plan.manifest.assertions],
        variants[0].plan.manifest.execution.repeats,
        asdict(options),
    ]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def ab_exit_code(report: ExperimentReport, finished: bool) -> int:
    """0 it came to its end · 1 a guardrail or the split of units was broken · 3 it was stopped before its end."""
    if report.verdict in ("harm", "mismatch"):
        return 1
    return 0 if finished else 3

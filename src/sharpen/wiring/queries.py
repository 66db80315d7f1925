"""What a store can tell without calling anything: stories, decisions, exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharpen.config.models import Case
from sharpen.executor.models import RunStatus
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import Decision, PromptAnalysis, TestExecutionReport
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.pipeline import RunStory, analyze_plan, tell
from sharpen.storage.export import export_run as export_lines
from sharpen.storage.store import Store
from sharpen.wiring.failures import stored_patterns
from sharpen.wiring.listing import SHOWN_PURPOSES
from sharpen.wiring.plans import LoadedPlan, load_plan, plan_path
from sharpen.wiring.references import rules_of
from sharpen.wiring.stored_plans import manifest_of


@dataclass(frozen=True, slots=True)
class DecidedStory:
    """A decision and what it rests on; ``report`` is None when the plan has not been run with this prompt yet."""

    workflow_id: str
    decision: Decision
    analysis: PromptAnalysis
    report: TestExecutionReport | None = None
    run_id: str | None = None
    patterns: ErrorPatterns | None = None


def load_story(run_id: str, store: Store, overrides: Sequence[str] | None = None) -> tuple[LoadedPlan, RunStory]:
    """A stored run and what it means, by the rules of its own plan and the inputs as they were stored."""
    record = store.runs.get(run_id)
    manifest = manifest_of(record, overrides)
    stored = store.cases.stored(record.run_id)
    plan = LoadedPlan(manifest, tuple(stored) if record.case_ids else stored)
    service = OptimizerService(rules_of(manifest, store))
    return plan, tell(manifest, store.runs.load_result(record.run_id), plan.sample, service)


def stored_cases(run_id: str, store: Store) -> tuple[Case, ...]:
    """The inputs of a run as they were stored."""
    return tuple(store.cases.stored(run_id))


def decide(subject: str, store: Store, overrides: Sequence[str] | None = None) -> DecidedStory:
    """The decision on a run, or on a plan by its newest run with the same prompt (else by analysis alone).

    A complete run is better evidence than a newer one that was cut short.
    """
    path = plan_path(subject)
    if path is None:
        plan, story = load_story(subject, store, overrides)
        run_id = story.result.run_id
        patterns = stored_patterns(story.result, store)
        return DecidedStory(plan.manifest.workflow_id, story.decision, story.analysis, story.report, run_id, patterns)
    return decide_plan(load_plan(path, overrides), store)


def decide_plan(plan: LoadedPlan, store: Store) -> DecidedStory:
    """``decide`` for a plan that is loaded."""
    manifest = plan.manifest
    service = OptimizerService(rules_of(manifest, store))
    analysis = analyze_plan(manifest, plan.sample)
    same = store.runs.list(manifest.workflow_id, None, purpose=SHOWN_PURPOSES, prompt_hash=manifest.prompt.content_hash)
    runs = [run for run in same if run.finished_at]
    newest = min(runs, key=lambda run: run.status is not RunStatus.COMPLETED, default=None)  # the first of the best
    result = store.runs.load_result(newest.run_id) if newest else None
    report = TestExecutionReport.from_executor_result(result) if result else None
    patterns = stored_patterns(result, store) if result else None
    decision = service.decide(analysis, report)
    return DecidedStory(manifest.workflow_id, decision, analysis, report, newest.run_id if newest else None, patterns)


def export_run(run_id: str, store: Store, form: str) -> Iterator[str]:
    """A run's results, one line a case; ``form``: jsonl, csv or recorded."""
    return export_lines(store, store.runs.get(run_id).run_id, form)

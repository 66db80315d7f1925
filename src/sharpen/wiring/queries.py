"""What a store can tell without calling anything: runs, stories, decisions, comparisons, exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharpen.config.models import Case
from sharpen.errors import UnknownNameError, UserError
from sharpen.executor.models import RunStatus
from sharpen.optimizer.models import Decision, PromptAnalysis, TestExecutionReport, Verification
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.optimizer.verification import verify
from sharpen.pipeline import RunStory, analyze_plan, tell
from sharpen.storage.export import export_run as export_lines
from sharpen.storage.records import RunSummary
from sharpen.storage.store import Store
from sharpen.wiring.plans import LoadedPlan, load_plan, plan_path
from sharpen.wiring.stored_plans import manifest_of

SHOWN_PURPOSES = ("run", "baseline")


@dataclass(frozen=True, slots=True)
class DecidedStory:
    """A decision and what it rests on; ``report`` is None when the plan has not been run with this prompt yet."""

    workflow_id: str
    decision: Decision
    analysis: PromptAnalysis
    report: TestExecutionReport | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs on the cases that both ran. ``differences`` names what else differs: target, prompt, cases."""

    first: RunSummary
    second: RunSummary
    proof: Verification
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    still_failing: tuple[str, ...]
    differences: tuple[str, ...]


def list_runs(store: Store, workflow: str | None, limit: int, every_purpose: bool) -> tuple[RunSummary, ...]:
    """Runs, newest first; a search's candidate runs only with ``every_purpose``.

    Raises ``UnknownNameError`` for a workflow of which nothing was ever run.
    """
    found = store.runs.list(workflow, limit if every_purpose else None)
    if not found and workflow is not None:
        raise UnknownNameError("workflow", workflow, {run.workflow_id for run in store.runs.list(None, None)})
    shown = [run for run in found if every_purpose or run.purpose in SHOWN_PURPOSES]
    return tuple(shown[:limit])


def load_story(run_id: str, store: Store, overrides: Sequence[str] | None = None) -> tuple[LoadedPlan, RunStory]:
    """A stored run and what it means, by the rules of its own plan and the inputs as they were stored."""
    record = store.runs.get(run_id)
    manifest = manifest_of(record, overrides)
    stored = store.cases.stored(record.run_id)
    plan = LoadedPlan(manifest, stored if record.dataset_hash else tuple(stored))
    service = OptimizerService(ScoringRules.of(manifest.rules))
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
        return DecidedStory(
            plan.manifest.workflow_id, story.decision, story.analysis, story.report, story.result.run_id
        )
    plan = load_plan(path, overrides)
    manifest = plan.manifest
    service = OptimizerService(ScoringRules.of(manifest.rules))
    analysis = analyze_plan(manifest, plan.sample)
    runs = [
        run
        for run in store.runs.list(manifest.workflow_id, None)
        if run.purpose in SHOWN_PURPOSES and run.finished_at and run.prompt_hash == manifest.prompt.content_hash
    ]
    newest = min(runs, key=lambda run: run.status is not RunStatus.COMPLETED, default=None)  # the first of the best
    report = TestExecutionReport.from_executor_result(store.runs.load_result(newest.run_id)) if newest else None
    decision = service.decide(analysis, report)
    return DecidedStory(manifest.workflow_id, decision, analysis, report, newest.run_id if newest else None)


def compare_runs(first: str, second: str, store: Store, alpha: float = 0.05) -> RunComparison:
    """Paired by case. Raises ``UserError`` when the runs share no case that both ran."""
    old, new = store.runs.get(first), store.runs.get(second)
    before = {outcome.case_id: outcome for outcome in outcomes_of(store.results.list(old.run_id))}
    after = {outcome.case_id: outcome for outcome in outcomes_of(store.results.list(new.run_id))}
    shared = [case_id for case_id in before if case_id in after and before[case_id].ran and after[case_id].ran]
    if not shared:
        raise UserError(f"runs {old.run_id!r} and {new.run_id!r} share no case that both ran; nothing to compare")
    proof = verify(shared, before, after, alpha=alpha, rules=ScoringRules())
    differences = [
        name
        for name, differs in (
            ("target or its parameters", old.target != new.target),
            ("prompt", old.prompt_hash != new.prompt_hash),
            ("cases", set(old.case_ids) != set(new.case_ids)),
        )
        if differs
    ]
    return RunComparison(
        first=old,
        second=new,
        proof=proof,
        fixed=tuple(pair.case_id for pair in proof.pairs if pair.candidate > pair.baseline),
        broken=tuple(pair.case_id for pair in proof.pairs if pair.candidate < pair.baseline),
        still_failing=tuple(pair.case_id for pair in proof.pairs if pair.baseline == pair.candidate < 1),
        differences=tuple(differences),
    )


def export_run(run_id: str, store: Store, form: str) -> Iterator[str]:
    """A run's results, one line a case; ``form``: jsonl, csv or recorded."""
    return export_lines(store, store.runs.get(run_id).run_id, form)

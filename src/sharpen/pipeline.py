"""The whole story: run → report → decide → optimize → verify → version.

Everything concrete comes in through a ``Workbench``, which ``wiring`` builds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sharpen.config.models import Case, RunManifest
from sharpen.config.prompts import PromptTemplate
from sharpen.config.rules import PlanRules
from sharpen.config.targets import LocalTarget
from sharpen.errors import ErrorKind, RunAborted
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.optimizer.analysis.analyzer import LintContext
from sharpen.optimizer.engine import SearchOutcome
from sharpen.optimizer.error_patterns import ErrorPatterns, learning_patterns, strategies_for
from sharpen.optimizer.looks import joined
from sharpen.optimizer.measures import broken_limits
from sharpen.optimizer.models import (
    Decision,
    OptimizationConfig,
    OptimizationOutcome,
    OptimizationResult,
    Prompt,
    PromptAnalysis,
    TestExecutionReport,
    Verification,
)
from sharpen.optimizer.optimizer_service import OptimizerService, analyze_prompt
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.planning import SearchPlan, nothing_to_win, plan_search
from sharpen.optimizer.ports import CaseOutcome, HoldoutLedger, LabelledCase, Purpose, RewritePrompt, SpendMeter
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.recommending.models import Recommendation
from sharpen.optimizer.strategies.registry import AUTO, SAVES, expand
from sharpen.versions.models import PromptVersion
from sharpen.versions.newer import newer_than
from sharpen.versions.provenance import Provenance, provenance_of
from sharpen.versions.version_manager import VersionManager

Recommend = Callable[[Sequence[str], PromptAnalysis, ErrorPatterns | None], Recommendation]
"""(the strategies in the order of the rules, the prompt's analysis, what fails on train and dev) → what to do."""


NO_MATTER_OF_THE_PROMPT = frozenset(
    {ErrorKind.CONNECTION, ErrorKind.SERVER, ErrorKind.RATE_LIMIT, ErrorKind.AUTHENTICATION}
)


class Workbench(Protocol):
    """The concrete things that a story needs, opened once for all its runs."""

    run_id: str
    started_at: datetime
    cases: Sequence[Case]
    service: OptimizerService
    versions: VersionManager
    meter: SpendMeter
    rewrite: RewritePrompt | None
    holdout: HoldoutLedger

    @property
    def recommend(self) -> Recommend:
        """Asks earlier searches in which order to try what ``auto`` stands for."""
        ...

    @property
    def keeping(self) -> Callable[[], AbstractContextManager[object]]:
        """Makes a block in which nobody else adds versions to the workflow: which one is the latest stays true."""
        ...

    async def execute(
        self, prompt: PromptTemplate | None, case_ids: Sequence[str] | None, purpose: str
    ) -> RunExecutionResult:
        """Run a prompt (None: the plan's) on cases (None: all)."""
        ...

    def spent(self) -> tuple[int, float | None]:
        """Tokens, and cost in USD (None: unknown), of everything called so far."""
        ...


@dataclass(frozen=True, slots=True)
class RunStory:
    """A run and what it means."""

    result: RunExecutionResult
    report: TestExecutionReport
    analysis: PromptAnalysis
    decision: Decision


def analyze_plan(manifest: RunManifest, cases: Sequence[Case]) -> PromptAnalysis:
    """The static analysis of a plan's prompt, knowing its assertions and its data set."""
    columns = frozenset[str]().union(*(case.vars for case in cases)) if cases else None
    context = LintContext(assertions=manifest.assertions, columns=columns, cases=cases, api=api_of(manifest))
    return analyze_prompt(prompt_of(manifest), context)


def tell(
    manifest: RunManifest, result: RunExecutionResult, cases: Sequence[Case], service: OptimizerService
) -> RunStory:
    """Report and decision of a finished run. Raises ``NoTasksError`` when it holds no task."""
    report = TestExecutionReport.from_executor_result(result)
    analysis = analyze_plan(manifest, cases)
    return RunStory(result, report, analysis, service.decide(analysis, report))


async def optimize(manifest: RunManifest, bench: Workbench) -> OptimizationOutcome:
    """The whole loop.

    Raises ``TooFewCasesError`` before anything is paid, also when earlier searches have used the cases up, and
    ``RunAborted`` when the target cannot go on.
    """
    searched = plan_search(manifest, bench.cases, bench.holdout, bench.run_id)
    split = searched.split
    baseline = await bench.execute(None, None, "baseline")
    if baseline.status is RunStatus.ABORTED:
        raise RunAborted(baseline.stop_reason or "the run was aborted")
    story = tell(manifest, baseline, bench.cases, bench.service)
    cases = _labelled(bench.cases, searched.account.groups)
    patterns = learning_patterns(cases, _by_case(baseline), split)
    notes = newer_than(bench.versions, prompt_of(manifest), bench.run_id)
    found: dict[str, Any] = {"stop_reason": baseline.stop_reason}
    if story.decision.should_optimize and baseline.status is RunStatus.COMPLETED:
        if why := _hopeless(manifest, story, searched):
            found["notes"] = (why,)
        else:
            found = await _improve(manifest, bench, story, searched, cases, patterns)
    tokens, cost = bench.spent()
    return OptimizationOutcome(
        run_id=bench.run_id,
        workflow_id=manifest.workflow_id,
        started_at=bench.started_at,
        finished_at=datetime.now(UTC),
        baseline_run=baseline,
        baseline=story.report,
        analysis=story.analysis,
        decision=story.decision,
        split={"train": split.train, "dev": split.dev, "holdout": split.holdout},
        calls=bench.meter.calls_made(),
        tokens=tokens,
        cost=cost,
        patterns=patterns,
        engine=manifest.optimize.engine,
        notes=(*notes, *found.pop("notes", ())),
        **found,
    )


def _hopeless(manifest: RunManifest, story: RunStory, searched: SearchPlan) -> str | None:
    """Why a search would be paid for nothing, as the baseline shows; None when it may help."""
    statistics = story.result.statistics
    if not statistics.succeeded_tasks + statistics.failed_tasks:
        kinds = {task.error.kind for task in story.result.task_results if task.error}
        if kinds <= NO_MATTER_OF_THE_PROMPT:
            named = ", ".join(sorted(kind.value.replace("_", " ") for kind in kinds))
            return f"no call was answered ({named}), and no other prompt changes that"
    named_first = manifest.optimize.strategies[0]
    saving = (story.decision.strategy if named_first == AUTO else named_first) == SAVES
    if saving or manifest.optimize.weights is not None:  # what is cheaper and no worse can be proved where all pass
        return None
    return nothing_to_win(searched, _by_case(story.result))


async def _improve(
    manifest: RunManifest,
    bench: Workbench,
    story: RunStory,
    searched: SearchPlan,
    cases: Sequence[LabelledCase],
    patterns: ErrorPatterns | None,
) -> dict[str, Any]:
    """Search, proof and version, as fields of the outcome."""
    config = OptimizationConfig.model_validate(
        {**dict(manifest.optimize), "score_threshold": manifest.rules.optimization_threshold}
    )
    account, split = searched.account, searched.split
    account.draw(split)
    seed = prompt_of(manifest)
    holdout_runs: list[RunExecutionResult] = []
    stopped: list[str] = []

    async def evaluate(prompt: Prompt, case_ids: Sequence[str], purpose: Purpose) -> tuple[CaseOutcome, ...]:
        run = await bench.execute(prompt, case_ids, purpose)
        if run.status is RunStatus.ABORTED:
            raise RunAborted(run.stop_reason or "the run was aborted")
        if purpose == "holdout":
            holdout_runs.append(run)
        if run.stop_reason:
            stopped.append(run.stop_reason)
        return outcomes_of(run.task_results, case_ids)

    promising, has_rewriter = strategies_for(patterns), bench.rewrite is not None
    rules = expand((AUTO,), story.decision.strategy, has_rewriter, promising)
    recommendation = bench.recommend(rules, story.analysis, patterns)
    measurement = Measurement(
        cases=cases,
        baseline=_by_case(story.result),
        split=split,
        evaluate=evaluate,
        meter=bench.meter,
        assertions=manifest.assertions,
        api=api_of(manifest),
        rewrite=bench.rewrite,
        max_added_tokens=_room(manifest),
        repeats=manifest.execution.repeats,
        base_dir=manifest.base_dir,
        supplied=manifest.optimize.candidates,
        account=account,
        patterns=patterns,
        learned=recommendation.order,
    )
    search = await bench.service.search(seed, story.analysis, story.decision.strategy, config, measurement)
    found: dict[str, Any] = {
        "candidates": search.candidates,
        "stop_reason": next(iter(stopped), search.stop_reason),
        "recommendation": recommendation,
        "shares": search.shares,
        "notes": search.notes,
    }
    if search.winner is None:
        return found
    result = bench.service.result_of(seed, search, story.decision.strategy)
    run_ids = (story.result.run_id, *(run.run_id for run in holdout_runs))
    with bench.keeping():
        version = _keep(bench, result, search, run_ids, provenance_of(manifest))
    if result.accepted and search.verification and (broken := still_broken(search.verification, manifest.rules)):
        found["notes"] += (f"better, and yet the held-out cases break the plan's {', '.join(sorted(broken))}",)
    return found | {
        "result": result,
        "verification": search.verification,
        "holdout_run": joined(holdout_runs),
        "version" if result.accepted else "draft": version.version,
    }


def still_broken(proof: Verification, rules: PlanRules) -> set[str]:
    """Names of the rules that an accepted version breaks on its held-out cases."""
    # held against an earlier version, what was proved better than the plan's prompt is good enough
    historical = rules.no_worse_than is not None
    return broken_limits(proof.candidate, dataclasses.replace(rules, min_success_rate=0.0) if historical else rules)


def _labelled(cases: Sequence[Case], groups: Mapping[str, str]) -> list[LabelledCase]:
    return [
        LabelledCase(case.id, dict(case.vars), case.expected, dict(case.metadata), groups.get(case.id))
        for case in cases
    ]


def _by_case(result: RunExecutionResult) -> dict[str, CaseOutcome]:
    return {outcome.case_id: outcome for outcome in outcomes_of(result.task_results)}


def _keep(
    bench: Workbench,
    result: OptimizationResult,
    search: SearchOutcome,
    run_ids: tuple[str, ...],
    provenance: Provenance,
) -> PromptVersion:
    """A new version when the proof accepted the winner, a draft otherwise; the seed is a version before either.

    What is the latest version already, or a draft already, is not kept twice; nor is what this very search kept before
    it was cut off, whatever others have kept since.
    """
    seed, workflow_id, proof = result.original_prompt, result.workflow_id, search.verification
    winning = result.optimized_prompt.content_hash
    for version in bench.versions.list(workflow_id):
        if (version.content_hash, version.run_ids) == (winning, run_ids):
            return version
    latest = bench.versions.latest(workflow_id)
    kept = latest if result.accepted else bench.versions.find_by_content(workflow_id, winning)
    if kept is not None and kept.content_hash == winning:
        return kept
    parent = bench.versions.find_by_content(workflow_id, seed.content_hash)
    if parent is None:
        parent = bench.versions.create(
            workflow_id,
            seed,
            kind="baseline",
            run_ids=run_ids[:1],
            metrics=proof.baseline if proof else None,
            message="the prompt as the plan names it",
            provenance=provenance,
        )
    return bench.versions.create(
        workflow_id,
        result.optimized_prompt,
        kind="optimized" if result.accepted else "draft",
        bump=bench.service.rules.version_bump_type(result.improvement_score),
        parent=parent.version,
        improvement=result.improvement_score,
        run_ids=run_ids,
        metrics=proof.candidate if proof else None,
        verification=proof,
        changes=result.changes,
        message=proof.reason if proof else "not proved",
        provenance=provenance,
    )


def prompt_of(manifest: RunManifest) -> Prompt:
    """The plan's prompt under the workflow's name."""
    return Prompt.of(manifest.prompt, id=manifest.workflow_id, workflow_id=manifest.workflow_id)


def api_of(manifest: RunManifest) -> str:
    """How the target sends messages: ``chat`` or ``completions``."""
    return str(getattr(manifest.target, "api", "chat"))


def _room(manifest: RunManifest) -> int | None:
    """Tokens that demonstrations may add: half the context of a local model, whose window is known; else no limit."""
    return manifest.target.context // 2 if isinstance(manifest.target, LocalTarget) else None

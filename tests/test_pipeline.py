"""The story without a store or a target: what ``optimize`` does with what the workbench gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from factories import make_run, make_task
from sharpen.config.models import Case, RunManifest
from sharpen.config.prompts import PromptTemplate
from sharpen.errors import ErrorKind, NoTasksError, RunAborted, TooFewCasesError
from sharpen.executor.models import RunExecutionResult, RunStatus, TaskError, TaskResult, TaskStatus
from sharpen.optimizer.models import OptimizationOutcome, PromptAnalysis
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.ports import SpendMeter
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.optimizer.recommending.features import features_of
from sharpen.optimizer.recommending.models import Recommendation
from sharpen.optimizer.recommending.recommender import by_the_rules
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.pipeline import analyze_plan, api_of, optimize, prompt_of, tell
from sharpen.versions.version_manager import VersionManager

Passes = Callable[[str, str], bool]
"""(rendered prompt text, case id) → whether the case passes."""

SEED = "Which queue?\n\n{{ message }}"


def manifest(**keys: Any) -> RunManifest:
    cases = [{"id": f"c{n:02}", "vars": {"message": str(n)}, "expected": "ab"[n % 2]} for n in range(30)]
    plan = {
        "workflow_id": "w",
        "prompt": {"user": SEED},
        "target": {"kind": "scripted", "default": {"output": "a"}},
        "dataset": cases,
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "optimize": {"strategies": ["format_focus"]},
    }
    return RunManifest.model_validate(plan | keys)


class Bench(SpendMeter):
    """A workbench whose model passes as ``passes`` says; ``max_calls`` as the executor's budget would hold."""

    def __init__(self, plan: RunManifest, passes: Passes, max_calls: int | None = None) -> None:
        self.run_id = "opt-1"
        self.started_at = datetime.now(UTC)
        self.cases: Sequence[Case] = tuple(plan.iter_cases())
        self.service = OptimizerService(ScoringRules.of(plan.rules))
        self.versions = VersionManager()
        self.keeping = nullcontext
        self.recommend = partial(self.recommended, plan)
        self.meter = self
        self.rewrite = None
        self.holdout = MemoryLedger()
        self.plan, self.passes, self.max_calls = plan, passes, max_calls
        self.purposes: list[str] = []
        self.learned: tuple[str, ...] = ()
        self.calls = 0
        self.aborts_at: str | None = None

    def calls_made(self) -> int:
        return self.calls

    def calls_left(self) -> int | None:
        return None if self.max_calls is None else self.max_calls - self.calls

    def spent(self) -> tuple[int, float | None]:
        return 10 * self.calls, None

    def recommended(
        self, plan: RunManifest, rules: Sequence[str], analysis: PromptAnalysis, patterns: ErrorPatterns | None
    ) -> Recommendation:
        """The order of the rules, or ``learned`` by who sets it."""
        known = features_of(analysis, patterns, measured=True, target=plan.target.kind)
        found = by_the_rules(known, rules, "nothing to learn from")
        return found.model_copy(update={"order": self.learned}) if self.learned else found

    async def execute(
        self, prompt: PromptTemplate | None, case_ids: Sequence[str] | None, purpose: str
    ) -> RunExecutionResult:
        self.purposes.append(purpose)
        text = (prompt or self.plan.prompt).text
        tasks = [self.task(text, case_id) for case_id in case_ids or [case.id for case in self.cases]]
        result = make_run(tasks, run_id=f"run-{len(self.purposes)}", workflow_id="w")
        if purpose == self.aborts_at:
            return result.model_copy(update={"status": RunStatus.ABORTED, "stop_reason": "the server is gone"})
        if any(task.status is TaskStatus.CANCELLED for task in tasks):
            changes = {"status": RunStatus.BUDGET_EXHAUSTED, "stop_reason": "the budget is spent"}
            return result.model_copy(update=changes)
        return result

    def task(self, text: str, case_id: str) -> TaskResult:
        if self.calls_left() == 0:
            error = TaskError(kind=ErrorKind.BUDGET, message="not called")
            return make_task(case_id, TaskStatus.CANCELLED, attempts=0, error=error)
        self.calls += 1
        passed = self.passes(text, case_id)
        return make_task(case_id, TaskStatus.SUCCEEDED if passed else TaskStatus.FAILED, attempts=1)


async def story(passes: Passes, max_calls: int | None = None, **keys: Any) -> tuple[OptimizationOutcome, Bench]:
    plan = manifest(**keys)
    bench = Bench(plan, passes, max_calls)
    return await optimize(plan, bench), bench


def asked(text: str, case_id: str) -> bool:
    """Passes once the prompt says which answers there are."""
    return "a, b" in text or "a or b" in text


async def test_accepted() -> None:
    outcome, bench = await story(asked)
    assert outcome.version == "2.0.0"
    assert outcome.draft is None
    assert outcome.verification is not None
    assert outcome.verification.accepted
    assert outcome.result is not None
    assert outcome.result.improvement_score == 100
    assert bench.purposes[0] == "baseline"
    assert bench.purposes[-1] == "holdout"
    assert outcome.holdout_run is not None
    kept = bench.versions.latest("w")
    assert kept is not None
    assert kept.parent == "1.0.0"
    assert kept.run_ids == ("run-1", outcome.holdout_run.run_id)
    assert (outcome.calls, outcome.tokens, outcome.cost) == (bench.calls, 10 * bench.calls, None)


async def test_the_parts_of_the_split_are_told_and_share_no_case() -> None:
    outcome, bench = await story(asked)
    parts = [set(outcome.split[name]) for name in ("train", "dev", "holdout")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(bench.cases)
    assert outcome.verification is not None
    assert {pair.case_id for pair in outcome.verification.pairs} < parts[2], "it was won before the last look"
    assert outcome.verification.planned_cases == len(parts[2])


async def test_nothing_to_do_costs_the_baseline_and_makes_no_version() -> None:
    rules = {"optimization_threshold": 0}
    outcome, bench = await story(lambda _text, _case: True, rules=rules)
    assert bench.purposes == ["baseline"]
    assert (outcome.result, outcome.verification, outcome.version, outcome.candidates) == (None, None, None, ())
    assert bench.versions.list("w") == ()


async def test_a_gain_on_dev_that_holdout_does_not_confirm_is_a_draft() -> None:
    split, _ = await story(asked)
    dev = set(split.split["dev"])
    outcome, bench = await story(lambda text, case: asked(text, case) and case in dev)
    assert outcome.version is None
    assert outcome.draft is not None
    assert outcome.result is not None
    assert not outcome.result.accepted
    assert bench.versions.get("w", outcome.draft).kind == "draft"
    assert bench.versions.latest("w") == bench.versions.get("w", "1.0.0")


async def test_no_candidate_better_on_dev_means_no_result_and_no_proof() -> None:
    outcome, bench = await story(lambda _text, _case: False)
    assert outcome.candidates
    assert (outcome.result, outcome.version) == (None, None)
    assert "holdout" not in bench.purposes


async def test_too_few_cases_are_refused_before_anything_runs() -> None:
    plan = manifest(dataset=manifest().model_dump(mode="json")["dataset"]["cases"][:5])
    bench = Bench(plan, asked)
    with pytest.raises(TooFewCasesError, match="5 cases are too few"):
        await optimize(plan, bench)
    assert bench.purposes == []


@pytest.mark.parametrize("purpose", ["baseline", "candidate", "holdout"])
async def test_an_aborted_run_ends_the_story_with_its_reason(purpose: str) -> None:
    bench = Bench(manifest(), asked)
    bench.aborts_at = purpose
    with pytest.raises(RunAborted, match="the server is gone"):
        await optimize(manifest(), bench)
    assert bench.purposes[-1] == purpose


async def test_a_baseline_that_was_cut_short_decides_but_does_not_search() -> None:
    outcome, bench = await story(asked, max_calls=7)
    assert bench.purposes == ["baseline"]
    assert outcome.stop_reason == "the budget is spent"
    assert outcome.result is None
    assert outcome.calls == 7


@pytest.mark.parametrize("max_calls", range(30, 80, 7))
async def test_no_budget_is_ever_exceeded(max_calls: int) -> None:
    outcome, bench = await story(asked, max_calls=max_calls)
    assert outcome.calls == bench.calls <= max_calls
    if outcome.version:
        assert outcome.verification is not None
        assert outcome.verification.holdout_cases == 7, "the fewest that prove anything of twelve"


async def test_a_second_search_that_finds_the_same_keeps_it_once() -> None:
    plan = manifest()
    bench = Bench(plan, asked)
    first = await optimize(plan, bench)
    second = await optimize(plan, bench)
    assert second.version == first.version
    assert len(bench.versions.list("w")) == 2


def test_a_run_without_a_task_is_no_story() -> None:
    plan = manifest()
    with pytest.raises(NoTasksError):
        tell(plan, make_run([], workflow_id="w"), tuple(plan.iter_cases()), OptimizerService())


def test_the_analysis_knows_what_the_plan_knows() -> None:
    plan = manifest(prompt={"user": "Which queue?\n\n{{ massage }}"})
    cases = tuple(plan.iter_cases())
    with_cases = {issue.name for issue in analyze_plan(plan, cases).issues}
    assert "undefined-variable" in with_cases
    assert "undefined-variable" not in {issue.name for issue in analyze_plan(plan, ()).issues}


def test_the_prompt_and_the_api_of_a_plan() -> None:
    plan = manifest()
    assert (prompt_of(plan).id, prompt_of(plan).workflow_id) == ("w", "w")
    assert api_of(plan) == "chat"
    local = manifest(target={"kind": "local", "model": "x.gguf"})
    assert api_of(local) == "completions"


async def test_a_later_search_is_told_of_the_version_that_the_first_one_made() -> None:
    first, bench = await story(asked)
    assert (first.version, first.notes) == ("2.0.0", ())
    again = Bench(manifest(), asked)
    again.run_id, again.versions = "opt-2", bench.versions
    (note,) = (await optimize(again.plan, again)).notes
    assert note.startswith("version 2.0.0 (latest) is newer than the plan's prompt, 1.0.0: ")

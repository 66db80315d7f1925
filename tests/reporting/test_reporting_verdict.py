"""What a report says first, for every way that a run or an optimization can end."""

from __future__ import annotations

import pytest

from factories import make_decision, make_outcome, make_report, make_run, make_task, nothing_to_do, unfinished_run
from sharpen.executor.models import RunExecutionResult, RunStatus, TaskStatus
from sharpen.reporting.verdict import VerdictText, of_optimization, of_run


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RunStatus.RUNNING, "The run was interrupted."),
        (RunStatus.CANCELLED, "The run was cancelled."),
        (RunStatus.BUDGET_EXHAUSTED, "The budget was spent."),
        (RunStatus.ABORTED, "The run was aborted."),
    ],
)
def test_a_run_that_did_not_finish_says_so_first(status: RunStatus, words: str) -> None:
    run = make_run([make_task("a"), make_task("b", TaskStatus.CANCELLED)], status=status)
    verdict = of_run(run, make_report(run), make_decision())
    assert verdict == VerdictText("warn", "Unfinished", "1 of 1 that ran passed, 1 did not run", words)


def test_a_killed_run_counts_what_is_missing() -> None:
    run = make_run([make_task(f"c{n}") for n in range(4)])
    statistics = run.statistics.model_copy(update={"total_tasks": 24, "success_rate": 4 / 24})
    killed = make_run(run.task_results, statistics=statistics, status=RunStatus.RUNNING)
    assert of_run(killed, make_report(killed), None).headline == "4 of 4 that ran passed, 20 did not run"
    unborn = make_run([make_task("a", TaskStatus.CANCELLED)], status=RunStatus.CANCELLED)
    assert of_run(unborn, make_report(unborn), None).headline == "No test ran to an end, 1 did not run"


def test_the_rate_of_a_run_is_taken_over_the_tests_that_ran() -> None:
    statuses = (TaskStatus.SUCCEEDED, TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED)
    run = make_run([make_task(f"c{n}", status) for n, status in enumerate(statuses)])
    assert of_run(run, make_report(run), make_decision(False)).headline == "66.7% passed"


def test_one_broken_rule_is_singular() -> None:
    decision = make_decision()
    verdict = of_run(make_run(), make_report(), decision.model_copy(update={"triggers": decision.triggers[:1]}))
    assert verdict.detail == "1 of 3 tests passed; 1 rule of the plan does not hold."
    assert verdict.notes == ("too few cases pass: success_rate 0.56 < 0.8",)


def _interrupted() -> RunExecutionResult:
    return unfinished_run()


LOST = {"result": None, "verification": None, "holdout_run": None, "version": None, "draft": None}


def test_every_end_of_an_optimization_has_its_own_words() -> None:
    accepted = of_optimization(make_outcome())
    assert (accepted.tone, accepted.headline) == ("good", "New version 2.0.0: +40.0 points")
    nameless = of_optimization(make_outcome(version=None))
    assert nameless.headline == "New better prompt: +40.0 points"
    refused = of_optimization(make_outcome(candidate_rate=0.5, stop_reason="budget spent"))
    assert (refused.tone, refused.headline) == ("warn", "No improvement proved")
    assert refused.notes == ("Stopped early: budget spent",)
    assert of_optimization(nothing_to_do()).headline == "Nothing to optimize"
    stopped = of_optimization(make_outcome(**LOST, candidates=(), baseline_run=_interrupted()))
    assert (stopped.label, stopped.headline) == ("Unfinished", "The baseline did not finish")
    assert stopped.detail.startswith("So far, ")
    empty = make_report(make_run([make_task("case-1", TaskStatus.CANCELLED)], status=RunStatus.CANCELLED))
    at_once = of_optimization(make_outcome(**LOST, candidates=(), baseline_run=_interrupted(), baseline=empty))
    assert at_once.detail == "No test ran."
    unmeasured = of_optimization(make_outcome(**LOST, candidates=()))
    assert (unmeasured.headline, unmeasured.detail[:26]) == ("No improvement found", "No candidate was measured.")


def test_a_search_that_was_stopped_never_says_that_there_is_nothing_to_find() -> None:
    why = {"stop_reason": "interrupted (Ctrl-C)"}
    racing = of_optimization(make_outcome(**LOST, **why))
    assert (racing.tone, racing.label, racing.headline) == ("warn", "Unfinished", "Stopped before the proof")
    assert racing.detail.startswith("None of 3 measured candidates had done better than the baseline on the dev split ")
    assert racing.notes == ("Stopped early: interrupted (Ctrl-C)",)
    led = make_outcome(candidate_rate=0.5, **why, verification=None, holdout_run=None)
    leader = next(each for each in led.candidates if each.status == "winner")
    leading = of_optimization(led)
    assert leading.headline == "Stopped before the proof"
    assert leader.dev is not None
    assert leading.detail.startswith(f"By then {leader.id} led with {100 * leader.dev.success_rate:.1f}% of ")
    assert "nothing is proved" in leading.detail
    proposing = of_optimization(make_outcome(**LOST, **why, candidates=()))
    assert proposing.detail.startswith("No candidate was measured. Today")
    cut = make_outcome(candidate_rate=0.5, **why)
    assert cut.verification is not None
    for cases, words in ((0, "Stopped before the proof"), (24, "Stopped during the proof")):
        changes = {"stopped": "incomplete", "holdout_cases": cases, "reason": "the proof is incomplete: 36 did not run"}
        proof = cut.verification.model_copy(update=changes)
        found = of_optimization(cut.model_copy(update={"verification": proof}))
        assert (found.label, found.headline) == ("Unfinished", words)
        assert found.detail == (
            "The proof is incomplete: 36 did not run. The best candidate is kept as draft 1.1.0-draft.1."
        )


def test_who_did_better_but_breaks_a_limit_is_named() -> None:
    outcome = make_outcome(**LOST)
    changes = {"broken_limits": ("max_acceptable_latency_ms",), "fixed": 20.0, "broken": 1.0}
    slow = outcome.candidates[2].model_copy(update=changes)
    lost = outcome.candidates[1].model_copy(update=changes | {"fixed": 1.0})
    found = of_optimization(outcome.model_copy(update={"candidates": (outcome.candidates[0], slow, lost)}))
    assert found.headline == "No improvement found"
    assert found.detail.startswith(
        "None of 3 measured candidates did better than the baseline on the dev split within the limits of the rules: "
        "c3 passed 80.0%, but newly breaks max_acceptable_latency_ms. Today "
    )


def test_every_verdict_carries_what_else_is_to_be_known() -> None:
    notes = ("version 3.0.0 (latest) is newer than the plan's prompt",)
    told = "Version 3.0.0 (latest) is newer than the plan's prompt."
    for outcome in (make_outcome(notes=notes), nothing_to_do().model_copy(update={"notes": notes})):
        assert of_optimization(outcome).notes == (told,)
    both = of_optimization(make_outcome(**LOST, notes=notes, stop_reason="budget spent"))
    assert both.notes == ("Stopped early: budget spent", told)


def test_a_rewrite_that_nothing_measured_claims_nothing() -> None:
    outcome = make_outcome()
    assert outcome.result is not None
    static = outcome.result.model_copy(update={"basis": "static", "verification": None})
    verdict = of_optimization(outcome.model_copy(update={"result": static, "verification": None}))
    assert (verdict.tone, verdict.headline) == ("neutral", "Rewritten, not measured")


def test_a_cheaper_prompt_is_announced_by_what_it_saves() -> None:
    outcome = make_outcome()
    assert outcome.verification is not None
    proof = outcome.verification.model_copy(update={"claim": "non_inferior", "margin": 0.05, "token_change": -0.37})
    verdict = of_optimization(outcome.model_copy(update={"verification": proof}))
    assert verdict.headline == "New version 2.0.0: −37% tokens, at most 5 points worse"

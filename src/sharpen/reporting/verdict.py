"""What a report says first: one headline, one honest sentence, and how good the news is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.optimizer.models import Decision, OptimizationOutcome, TestExecutionReport, Trigger, Verification
from sharpen.reporting import figures as fig
from sharpen.reporting.recommendation_text import note_of

Tone = Literal["good", "bad", "warn", "neutral"]


@dataclass(frozen=True, slots=True)
class VerdictText:
    """``label`` fits a badge, ``headline`` a title, ``detail`` holds the evidence in a sentence or two."""

    tone: Tone
    label: str
    headline: str
    detail: str = ""
    notes: tuple[str, ...] = ()


_STOPPED = {
    RunStatus.RUNNING: "The run was interrupted",
    RunStatus.CANCELLED: "The run was cancelled",
    RunStatus.BUDGET_EXHAUSTED: "The budget was spent",
    RunStatus.ABORTED: "The run was aborted",
}
STATIC_METRICS = frozenset({"overall_score", "critical_issues"})
"""Triggers of the static analysis: reasons to optimize, but no measured rule is broken by them."""


def of_run(result: RunExecutionResult, report: TestExecutionReport | None, decision: Decision | None) -> VerdictText:
    """A run: do its results hold the rules? An unfinished run says so before anything else."""
    statistics = result.statistics
    ran = statistics.completed_tasks
    passed = f"{statistics.succeeded_tasks:,} of {fig.plural(ran, 'test')} passed"
    if result.status is not RunStatus.COMPLETED:
        missing = statistics.total_tasks - ran
        passed = f"{statistics.succeeded_tasks:,} of {ran:,} that ran passed" if ran else "No test ran to an end"
        reason = f": {result.stop_reason.rstrip('.')}" if result.stop_reason else ""
        return VerdictText(
            "warn",
            "Unfinished",
            f"{passed}, {missing:,} did not run",
            f"{_STOPPED[result.status]}{reason}.",
        )
    rate = report.successful_tests / report.ran_tests if report and report.ran_tests else statistics.success_rate
    headline = f"{fig.percent(rate)} passed"
    if decision is None:
        return VerdictText("neutral", "Measured", headline, f"{passed}.")
    broken = [trigger for trigger in decision.triggers if trigger.metric not in STATIC_METRICS]
    notes = tuple(trigger_line(trigger) for trigger in decision.triggers)
    if not broken:
        worth = ", but the prompt's text is worth optimizing" if notes else ""
        return VerdictText("good", "Rules hold", headline, f"{passed}, and every measured rule holds{worth}.", notes)
    does = "does" if len(broken) == 1 else "do"
    return VerdictText(
        "bad",
        "Rules broken",
        headline,
        f"{passed}; {fig.plural(len(broken), 'rule')} of the plan {does} not hold.",
        notes,
    )


def trigger_line(trigger: Trigger) -> str:
    """``too few cases pass: success_rate 0.56 < 0.8``."""
    numbers = f"{trigger.metric} {trigger.observed:,.4g} {trigger.comparison} {trigger.threshold:,.4g}"
    return f"{trigger.reason}: {numbers}" if trigger.reason else numbers


def rate_of(report: TestExecutionReport) -> tuple[str, str]:
    """The share of passed tests and of how many: ``81.3%``, ``of 48 tests`` (``of the 20 tests that ran``)."""
    ran = report.ran_tests
    if ran == report.total_tests:
        return fig.percent(report.success_rate), f"of {fig.plural(ran, 'test')}"
    return fig.percent(report.successful_tests / ran if ran else None), f"of the {fig.plural(ran, 'test')} that ran"


def rates(proof: Verification) -> str:
    """Both rates and the interval of their difference: ``48.3% → 88.3% on 60 held-out cases; 95% interval …``."""
    level = f"{(1 - proof.alpha) * 100:g}%"
    return (
        f"{fig.percent(proof.baseline.success_rate)} → {fig.percent(proof.candidate.success_rate)} on "
        f"{fig.plural(proof.holdout_cases, 'held-out case')}; {level} interval {fig.signed(proof.effect_low * 100)} to "
        f"{fig.signed(proof.effect_high * 100)} points"
    )


def evidence(proof: Verification) -> str:
    """The proof in one sentence: rates, effect with interval, p, what was fixed and broken."""
    return (
        f"{rates(proof)}, {fig.p_value(proof.p_value)} ({proof.test}); {proof.fixed:,} fixed, {proof.broken:,} broken."
    )


def of_optimization(outcome: OptimizationOutcome) -> VerdictText:
    """An optimization: accepted, not proved, stopped before it was, nothing found, or nothing to do."""
    stopped = (f"Stopped early: {outcome.stop_reason}",) if outcome.stop_reason else ()
    notes = (*stopped, *map(_sentence, (*outcome.notes, *note_of(outcome.recommendation))))
    proof = outcome.verification
    if proof is not None and proof.accepted:
        name = f"version {outcome.version}" if outcome.version else "better prompt"
        gain = fig.points(proof.effect)
        if proof.claim == "non_inferior" and proof.token_change is not None:
            margin = f", at most {100 * proof.margin:g} points worse" if proof.margin else ""
            gain = f"{fig.signed(100 * proof.token_change, 0)}% tokens{margin}"
        return VerdictText("good", "Accepted", f"New {name}: {gain}", evidence(proof), notes)
    kept = f" The best candidate is kept as draft {outcome.draft}." if outcome.draft else ""
    if proof is not None and proof.stopped == "incomplete" and outcome.stop_reason:
        when = "during" if proof.holdout_cases else "before"
        return VerdictText("warn", "Unfinished", f"Stopped {when} the proof", f"{_sentence(proof.reason)}{kept}", notes)
    if proof is not None:
        return VerdictText(
            "warn",
            "Not accepted",
            "No improvement proved",
            f"{_sentence(proof.reason)} {rates(proof)}.{kept}",
            notes,
        )
    baseline = outcome.baseline
    passing = f"{' '.join(rate_of(baseline))} pass"
    if outcome.result is not None and outcome.result.accepted:  # basis "static": nothing was called to prove it
        return VerdictText("neutral", "Unmeasured", "Rewritten, not measured", f"{passing} with the baseline.", notes)
    if outcome.baseline_run.status is not RunStatus.COMPLETED and not outcome.candidates:
        so_far = f"So far, {passing}." if baseline.ran_tests else "No test ran."
        return VerdictText("warn", "Unfinished", "The baseline did not finish", so_far, notes)
    if not outcome.decision.should_optimize:
        return VerdictText("good", "Rules hold", "Nothing to optimize", f"{passing}, and every rule holds.", notes)
    evaluated = sum(candidate.dev is not None for candidate in outcome.candidates)
    measured = fig.plural(evaluated, "measured candidate")
    if outcome.stop_reason:
        tried = f"None of {measured} had done better than the baseline on the dev split by then."
        leader = next((each for each in outcome.candidates if each.status == "winner"), None)
        if outcome.result is not None and leader is not None and leader.dev is not None:
            passed = f"{fig.percent(leader.dev.success_rate)} of {fig.plural(leader.dev.cases, 'dev case')}"
            tried = f"By then {leader.id} led with {passed}; nothing is proved."
        tried = tried if evaluated else "No candidate was measured."
        return VerdictText("warn", "Unfinished", "Stopped before the proof", f"{tried} Today {passing}.{kept}", notes)
    tried = f"None of {measured} did better than the baseline on the dev split{_but_for_limits(outcome)}."
    tried = tried if evaluated else "No candidate was measured."
    return VerdictText("warn", "Not accepted", "No improvement found", f"{tried} Today {passing}.{kept}", notes)


def _but_for_limits(outcome: OptimizationOutcome) -> str:
    """Who did do better, and was not chosen because it newly breaks a limit of the rules."""
    better = [
        (each.dev.success_rate, each)
        for each in outcome.candidates
        if each.dev and each.broken_limits and (each.fixed or 0) > (each.broken or 0)
    ]
    if not better:
        return ""
    rate, best = max(better, key=lambda pair: pair[0])
    limits = ", ".join(best.broken_limits)
    return f" within the limits of the rules: {best.id} passed {fig.percent(rate)}, but newly breaks {limits}"


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else text + "."

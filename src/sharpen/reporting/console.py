"""Results in the terminal. Everything printed here fits the console's width; what models wrote is made harmless.

The observers of a run and of a search stand in ``progress``; they are named here too, because this is where callers
look for everything that a terminal shows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sharpen.config.case_set import cases_by_id
from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.result_log import not_succeeded
from sharpen.history.models import Flakiness
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import (
    CandidateReport,
    Change,
    Decision,
    OptimizationOutcome,
    PromptAnalysis,
    TestExecutionReport,
    Verification,
)
from sharpen.reporting import comparison, time_breakdown, verdict
from sharpen.reporting import figures as fig
from sharpen.reporting.cases import failures_of
from sharpen.reporting.console_check import print_check
from sharpen.reporting.console_comparison import print_flakiness
from sharpen.reporting.console_front import print_front
from sharpen.reporting.console_lists import print_runs_table, print_versions_table
from sharpen.reporting.console_patterns import print_patterns
from sharpen.reporting.console_time import print_time
from sharpen.reporting.forecast_text import OURS
from sharpen.reporting.progress import RunProgress, SearchProgress
from sharpen.reporting.terminal import (
    fitting,
    is_unicode,
    make_console,
    print_indented,
    print_line,
    print_pairs,
    safe,
    styled,
    table,
)
from sharpen.reporting.text import one_line

__all__ = [
    "RunProgress", "SearchProgress", "make_console", "print_check", "print_decision", "print_optimization",
    "print_run", "print_runs_table", "print_verification", "print_versions_table",
]  # fmt: skip

FAILURES_SHOWN = 10
CANDIDATES_SHOWN = 8
_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "neutral": "cyan", "flat": "default"}
_SIGNS = {"good": "✓", "bad": "✗", "warn": "!", "neutral": "·"}


def print_run(
    console: Console,
    result: RunExecutionResult,
    report: TestExecutionReport | None,
    decision: Decision | None,
    cases: Collection[Case] = (),
    *,
    failures: int = FAILURES_SHOWN,
    time: bool = False,
    patterns: ErrorPatterns | None = None,
    flakiness: Flakiness | None = None,
) -> None:
    """Verdict, figures, what went wrong, the first ``failures`` failing tests, and what the decision suggests.

    A strategy is suggested only for a prompt that is worth optimizing by a run that was finished. ``time``: also where
    the time went, and what each kind of error cost.
    """
    _print_verdict(console, verdict.of_run(result, report, decision))
    figures = [pair for pair in comparison.run_figures(result, report) if pair[1] != fig.NOTHING]
    print_pairs(console, figures)
    warnings = list(result.metadata.get("warnings", ()))
    if decision is not None:  # that a rule of the plan was replaced decides over the exit code
        warnings += [why for why in decision.skipped if why.startswith("no_worse_than ")]
    for warning in warnings:
        print_line(console, f"warning: {warning}", "yellow")
    if time:
        print_time(console, time_breakdown.of_run(result))
    print_patterns(console, patterns)
    print_flakiness(console, flakiness)
    _print_failures(console, result, cases, failures)
    if decision is not None and result.status is RunStatus.COMPLETED:
        _print_strategy(console, decision)
    console.print(styled(console, f"Run {result.run_id}", "dim"), soft_wrap=True)


def print_decision(
    console: Console,
    decision: Decision,
    analysis: PromptAnalysis | None = None,
    title: str = "",
    patterns: ErrorPatterns | None = None,
) -> None:
    """Would it optimize, why, and with which strategy."""
    worth = decision.should_optimize
    sign = "!" if worth else "✓"
    head = "Worth optimizing" if worth else "Nothing to optimize"
    console.print(
        styled(console, f"{sign} {head}", "bold yellow" if worth else "bold green"), styled(console, title, "dim")
    )
    if decision.triggers:
        rows = [
            (
                trigger.metric,
                f"{trigger.observed:,.4g}",
                f"{trigger.comparison} {trigger.threshold:,.4g}",
                Text(safe(console, trigger.reason)),
            )
            for trigger in decision.triggers
        ]
        columns = ("rule", "observed", "triggers when", "why")
        print_indented(console, table(console, columns, rows, numbers=columns[1:3]))
    for skipped in decision.skipped:
        print_line(console, f"not judged: {skipped}", "dim")
    if analysis is not None:
        scores = (
            ("overall", analysis.overall_score),
            ("clarity", analysis.clarity_score),
            ("efficiency", analysis.efficiency_score),
        )
        print_line(console, "static analysis: " + ", ".join(f"{name} {score:.1f}" for name, score in scores), "dim")
    print_patterns(console, patterns)
    _print_strategy(console, decision)


def print_optimization(console: Console, outcome: OptimizationOutcome, report_path: str | Path | None = None) -> None:
    """Verdict, baseline against candidate, the candidates, the changes, and where the whole report is."""
    _print_verdict(console, verdict.of_optimization(outcome))
    if outcome.verification is not None:
        print_verification(console, outcome.verification)
    print_patterns(console, outcome.patterns)
    if outcome.candidates:
        _print_candidates(console, comparison.ranked(outcome.candidates))
        print_front(console, outcome)
    if outcome.result is not None:
        _print_changes(console, outcome.result.changes)
    elif outcome.baseline_run.status is RunStatus.COMPLETED:
        _print_strategy(console, outcome.decision)
    if outcome.engine != OURS and outcome.candidates:
        print_line(console, f"Engine: {outcome.engine}")
    seconds = (outcome.finished_at - outcome.started_at).total_seconds()
    cost = "cost unknown" if outcome.cost is None else fig.usd(outcome.cost)
    spent = [fig.plural(outcome.calls, "call"), f"{outcome.tokens:,} tokens", cost, fig.duration(seconds)]
    console.print(styled(console, fitting("Used: ", spent, console.width), "dim"))
    if report_path is not None:
        console.print(styled(console, f"Report: {report_path}"), soft_wrap=True)


def print_verification(
    console: Console, proof: Verification, names: tuple[str, str] = ("baseline", "candidate")
) -> None:
    """Two prompts on the same cases, side by side with their differences."""
    rows = [
        (row.name, row.baseline, row.candidate, Text(safe(console, row.difference), style=_STYLES[row.tone]))
        for row in comparison.metric_rows(proof.baseline, proof.candidate)
    ]
    print_indented(console, table(console, ("", *names, "difference"), rows, numbers=(*names, "difference")))


def _print_verdict(console: Console, text: verdict.VerdictText) -> None:
    style = _STYLES[text.tone]
    console.print(styled(console, f"{_SIGNS[text.tone]} {text.label}: {text.headline}", f"bold {style}"))
    if text.detail:
        print_line(console, text.detail)
    for note in text.notes:
        print_line(console, f"- {note}", "dim")
    console.print()


def _print_failures(console: Console, result: RunExecutionResult, cases: Collection[Case], limit: int) -> None:
    number = result.statistics.completed_tasks - result.statistics.succeeded_tasks
    completed = (task for task in not_succeeded(result.task_results) if task.status.completed)
    failing = list(islice(completed, max(0, limit)))
    if not failing:
        return
    known = cases_by_id(cases, {task.case_id for task in failing})
    inputs = {name: " · ".join(str(value) for value in case.vars.values()) for name, case in known.items()}
    console.print(styled(console, f"Failing tests ({number:,})", "bold"))
    for task in failing:
        reasons = failures_of(task)
        why = f"{reasons[0].name}: {reasons[0].reason}" if reasons else task.status.value
        room = max(20, console.width - 4)
        seen = inputs.get(task.case_id, "")
        head = f"{task.case_id} #{task.repeat + 1}" if task.repeat else task.case_id
        line = Text.assemble(
            (safe(console, "  ✗ "), "red"), (safe(console, one_line(head, 40)), "bold"), "  ",
            (safe(console, one_line(seen, room)), "dim"),
        )  # fmt: skip
        console.print(line, no_wrap=True, overflow="ellipsis" if is_unicode(console) else "crop")
        print_line(console, one_line(why, 2 * room), indent=4)
    if number > limit:
        print_line(console, f"… and {number - limit:,} more", "dim")
    console.print()


def _print_candidates(console: Console, ranked: Sequence[CandidateReport]) -> None:
    rows = [
        (
            Text(safe(console, item.id), style="bold" if item.status == "winner" else ""),
            item.strategy,
            f"{fig.percent(item.dev.success_rate)} of {item.dev.cases:,}" if item.dev else fig.NOTHING,
            f"{item.calls:,}",
            Text(item.status, style={"winner": "green", "finalist": "cyan"}.get(item.status, "dim")),
        )
        for item in ranked[:CANDIDATES_SHOWN]
    ]
    columns = ("candidate", "strategy", "dev cases passed", "calls", "status")
    grid = table(console, columns, rows, numbers=("dev cases passed", "calls"))
    console.print(Padding(grid, (0, 0, 0, 2), expand=False))
    hidden = ranked[CANDIDATES_SHOWN:]
    if hidden:
        unmeasured = sum(item.dev is None for item in hidden)
        told = f", {unmeasured:,} of them not measured" if unmeasured else ""
        print_line(console, f"… and {len(hidden):,} more{told}", "dim")
    console.print()


def _print_changes(console: Console, changes: Sequence[Change]) -> None:
    if not changes:
        return
    console.print(styled(console, "Changes", "bold"))
    for change in changes:
        print_line(console, f"{change.rule_id}: {one_line(change.reason, 300)}")
    console.print()


def _print_strategy(console: Console, decision: Decision) -> None:
    if not decision.should_optimize:
        return
    why = f" ({decision.strategy_reason})" if decision.strategy_reason else ""
    console.print(styled(console, f"Strategy suggested: {decision.strategy}{why}"))

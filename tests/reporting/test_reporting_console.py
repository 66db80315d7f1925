"""The terminal: golden outputs at 80 columns, progress in a terminal and elsewhere, hostile text, plain ASCII."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from factories import (
    STARTED,
    make_case,
    make_decision,
    make_outcome,
    make_prompt,
    make_report,
    make_run,
    make_statistics,
    make_task,
    nothing_to_do,
    triage_cases,
    unfinished_run,
)
from sharpen.config.estimate import Estimate
from sharpen.errors import Problem
from sharpen.executor.models import RunStatus, TaskStatus
from sharpen.executor.ports import RunStart
from sharpen.reporting.console import (
    RunProgress,
    SearchProgress,
    make_console,
    print_check,
    print_decision,
    print_optimization,
    print_run,
    print_runs_table,
    print_versions_table,
)
from sharpen.storage.records import RunSummary
from sharpen.versions.models import PromptVersion


class Screen:
    """A console that writes into memory in some encoding."""

    def __init__(self, encoding: str = "utf-8", width: int = 80) -> None:
        self._bytes = io.BytesIO()
        self._file = io.TextIOWrapper(self._bytes, encoding=encoding, newline="\n")
        self._encoding = encoding
        self.console = make_console(file=self._file, width=width)

    @property
    def text(self) -> str:
        self._file.flush()
        return self._bytes.getvalue().decode(self._encoding)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.splitlines()]


def everything(console: Console) -> None:
    outcome = make_outcome()
    print_run(console, outcome.baseline_run, outcome.baseline, outcome.decision, triage_cases())
    print_run(console, unfinished_run(), None, None)
    print_decision(console, outcome.decision.model_copy(update={"skipped": ("cost: no price",)}), outcome.analysis, "w")
    print_decision(console, make_decision(False))
    print_optimization(console, outcome, "report.html")
    print_optimization(console, make_outcome(candidate_rate=0.5))
    print_optimization(console, nothing_to_do())
    print_optimization(console, make_outcome(result=None, verification=None, version=None, cost=None))
    print_runs_table(console, [a_run(), a_run(status=RunStatus.BUDGET_EXHAUSTED, statistics=None)])
    print_runs_table(console, [a_run(), a_run(workflow_id="another-workflow-with-quite-a-long-name")])
    print_versions_table(console, [a_version(), a_version(workflow_id="w2", metrics=None, improvement=None)])
    print_check(console, an_estimate(), [Problem("x", "plan.yaml:3", "prompt")])


def a_run(**fields: object) -> RunSummary:
    return RunSummary.model_validate(
        {
            "run_id": "run-20260314-092653-3f9a2c",
            "workflow_id": "support-triage",
            "status": RunStatus.COMPLETED,
            "purpose": "candidate",
            "started_at": STARTED,
            "total_tasks": 150,
            "statistics": make_statistics([make_task()]),
            **fields,
        }
    )


def a_version(**fields: object) -> PromptVersion:
    proof = make_outcome().verification
    assert proof is not None
    return PromptVersion.model_validate(
        {
            "workflow_id": "support-triage",
            "version": "2.0.0",
            "prompt": make_prompt(),
            "content_hash": "0" * 64,
            "parent": "1.0.0",
            "kind": "optimized",
            "improvement": 40.0,
            "metrics": proof.candidate,
            "message": "better on held-out cases (28 fixed, 4 broken, p = 0.0009, alpha 0.05)",
            "created_at": STARTED,
            **fields,
        }
    )


def an_estimate(**fields: object) -> Estimate:
    return Estimate.model_validate(
        {
            "cases": 150,
            "calls": 150,
            "judge_calls": 0,
            "optimize_calls": 750,
            "prompt_tokens": 9123,
            "max_completion_tokens": None,
            "max_cost_usd": None,
            **fields,
        }
    )


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_everything_fits_the_width_in_every_encoding(encoding: str, width: int) -> None:
    screen = Screen(encoding, width)
    everything(screen.console)
    for line in screen.lines:
        assert cell_len(line) <= width or line.startswith("Run run-"), line  # an id is never cut: it gets copied
    if encoding != "utf-8":
        screen.text.encode("ascii")


def test_a_run_in_eighty_columns() -> None:
    screen = Screen()
    run = make_run()
    print_run(screen.console, run, make_report(run), make_decision(), [make_case("case-2", vars={"m": "Where is it?"})])
    assert screen.lines == [
        "✗ Rules broken: 33.3% passed",
        "  1 of 3 tests passed; 1 rule of the plan does not hold.",
        "  - too few cases pass: success_rate 0.56 < 0.8",
        "  - the prompt's score is low: overall_score 61.5 < 80",
        "",
        "  Passed         1 of 3  Tokens per request  36",
        "  Success rate   33.3%   Cost                $0.00020",
        "  Latency, mean  250 ms  Cost per request    $0.000067",
        "  Latency, p95   250 ms  Failed assertions   1",
        "  Latency, p99   250 ms  Timeouts            1",
        "  Tokens         108",
        "",
        "Failing tests (2)",
        "  ✗ case-2  Where is it?",
        "    equals: expected 'shipping', got 'billing'",
        "  ✗ case-3",
        "    timeout: it was timeout",
        "",
        "Strategy suggested: structure_focus (clarity and efficiency are both below 70)",
        "Run run-20260314-092653-7f3a",
    ]


@pytest.mark.parametrize(
    ("status", "worth", "shown"),
    [
        (RunStatus.COMPLETED, True, True),
        (RunStatus.COMPLETED, False, False),
        (RunStatus.BUDGET_EXHAUSTED, True, False),
        (RunStatus.CANCELLED, True, False),
    ],
)
def test_a_strategy_is_suggested_only_where_it_would_be_used(status: RunStatus, worth: bool, shown: bool) -> None:
    screen = Screen()
    run = make_run(status=status)
    print_run(screen.console, run, make_report(run), make_decision(worth))
    assert ("Strategy suggested" in screen.text) == shown
    decision = Screen()
    print_decision(decision.console, make_decision(worth))
    assert ("Strategy suggested" in decision.text) == worth


def test_the_inputs_of_a_case_are_told_apart() -> None:
    screen = Screen()
    case = make_case("case-2", vars={"subject": "Order 7", "body": "Where is it?"})
    print_run(screen.console, make_run(), None, None, [case])
    assert "  ✗ case-2  Order 7 · Where is it?" in screen.lines


def test_an_optimization_in_eighty_columns() -> None:
    screen = Screen()
    print_optimization(screen.console, make_outcome(), "out/report.html")
    assert screen.lines == [
        "✓ Accepted: New version 2.0.0: +40.0 points",
        "  48.3% → 88.3% on 60 held-out cases; 95% interval +27.0 to +53.0 points, p =",
        "  0.0009 (exact McNemar); 28 fixed, 4 broken.",
        "",
        "                       baseline  candidate    difference",
        "  ──────────────────────────────────────────────────────",
        "  Success rate            48.3%      88.3%  +40.0 points",
        "  Latency, mean          469 ms     489 ms           +4%",
        "  Latency, p95           855 ms     634 ms          −26%",
        "  Tokens per request       67.9       97.3          +43%",
        "  Cost per request    $0.000013  $0.000016          +18%",
        "  Timeouts                   0%       3.3%   +3.3 points",
        "",
        "  candidate  strategy         dev cases passed  calls  status",
        "  ────────────────────────────────────────────────────────────────",
        "  c2         format_focus          84.4% of 45     90  winner",
        "  c3         demonstrations        80.0% of 45     90  finalist",
        "  c1         clarity_focus         62.2% of 45     45  dropped",
        "  c4         structure_focus                 –      0  unevaluated",
        "",
        "Changes",
        "  OF001: The assertions accept four answers only; the prompt now lists them.",
        "  CL003: Polite filler is no instruction.",
        "  DM001: Two solved examples raised the train pass rate by 18 points.",
        "",
        "Used: 435 calls · 41,820 tokens · $0.012 · 1 min 37 s",
        "Report: out/report.html",
    ]


def test_lists_in_eighty_columns() -> None:
    screen = Screen()
    print_runs_table(screen.console, [a_run(status=RunStatus.BUDGET_EXHAUSTED)])
    print_versions_table(screen.console, [a_version()], {"production": "2.0.0"})
    print_runs_table(screen.console, [])
    print_versions_table(screen.console, [])
    print_check(screen.console, an_estimate(max_cost_usd=0.0021, judge_calls=7, optimize_calls=None))
    assert screen.lines == [
        "support-triage",
        "run                         started      purpose    status        passed  tests",
        "───────────────────────────────────────────────────────────────────────────────",
        "run-20260314-092653-3f9a2c  03-14 09:26  candidate  budget spent    100%    150",
        "version  kind       success  points  created     notes",
        "────────────────────────────────────────────────────────────────────────────────",
        "2.0.0    optimized    88.3%   +40.0  2026-03-14  production, better on held-out…",
        "No runs yet.",
        "No versions yet.",
        "✓ The plan is valid",
        "  Cases              150",
        "  Calls of one run   150",
        "  Judge calls        7",
        "  Calls of optimize  no limit",
        "  Prompt tokens      about 9,123",
        "  Answer tokens      unknown",
        "  Cost of one run    at most about $0.0021",
        "",
    ]


def test_an_unknown_cost_is_unknown_and_a_free_one_is_zero() -> None:
    screen = Screen()
    print_check(screen.console, an_estimate())
    print_check(screen.console, an_estimate(max_cost_usd=0.0))
    costs = [line.split()[-1] for line in screen.lines if line.startswith("  Cost")]
    assert costs == ["unknown", "$0"]


EVIL = "\x1b[2J\x1b]0;owned\x07[bold red]x[/] :smile: \x00\u202eevil\r\n" + "long " * 200


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_hostile_output_cannot_reach_the_terminal(encoding: str) -> None:
    screen = Screen(encoding)
    task = make_task(EVIL, TaskStatus.FAILED)
    failed = task.assertion_results[0].model_copy(update={"type": EVIL, "reason": EVIL})
    run = make_run([task.model_copy(update={"assertion_results": (failed,)})], run_id=EVIL, workflow_id=EVIL)
    print_run(screen.console, run, make_report(run), make_decision(strategy=EVIL), [make_case(EVIL, vars={"m": EVIL})])
    print_runs_table(screen.console, [a_run(workflow_id=EVIL, run_id=EVIL)])
    print_decision(screen.console, make_decision(strategy_reason=EVIL, skipped=(EVIL,)), None, EVIL)
    for forbidden in ("\x1b", "\x00", "\x07", "\r", "\u202e", "owned"):
        assert forbidden not in screen.text
    assert "[bold red]x[/] :smile:" in screen.text


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def start(run_id: str = "r1", total: int = 10, purpose: str = "run") -> RunStart:
    return RunStart(run_id, "triage", STARTED, total, purpose)


def finish(progress: RunProgress, number: int, total: int = 10, before: int = 0) -> None:
    tasks = [
        make_task(f"c{n}", TaskStatus.FAILED if n % 4 == 0 else TaskStatus.SUCCEEDED) for n in range(before + number)
    ]
    for n in range(before, before + number):
        done = make_statistics(tasks[: n + 1])
        rest = done.model_copy(update={"total_tasks": total, "success_rate": done.succeeded_tasks / total})
        progress.task_finished(tasks[n], rest)


def test_outside_a_terminal_progress_is_a_line_now_and_then() -> None:
    screen, clock = Screen(), Clock()
    with RunProgress(screen.console, clock=clock) as progress:
        progress.run_started(start())
        clock.now += 2
        finish(progress, 4)
        progress.attempt_failed("c1", "rate_limit", 0.5)
        progress.attempt_failed("c1", "rate_limit", None)
        clock.now += 6
        finish(progress, 4, before=4)
        clock.now += 1
        finish(progress, 2, before=8)
        progress.run_finished(make_run(run_id="r1"))
    assert screen.lines == [
        "triage: 10 tests",
        "triage: 5/10, 60.0% passed · 8.0 s left · 0.6 calls/s · p95 252 ms · "
        "$0.00050 · 270 tokens · 5 calls · 1 retry (1 rate limit)",
        "triage: 10/10, 70.0% passed · 1.1 calls/s · p95 252 ms · "
        "$0.0010 · 540 tokens · 10 calls · 1 retry (1 rate limit)",
    ]


def test_a_resumed_run_counts_what_was_finished_before() -> None:
    screen, clock = Screen(), Clock()
    with RunProgress(screen.console, every_s=0, clock=clock) as progress:
        progress.run_started(start())
        clock.now += 1
        finish(progress, 1, before=6)  # one answer in a second says nothing yet
        clock.now += 1
        finish(progress, 1, before=7)
    assert screen.lines[1].startswith("triage: 7/10, 71.4% passed · 1 calls/s")
    assert screen.lines[2].startswith("triage: 8/10, 75.0% passed · 2.0 s left · 1 calls/s")


def test_runs_that_overlap_are_shown_as_one() -> None:
    screen, clock = Screen(), Clock()
    with RunProgress(screen.console, every_s=0, clock=clock) as progress:
        for name in ("a", "b"):
            progress.run_started(start(name, 2, "candidate"))
        clock.now += 1
        for _ in range(2):
            finish(progress, 2, 2)
        progress.run_finished(make_run(run_id="a"))
        progress.run_finished(make_run(run_id="b"))
    assert screen.lines[-1].startswith("Candidates: 4/4, 50.0% passed · 4 calls/s")


def test_an_unknown_cost_is_said_while_it_runs() -> None:
    screen = Screen()
    progress = RunProgress(screen.console, every_s=0, clock=Clock())
    progress.run_started(start())
    task = make_task("c", TaskStatus.CANCELLED, cost=None)
    progress.task_finished(task, make_statistics([task]))
    assert "none completed" in screen.text
    assert "cost unknown" in screen.text


def test_quiet_is_quiet() -> None:
    screen = Screen()
    with RunProgress(screen.console, quiet=True, every_s=0) as progress:
        progress.run_started(start())
        finish(progress, 3)
        progress.run_finished(make_run(run_id="r1"))
    search = SearchProgress(screen.console, quiet=True)
    search.phase("race", "8 candidates")
    search.candidate("c1", "clarity_focus", 0.5, 10, "candidate")
    assert screen.text == ""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_in_a_terminal_a_bar_is_drawn_and_taken_away(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=80, force_terminal=True, markup=False, emoji=False, highlight=False)
    with RunProgress(console) as progress:
        progress.run_started(start(total=10))
        finish(progress, 4)
        assert progress._live is not None
        progress._live.refresh()
        for line in console.render_lines(progress, console.options.update(width=80), pad=False):
            assert sum(cell_len(segment.text) for segment in line) <= 80
        progress.run_finished(make_run(run_id="r1"))
        assert progress._live is None
    file.flush()
    drawn = file.buffer.getvalue().decode(encoding)
    assert "4/10" in drawn
    assert "75.0% passed" in drawn
    assert "\x1b[2K" in drawn  # transient: its lines are erased


def test_an_aborted_run_leaves_no_bar_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    progress = RunProgress(console)
    progress.run_started(start())
    assert progress._live is not None
    with progress:
        pass
    assert progress._live is None


def test_a_closed_stream_ends_no_run() -> None:
    file = io.StringIO()
    console = make_console(file=file)
    file.close()
    with RunProgress(console, every_s=0) as progress:
        progress.run_started(start())
        finish(progress, 2)
        progress.run_finished(make_run(run_id="r1"))
    SearchProgress(console).phase("prove")


def test_a_search_tells_phases_and_candidates() -> None:
    screen = Screen()
    search = SearchProgress(screen.console)
    search.phase("race", "2 candidates on 10 of 45 dev cases")
    search.candidate("c1", "clarity_focus", 0.5, 10, "candidate")
    search.phase("prove")
    search.candidate("c1", "clarity_focus", 1, 60, "holdout")
    assert screen.lines == [
        "race: 2 candidates on 10 of 45 dev cases",
        "  c1  clarity_focus: 50.0% of 10 cases",
        "prove",
    ]


def test_many_candidates_are_told_in_a_few_lines() -> None:
    screen, outcome = Screen(), make_outcome()
    measured, unmeasured = outcome.candidates[:1], outcome.candidates[3:]
    many = outcome.model_copy(update={"candidates": (*unmeasured * 5, *measured * 7)})
    print_optimization(screen.console, many)
    first = next(place for place, line in enumerate(screen.lines) if line.startswith("  candidate "))
    rows = screen.lines[first + 2 : first + 10]
    assert [row.split()[0] for row in rows] == ["c1"] * 7 + ["c4"]
    assert "  … and 4 more, 4 of them not measured" in screen.lines


def test_colours_obey_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, markup=False)
    print_check(console, an_estimate())
    assert "\x1b[32m" not in file.getvalue()
    assert ";32m" not in file.getvalue()


def test_a_longer_run_shows_how_long_it_took() -> None:
    screen = Screen()
    outcome = make_outcome(30, finished_at=STARTED + timedelta(hours=2))
    print_optimization(screen.console, outcome)
    assert "2 h 00 min" in screen.text

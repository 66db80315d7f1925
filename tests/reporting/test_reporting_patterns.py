"""What went wrong, as the terminal, the page and the JSON document tell it; also of runs too large to be held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any, overload

import pytest

from sharpen.assertions.base import AssertionResult
from sharpen.config.models import Case
from sharpen.errors import ErrorKind
from sharpen.executor.models import (
    ResultLog,
    RunExecutionResult,
    RunStatistics,
    RunStatus,
    TaskError,
    TaskFigures,
    TaskResult,
    TaskStatus,
)
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.reporting import pattern_source
from sharpen.reporting.console_patterns import print_patterns
from sharpen.reporting.html import render_run_html
from sharpen.reporting.json_document import dumps, run_document
from sharpen.reporting.markdown import run_markdown
from sharpen.reporting.pattern_source import patterns_of_run
from sharpen.reporting.pattern_tables import page_of
from sharpen.reporting.terminal import make_console

QUEUES = ("billing", "shipping")
EVIL = "<script>alert(1)</script>\x1b[31m"


class Log(ResultLog):
    """Results that are read one after the other, as from a store."""

    def __init__(self, tasks: list[TaskResult]) -> None:
        self._tasks = tasks

    def __iter__(self) -> Iterator[TaskResult]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    @overload
    def __getitem__(self, index: int) -> TaskResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[TaskResult]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._tasks[index]

    def figures(self) -> Iterator[TaskFigures]:
        raise AssertionError("not asked for")

    def not_succeeded(self) -> Iterator[TaskResult]:
        return (task for task in self._tasks if task.status is not TaskStatus.SUCCEEDED)


def cases_of(n: int) -> tuple[Case, ...]:
    return tuple(
        Case(id=f"c{k}", vars={"text": f"message {k % 9}{' and more' * (k % 3)}"}, expected=QUEUES[k % 2])
        for k in range(n)
    )


def task_of(k: int, output: str | None, repeat: int = 0) -> TaskResult:
    right = QUEUES[k % 2]
    if output == right:
        return TaskResult(
            task_id=f"c{k}#{repeat}", case_id=f"c{k}", status=TaskStatus.SUCCEEDED, repeat=repeat, output=output
        )
    kind = ErrorKind.ASSERTION if output is not None else ErrorKind.SERVER
    failed = AssertionResult(type="equals", passed=False, score=0, reason=f"got {output}")
    return TaskResult(
        task_id=f"c{k}#{repeat}",
        case_id=f"c{k}",
        repeat=repeat,
        status=TaskStatus.FAILED if output is not None else TaskStatus.ERROR,
        output=output,
        error=TaskError(kind=kind, message="no"),
        assertion_results=() if output is None else (failed,),
    )


def run_of(tasks: list[TaskResult], *, logged: bool = False) -> RunExecutionResult:
    counted = {status: sum(task.status is status for task in tasks) for status in TaskStatus}
    return RunExecutionResult.model_validate(
        {
            "run_id": "r1", "workflow_id": "w", "started_at": "2026-01-01T00:00:00Z",
            "finished_at": "2026-01-01T00:01:00Z", "status": RunStatus.COMPLETED,
            "statistics": RunStatistics(
                total_tasks=len(tasks),
                completed_tasks=len(tasks),
                succeeded_tasks=counted[TaskStatus.SUCCEEDED],
                failed_tasks=counted[TaskStatus.FAILED],
                error_tasks=counted[TaskStatus.ERROR],
                success_rate=counted[TaskStatus.SUCCEEDED] / len(tasks),
            ),
            "task_results": Log(tasks) if logged else tuple(tasks),
        }
    )  # fmt: skip


def mixed(n: int) -> list[TaskResult]:
    said: list[str | None] = ["shipping", "shipping", "billing", f"shipping, {EVIL}", "", "shipping", None, "shipping"]
    return [task_of(k, said[k % 8]) for k in range(n)]


@pytest.fixture
def found() -> ErrorPatterns:
    patterns = patterns_of_run(run_of(mixed(64)), cases_of(64))
    assert patterns is not None
    return patterns


def test_the_terminal_shows_groups_with_an_example_in_eighty_columns(found: ErrorPatterns) -> None:
    text = StringIO()
    print_patterns(make_console(file=text, width=80), found)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "What went wrong (32 of 64 cases)"
    assert lines[2] == "    8  25.0% Empty answer"
    assert lines[3] == "             “” to c4: message 4 and more"
    assert "\x1b[31m" not in text.getvalue()
    assert any("Answered 'shipping' where 'billing' is right" in line for line in lines)
    assert any(line.startswith("  What may help: ") for line in lines)


def test_nothing_is_said_where_nothing_failed() -> None:
    run = run_of([task_of(k, QUEUES[k % 2]) for k in range(8)])
    assert patterns_of_run(run, cases_of(8)) is None
    text = StringIO()
    print_patterns(make_console(file=text), None)
    print_patterns(make_console(file=text), ErrorPatterns())
    assert text.getvalue() == ""
    assert page_of(None) is page_of(ErrorPatterns()) is None
    assert 'id="patterns"' not in render_run_html(run, None, None, cases_of(8))


def test_the_page_shows_groups_confusion_and_slices_and_runs_nothing(found: ErrorPatterns) -> None:
    page = render_run_html(run_of(mixed(64)), None, None, cases_of(64), patterns=found)
    assert '<a href="#patterns">Failures</a>' in page
    assert "Answered &#39;shipping&#39; where &#39;billing&#39; is right" in page
    assert "<script>alert" not in page
    assert 'style="' not in page  # the security policy forbids it
    assert '<table class="heat">' in page
    assert "Inputs that fail more often" in page
    css = page[page.index("<style>") : page.index("</style>")]
    shown = page_of(found)
    assert shown is not None
    assert all(f".{cell.style} " in css for _, cells in shown.rows for cell in cells)


def test_the_page_says_when_no_slice_is_worse() -> None:
    tasks = [task_of(k, "x" if k % 5 == 0 else QUEUES[k % 2]) for k in range(60)]
    patterns = patterns_of_run(run_of(tasks), cases_of(60))
    page = render_run_html(run_of(tasks), None, None, cases_of(60), patterns=patterns)
    assert "none of them fails more often than the rest beyond chance" in page


def test_json_and_markdown_hold_them(found: ErrorPatterns) -> None:
    run = run_of(mixed(64))
    document = json.loads(dumps(run_document(run, None, None, found)))
    assert ErrorPatterns.model_validate(document["patterns"]) == found
    assert json.loads(dumps(run_document(run, None, None)))["patterns"] is None
    text = run_markdown(run, None, None, cases_of(64), found)
    assert "**What went wrong** (all cases of the run)" in text
    assert "| Empty answer | 8 | 25.0% |" in text


def test_a_large_run_is_told_the_same() -> None:
    held, logged = (patterns_of_run(run_of(mixed(64), logged=way), cases_of(64)) for way in (False, True))
    assert held is not None
    assert logged is not None
    assert logged.basis == "all 32 failing cases beside 32 passing ones, drawn at random"
    assert {g.id: g.size for g in logged.groups} == {g.id: g.size for g in held.groups}
    assert (logged.cases, logged.failures) == (held.cases, held.failures) == (64, 32)
    assert [(s.id, s.cases, s.failures, s.rate) for s in logged.slices] == [
        (s.id, s.cases, s.failures, pytest.approx(s.rate)) for s in held.slices
    ]


def test_of_too_many_failures_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_source, "FAILURES", 30)
    found = patterns_of_run(run_of(mixed(640), logged=True), cases_of(640))
    assert found is not None
    assert (found.cases, found.failures, found.looked_at) == (640, 320, 30)
    assert sum(group.size for group in found.groups) == 30
    assert found.basis == "a random 30 of 320 failing cases beside 320 passing ones, drawn at random"
    for item in found.slices:  # rates are of all cases, not of the sample
        assert item.rate > 320 / 640 > item.rate_outside


def test_of_a_large_run_that_did_not_finish_no_passing_cases_are_told() -> None:
    cut_off = run_of(mixed(64), logged=True).model_copy(update={"status": RunStatus.BUDGET_EXHAUSTED})
    found = patterns_of_run(cut_off, cases_of(64))
    assert found is not None
    assert found.basis == "all 32 failing cases"


def test_repeats_of_a_case_count_as_one() -> None:
    def said(k: int, repeat: int) -> str:
        return "no" if repeat == 0 or (k < 10 and repeat == 1) else QUEUES[k % 2]

    tasks = [task_of(k, said(k, repeat), repeat) for k in range(40) for repeat in range(3)]
    for logged in (False, True):
        found = patterns_of_run(run_of(tasks, logged=logged), cases_of(40))
        assert found is not None
        assert (found.cases, found.failures) == (40, 10)


def test_cases_that_are_not_known_have_no_inputs() -> None:
    found = patterns_of_run(run_of(mixed(16)), ())
    assert found is not None
    assert found.groups[0].examples[0].input == ""
    assert found.failures == 8

"""Where the time went: sums by hand, sums of any results, results that are read once, and what a reader sees."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import STARTED, make_report, make_run, make_task
from sharpen.errors import ErrorKind
from sharpen.executor.models import FailedAttempt, RunExecutionResult, TaskError, TaskResult, TaskStatus
from sharpen.reporting import time_tables
from sharpen.reporting.console import make_console, print_run
from sharpen.reporting.html import render_run_html
from sharpen.reporting.json_document import dumps, run_document
from sharpen.reporting.markdown import run_markdown
from sharpen.reporting.time_breakdown import break_down, of_run

LIMITED = FailedAttempt(kind=ErrorKind.RATE_LIMIT, http_status=429, time=0.1, wait=2.0)
BROKEN = FailedAttempt(kind=ErrorKind.SERVER, http_status=500, time=0.4, wait=0.5, tokens=12, cost=0.01)
LATE = FailedAttempt(kind=ErrorKind.TIMEOUT, time=3.0)


def retried(**fields: object) -> TaskResult:
    """Waited 1 s for a slot and 0.25 s for the rate limit, failed twice, was answered after 0.75 s."""
    return make_task(
        "retried",
        attempts=3,
        execution_time=0.75,
        wait_time=1 + 0.25 + 2.5,
        queue_time=1.0,
        limit_time=0.25,
        failed_attempts=(LIMITED, BROKEN),
        **fields,
    )


def lost(**fields: object) -> TaskResult:
    """Timed out once, and that was it."""
    return make_task(
        "lost",
        TaskStatus.TIMEOUT,
        attempts=1,
        execution_time=3.0,
        failed_attempts=(LATE,),
        **fields,
    )


def parts_of(*results: TaskResult) -> dict[str, float]:
    return {part.name: part.total_s for part in break_down(results, 10).parts}


def test_every_second_of_a_retried_task_is_in_one_part() -> None:
    assert parts_of(retried()) == pytest.approx(
        {"queue": 1.0, "rate limit": 0.25, "back-off": 2.5, "failed attempts": 0.5, "server": 0.75}
    )


def test_a_last_attempt_that_failed_is_not_counted_twice() -> None:
    parts = parts_of(lost())
    assert (parts["failed attempts"], parts["server"]) == (3.0, 0.0)


def test_remembered_answers_and_tasks_that_were_never_called_took_no_time() -> None:
    cached = make_task("c", cached=True, attempts=0, execution_time=5.0)
    cancelled = make_task("x", TaskStatus.CANCELLED)
    found = break_down([cached, cancelled], 1.0)
    assert (found.tasks, found.task_s, found.errors) == (0, 0.0, ())
    assert {part.share for part in found.parts} == {None}
    assert time_tables.summary(found) == "Nothing was called, or its results are no longer kept."


def test_results_from_before_failed_attempts_were_noted() -> None:
    old = make_task("old", TaskStatus.ERROR, attempts=3, execution_time=0.5, cost=None)
    answered = make_task("answered", attempts=2, execution_time=0.25)
    found = break_down([old, answered], 10)
    assert {part.name: part.total_s for part in found.parts if part.total_s} == {"failed attempts": 0.5, "server": 0.25}
    assert [(error.kind, error.attempts, error.cost, error.tasks) for error in found.errors] == [("server", 1, None, 1)]


def test_what_each_kind_of_error_cost() -> None:
    wrong = make_task("wrong", TaskStatus.FAILED)
    found = break_down([retried(), lost(), lost(), wrong], 10.0, 4)
    assert [(e.kind, e.attempts, e.time_s, e.tokens, e.cost, e.tasks) for e in found.errors] == [
        ("timeout", 2, 6.0, 0, 0.0, 2),
        ("rate_limit", 1, pytest.approx(2.1), 0, 0.0, 0),
        ("server", 1, pytest.approx(0.9), 12, 0.01, 0),
        ("assertion", 0, 0.0, 0, 0.0, 1),
    ]
    assert found.concurrency == pytest.approx((0.5 + 0.75 + 6.0 + 0.25) / 10)
    assert found.allowed == 4


def test_an_unknown_price_makes_a_kind_s_cost_unknown() -> None:
    unpriced = BROKEN.model_copy(update={"cost": None})
    tasks = [retried(), retried().model_copy(update={"failed_attempts": (LIMITED, unpriced)})]
    costs = {error.kind: error.cost for error in break_down(tasks, 1.0).errors}
    assert costs == {"rate_limit": 0.0, "server": None}


def test_more_calls_at_a_time_than_allowed_cannot_be() -> None:
    resumed = break_down([lost()] * 10, wall_s=2.0, allowed=4)
    assert resumed.concurrency is None
    assert "since the run was last resumed" in time_tables.summary(resumed)


SECONDS = st.floats(0, 1e4)
FAILED = st.builds(FailedAttempt, kind=st.sampled_from(ErrorKind), time=SECONDS, wait=SECONDS, cost=st.none() | SECONDS)


@st.composite
def any_result(draw: st.DrawFn) -> TaskResult:
    failed = tuple(draw(st.lists(FAILED, max_size=3)))
    queue, limit, answered = draw(SECONDS), draw(SECONDS), draw(st.booleans())
    return TaskResult(
        task_id="t",
        case_id="t",
        status=TaskStatus.SUCCEEDED if answered else TaskStatus.ERROR,
        attempts=len(failed) + answered,
        execution_time=draw(SECONDS),
        queue_time=queue,
        limit_time=limit,
        wait_time=queue + limit + sum(attempt.wait for attempt in failed),
        failed_attempts=failed,
        output="x" if answered else None,
        error=None if answered else TaskError(kind=ErrorKind.SERVER),
    )


@settings(max_examples=80)
@given(st.lists(any_result(), max_size=8), st.floats(0.001, 1e5))
def test_parts_add_up_to_the_time_of_all_tasks(results: list[TaskResult], wall: float) -> None:
    found = break_down(iter(results), wall)
    attempts = [attempt for result in results for attempt in result.failed_attempts]
    answered = [result.execution_time for result in results if result.output is not None]
    spent = sum(r.wait_time for r in results) + sum(a.time for a in attempts) + sum(answered)
    assert found.task_s == pytest.approx(spent, rel=1e-9, abs=1e-6)
    assert sum(part.total_s for part in found.parts) == pytest.approx(found.task_s)
    if found.task_s:
        assert sum(part.share or 0 for part in found.parts) == pytest.approx(1)
    assert sum(error.attempts for error in found.errors) == len(attempts)
    assert sum(error.tasks for error in found.errors) == sum(result.error is not None for result in results)


def test_a_stream_is_read_once_and_fast_enough_for_a_million() -> None:
    one = retried()

    def stream(number: int) -> Iterator[TaskResult]:
        for _ in range(number):
            yield one

    began = time.process_time()
    assert break_down(stream(20_000), 1.0).tasks == 20_000
    assert time.process_time() - began < 1.0  # 50 µs each; about 3 are needed


def a_run() -> RunExecutionResult:
    tasks = [retried(), lost(), make_task("fine"), make_task("wrong", TaskStatus.FAILED)]
    return make_run(tasks, finished_at=STARTED + timedelta(seconds=5), metadata={"concurrency": 4})


def test_the_terminal_shows_it_where_it_is_asked_for() -> None:
    run, file = a_run(), io.StringIO()
    print_run(make_console(file=file, width=80), run, make_report(run), None, time=True)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.splitlines()]
    assert ["Server,", "answers", "1.25", "s", "312", "ms", "14.7%"] in rows
    assert ["Rate", "limit", "250", "ms", "62", "ms", "2.9%"] in rows
    assert ["server", "1", "900", "ms", "12", "$0.010", "0"] in rows
    assert ["assertion", "0", "–", "–", "–", "1"] in rows
    assert "5.00 s passed, with 0.9 of 4 allowed calls under way on average." in text
    file.truncate(0)
    print_run(make_console(file=file, width=80), run, make_report(run), None)
    assert "Where the time went" not in file.getvalue()


def test_documents_and_pages_hold_it() -> None:
    run = a_run()
    found = json.loads(dumps(run_document(run, make_report(run), None)))["time"]
    assert found["wall_s"] == 5.0
    assert [part["name"] for part in found["parts"]] == ["queue", "rate limit", "back-off", "failed attempts", "server"]
    assert found["errors"][0] == {
        "kind": "timeout",
        "attempts": 1,
        "time_s": 3.0,
        "tokens": 0,
        "cost": 0.0,
        "tasks": 1,
    }
    page = render_run_html(run, make_report(run), None, [])
    assert '<section id="time"' in page
    assert "rate limit</th>" in page
    text = run_markdown(run, make_report(run), None)
    assert "| Back-off before retries | 2.50 s |" in text
    assert of_run(run).allowed == 4

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sharpen.errors import ErrorKind, NoTasksError
from sharpen.executor.models import ResultLog, RunExecutionResult, RunStatistics, TaskError, TaskResult, TaskStatus
from sharpen.executor.statistics import summarize
from sharpen.optimizer.converter import cost_per_request, error_category, to_statistics
from sharpen.optimizer.models import ErrorDistribution, TestExecutionReport
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.statistics import nearest_rank

FAILING = {
    TaskStatus.FAILED: [ErrorKind.ASSERTION, ErrorKind.ASSERTION_CRASH, None],
    TaskStatus.TIMEOUT: [ErrorKind.TIMEOUT, None],
    TaskStatus.ERROR: [*ErrorKind, None],
}


@st.composite
def task_results(draw, number: int) -> TaskResult:
    status = draw(st.sampled_from(list(TaskStatus)))
    kind = draw(st.sampled_from(FAILING[status])) if status in FAILING else None
    cached = draw(st.booleans())
    return TaskResult(
        task_id=f"t{number}",
        case_id=f"t{number}",
        status=status,
        execution_time=draw(st.floats(0, 100) | st.just(1e306)),
        attempts=draw(st.integers(0, 4)),
        total_tokens=draw(st.integers(0, 5000)),
        cost=draw(st.none() | st.floats(0, 1)),
        saved_cost=draw(st.none() | st.floats(0, 1)) if cached else 0.0,
        cached=cached,
        error=TaskError(kind=kind, message="timeout rate limit 500") if kind else None,
    )


@st.composite
def executor_results(draw) -> RunExecutionResult:
    tasks = [draw(task_results(number)) for number in range(draw(st.integers(1, 30)))]
    count = {status: sum(task.status is status for task in tasks) for status in TaskStatus}
    ran = [task for task in tasks if task.status.completed]
    start = datetime(2026, 1, 2, tzinfo=UTC)
    return RunExecutionResult(
        run_id="run",
        workflow_id="flow",
        started_at=start,
        finished_at=start + timedelta(seconds=9),
        statistics=RunStatistics(
            total_tasks=len(tasks),
            completed_tasks=len(ran),
            succeeded_tasks=count[TaskStatus.SUCCEEDED],
            failed_tasks=count[TaskStatus.FAILED],
            timeout_tasks=count[TaskStatus.TIMEOUT],
            error_tasks=count[TaskStatus.ERROR],
            cancelled_tasks=count[TaskStatus.CANCELLED],
            success_rate=count[TaskStatus.SUCCEEDED] / len(tasks),
            avg_execution_time=sum(task.execution_time for task in ran) / len(ran) if ran else 0.0,
            total_tokens=sum(task.total_tokens for task in tasks),
            total_cost=None if any(task.cost is None for task in tasks) else sum(task.cost for task in tasks),
            total_retries=sum(task.retries for task in tasks),
            cached_tasks=sum(task.cached for task in tasks),
        ),
        task_results=tuple(tasks),
    )


@pytest.mark.no_cover
@given(executor_results())
@settings(max_examples=150, deadline=None)
def test_conversion_loses_nothing_whatever_the_mix(result):
    report = TestExecutionReport.from_executor_result(result)
    assert to_statistics(report) == result.statistics
    assert report.to_run_statistics() == result.statistics
    again = TestExecutionReport.model_validate_json(report.model_dump_json())
    assert again == report
    assert again.to_run_statistics() == result.statistics
    assert report.total_cost == result.statistics.total_cost
    assert report.failed_tests == report.error_distribution.total_errors
    times = [
        min(task.execution_time * 1000, sys.float_info.max) for task in result.task_results if task.status.completed
    ]
    assert report.p95_response_time_ms == nearest_rank(times, 95)
    assert report.p99_response_time_ms == nearest_rank(times, 99)


@given(executor_results())
@settings(max_examples=50, deadline=None)
def test_a_remembered_answer_makes_no_prompt_cheaper(result):
    tasks = [task.model_copy(update={"saved_cost": 0.0, "cached": False}) for task in result.task_results]
    tasks = [task for task in tasks if task.status.completed]
    paid = result.model_copy(update={"task_results": tuple(tasks), "statistics": summarize(tasks)})
    remembered = [
        task.model_copy(update={"cost": 0.0, "saved_cost": task.cost, "cached": True, "attempts": 0}) for task in tasks
    ]
    again = paid.model_copy(update={"task_results": tuple(remembered), "statistics": summarize(remembered)})
    assert cost_per_request(again) == cost_per_request(paid)
    assert [outcome.cost for outcome in outcomes_of(remembered)] == [outcome.cost for outcome in outcomes_of(tasks)]


class Unread(ResultLog):
    """The results of a run that is too large to read them once more than it takes."""

    def _read(self, *_):
        raise AssertionError("read")

    figures = not_succeeded = __getitem__ = __iter__ = _read

    def __len__(self):
        return 20_000


def test_the_price_of_a_request_without_remembered_answers_is_known_without_a_look_at_results():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    statistics = RunStatistics(
        total_tasks=20_000, completed_tasks=20_000, succeeded_tasks=20_000, success_rate=1.0, total_cost=5.0
    )
    result = RunExecutionResult(
        run_id="r", workflow_id="w", started_at=now, finished_at=now, statistics=statistics, task_results=Unread()
    )
    assert cost_per_request(result) == 5.0 / 20_000


@given(executor_results())
@settings(max_examples=50, deadline=None)
def test_every_failure_is_in_exactly_one_category(result):
    for task in result.task_results:
        counted = error_category(task) is not None
        assert counted == (task.status in FAILING)


def test_categories_follow_the_kind_and_never_the_message():
    def category(status, kind):
        error = TaskError(kind=kind, message="timeout! rate limit! assertion!")
        return error_category(TaskResult(task_id="t", case_id="t", status=status, error=error))

    assert category(TaskStatus.ERROR, ErrorKind.RATE_LIMIT) == "llm_errors"
    assert category(TaskStatus.ERROR, ErrorKind.CONTENT_FILTER) == "llm_errors"
    assert category(TaskStatus.ERROR, ErrorKind.CONTEXT_LENGTH) == "llm_errors"
    assert category(TaskStatus.ERROR, ErrorKind.MALFORMED_COMPLETION) == "llm_errors"
    assert category(TaskStatus.ERROR, ErrorKind.SERVER) == "api_errors"
    assert category(TaskStatus.ERROR, ErrorKind.AUTHENTICATION) == "api_errors"
    assert category(TaskStatus.ERROR, ErrorKind.CONNECTION) == "api_errors"
    assert category(TaskStatus.FAILED, ErrorKind.ASSERTION) == "validation_errors"
    assert category(TaskStatus.TIMEOUT, ErrorKind.TIMEOUT) == "timeout_errors"


def test_no_task_is_an_error_of_its_own_type():
    now = datetime.now(UTC)
    empty = RunExecutionResult(
        run_id="r9", workflow_id="f", started_at=now, finished_at=now, statistics=RunStatistics(total_tasks=0)
    )
    with pytest.raises(NoTasksError, match="r9"):
        TestExecutionReport.from_executor_result(empty)


def test_statistics_without_task_results_are_counted_by_status():
    now = datetime.now(UTC)
    statistics = RunStatistics(
        total_tasks=10, completed_tasks=9, succeeded_tasks=5, failed_tasks=2, timeout_tasks=1, error_tasks=1,
        cancelled_tasks=1, success_rate=0.5,
    )  # fmt: skip
    result = RunExecutionResult(run_id="r", workflow_id="f", started_at=now, finished_at=now, statistics=statistics)
    report = TestExecutionReport.from_executor_result(result)
    assert report.error_distribution == ErrorDistribution(validation_errors=2, timeout_errors=1, api_errors=1)
    assert (report.failed_tests, report.p95_response_time_ms) == (4, None)


def report(**changes):
    fields = {
        "workflow_id": "f", "run_id": "r", "total_tests": 10, "successful_tests": 8, "failed_tests": 2,
        "success_rate": 0.8, "avg_response_time_ms": 5.0, "total_tokens": 10, "avg_tokens_per_request": 1.0,
        "total_cost": 0.1, "cost_per_request": 0.01,
    }  # fmt: skip
    return TestExecutionReport(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"successful_tests": 9, "failed_tests": 2, "success_rate": 0.9}, "exceed total_tests"),
        ({"success_rate": 0.79}, "success_rate"),
        ({"p95_response_time_ms": 9.0, "p99_response_time_ms": 8.0}, "above p99"),
        ({"total_tests": 0}, "total_tests"),
        ({"surprise": 1}, "surprise"),
        ({"total_cost": -1}, "total_cost"),
    ],
)
def test_inconsistent_reports_are_rejected(changes, says):
    with pytest.raises(ValidationError, match=says):
        report(**changes)


def test_a_rejected_assignment_leaves_the_report_as_it_was():
    good = report()
    with pytest.raises(ValidationError):
        good.success_rate = 0.2
    assert good.success_rate == 0.8
    good.avg_response_time_ms = 6.5
    assert good.avg_response_time_ms == 6.5


def test_naive_times_are_utc_and_helpers_answer():
    naive = report(executed_at=datetime(2026, 5, 4, 3, 2, 1))
    assert naive.executed_at == datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert not naive.has_timeout_errors()
    assert not naive.has_api_errors()
    assert naive.get_error_rate() == pytest.approx(0.2)
    assert report().executed_at.tzinfo is not None


def test_error_distribution_computes_or_checks_its_total():
    assert ErrorDistribution(api_errors=2, llm_errors=1).total_errors == 3
    with pytest.raises(ValidationError, match=r"total_errors is 5, but the four categories add up to 1"):
        ErrorDistribution(timeout_errors=1, total_errors=5)
    assert json.loads(ErrorDistribution().model_dump_json())["total_errors"] == 0


def test_a_left_out_total_is_computed_whatever_the_numbers_look_like():
    assert ErrorDistribution(timeout_errors="2", api_errors=1.0).total_errors == 3
    with pytest.raises(ValidationError):
        ErrorDistribution(total_errors=-1)

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sharpen.executor.models import RunExecutionResult, RunStatistics, RunStatus, TaskResult, TaskStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def result(**fields: Any) -> RunExecutionResult:
    defaults: dict[str, Any] = {
        "run_id": "r", "workflow_id": "w", "started_at": START, "finished_at": START,
        "statistics": RunStatistics(total_tasks=1, completed_tasks=1, succeeded_tasks=1, success_rate=1.0),
        "task_results": (TaskResult(task_id="a", case_id="a", status=TaskStatus.SUCCEEDED),),
    }  # fmt: skip
    return RunExecutionResult(**(defaults | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"total_tasks": 3, "completed_tasks": 2, "failed_tasks": 1}, "completed_tasks is 2, .* add up to 1"),
        ({"total_tasks": 1, "completed_tasks": 1, "failed_tasks": 1, "cancelled_tasks": 1}, "of only 1"),
        ({"total_tasks": 2, "completed_tasks": 1, "failed_tasks": 1, "success_rate": 0.5}, r"is 0.5, .* is 0.0000"),
        ({"total_tasks": 1, "avg_execution_time": float("nan")}, "finite number"),
        ({"total_tests": 1, "total_tasks": 1}, "total_tests"),
    ],
)
def test_statistics_that_contradict_themselves_are_rejected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RunStatistics(**fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"finished_at": START - timedelta(seconds=1)}, "is before started_at"),
        ({"statistics": RunStatistics(total_tasks=2)}, "1 task results, statistics of 2"),
        ({"statistics": RunStatistics(total_tasks=1)}, "1 tasks are succeeded, statistics say 0"),
    ],
)
def test_results_that_contradict_themselves_are_rejected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        result(**fields)


def test_naive_times_are_read_as_utc() -> None:
    naive = START.replace(tzinfo=None)
    assert result(started_at=naive, finished_at=naive) == result()


def test_a_result_may_travel_without_its_tasks() -> None:
    assert result(task_results=()).statistics.total_tasks == 1


def test_only_a_run_that_never_ended_may_lack_results() -> None:
    three = RunStatistics(total_tasks=3, completed_tasks=1, succeeded_tasks=1, success_rate=1 / 3)
    assert result(statistics=three, status=RunStatus.RUNNING).statistics == three
    for status in set(RunStatus) - {RunStatus.RUNNING}:
        with pytest.raises(ValidationError, match="1 task results, statistics of 3"):
            result(statistics=three, status=status)
    with pytest.raises(ValidationError, match="2 task results, statistics of 1"):
        result(task_results=result().task_results * 2, status=RunStatus.RUNNING)


def test_only_what_ran_to_an_end_is_completed() -> None:
    assert {status for status in TaskStatus if status.completed} == {
        TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.TIMEOUT, TaskStatus.ERROR,
    }  # fmt: skip

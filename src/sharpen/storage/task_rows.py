"""``TaskResult`` ↔ a row of ``results``. Pure, and exact in both directions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from sharpen.assertions.base import AssertionResult
from sharpen.errors import ErrorKind
from sharpen.executor.models import FailedAttempt, JudgeUsage, TaskError, TaskResult, TaskStatus

_PLAIN = (
    "case_id", "repeat", "output", "finish_reason", "score", "execution_time", "wait_time", "attempts",
    "prompt_tokens", "completion_tokens", "total_tokens", "cost", "saved_cost", "cached", "queue_time", "limit_time",
)  # fmt: skip


def to_row(run: int, result: TaskResult) -> dict[str, Any]:
    """The row of a result of the run with key ``run``."""
    row: dict[str, Any] = {name: getattr(result, name) for name in _PLAIN}
    error, judge = result.error, result.judge
    row.update(
        run=run,
        task_id=None if result.task_id == _usual_task_id(result.case_id, result.repeat) else result.task_id,
        status=result.status.value,
        assertions=[a.model_dump(exclude_defaults=True) for a in result.assertion_results] or None,
        error_kind=error.kind.value if error else None,
        error_message=error.message if error else None,
        error_http_status=error.http_status if error else None,
        error_retryable=error.retryable if error else None,
        judge_calls=judge.calls,
        judge_tokens=judge.tokens,
        judge_cost=judge.cost,
        failed_attempts=[a.model_dump(mode="json", exclude_defaults=True) for a in result.failed_attempts] or None,
    )
    return row


def from_row(row: Row[Any]) -> TaskResult:
    """The result that ``to_row`` was given."""
    values, error = row._mapping, None
    task_id = values["task_id"]
    if values["error_kind"] is not None:
        error = TaskError(
            kind=ErrorKind(values["error_kind"]),
            message=values["error_message"],
            http_status=values["error_http_status"],
            retryable=values["error_retryable"],
        )
    return TaskResult(
        **{name: values[name] for name in _PLAIN},
        task_id=_usual_task_id(values["case_id"], values["repeat"]) if task_id is None else task_id,
        status=TaskStatus(values["status"]),
        assertion_results=tuple(AssertionResult.model_validate(a) for a in values["assertions"] or ()),
        error=error,
        failed_attempts=tuple(FailedAttempt.model_validate(a) for a in values["failed_attempts"] or ()),
        judge=JudgeUsage(calls=values["judge_calls"], tokens=values["judge_tokens"], cost=values["judge_cost"]),
    )


def _usual_task_id(case_id: str, repeat: int) -> str:
    """What the executor calls most tasks: not worth storing."""
    return f"{case_id}#{repeat + 1}" if repeat else case_id

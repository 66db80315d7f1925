"""``TaskResult`` ↔ a row of ``results``. Pure, and exact in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from sharpen.assertions.base import AssertionResult
from sharpen.errors import ErrorKind
from sharpen.executor.models import FailedAttempt, JudgeUsage, TaskError, TaskResult, TaskStatus
from sharpen.storage import schema
from sharpen.storage.exact_text import exact_text
from sharpen.storage.types import exact_json

COLUMNS = tuple(column.name for column in schema.results.columns)
"""The order of ``to_values`` and of what ``from_row`` reads."""

_ASSERTIONS = TypeAdapter(tuple[AssertionResult, ...])
_ATTEMPTS = TypeAdapter(tuple[FailedAttempt, ...])
_NO_JUDGE = JudgeUsage()


def to_values(run: int, result: TaskResult) -> tuple[Any, ...]:
    """The row of a result of the run with key ``run``, in the order of ``COLUMNS``, as the driver takes it."""
    error, judge = result.error, result.judge
    usual = result.task_id == _usual_task_id(result.case_id, result.repeat)
    return (
        run,
        exact_text(result.case_id),
        result.repeat,
        None if usual else exact_text(result.task_id),
        result.status.value,
        exact_text(result.output),
        exact_text(result.finish_reason),
        result.score,
        result.execution_time,
        result.wait_time,
        result.attempts,
        result.prompt_tokens,
        result.completion_tokens,
        result.total_tokens,
        result.cost,
        result.saved_cost,
        result.cached,
        _dumped(_ASSERTIONS, result.assertion_results),
        error.kind.value if error else None,
        exact_text(error.message) if error else None,
        error.http_status if error else None,
        error.retryable if error else None,
        judge.calls,
        judge.tokens,
        judge.cost,
        result.queue_time,
        result.limit_time,
        _dumped(_ATTEMPTS, result.failed_attempts),
        result.hedges,
    )


def from_row(row: Sequence[Any]) -> TaskResult:
    """The result that ``to_values`` was given, from a row of ``COLUMNS`` (more may follow) as the schema reads it."""
    (
        _run, case_id, repeat, task_id, status, output, finish_reason, score, execution_time, wait_time, attempts,
        prompt_tokens, completion_tokens, total_tokens, cost, saved_cost, cached, assertions,
        error_kind, error_message, http_status, retryable, judge_calls, judge_tokens, judge_cost,
        queue_time, limit_time, failed_attempts, hedges,
    ) = row[: len(COLUMNS)]  # fmt: skip
    error = None
    if error_kind is not None:
        error = TaskError(
            kind=ErrorKind(error_kind), message=error_message, http_status=http_status, retryable=retryable
        )
    judge = JudgeUsage(calls=judge_calls, tokens=judge_tokens, cost=judge_cost)
    return TaskResult(
        task_id=_usual_task_id(case_id, repeat) if task_id is None else task_id,
        case_id=case_id,
        status=TaskStatus(status),
        repeat=repeat,
        execution_time=execution_time,
        wait_time=wait_time,
        attempts=attempts,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=total_tokens,
        cost=cost,
        saved_cost=saved_cost,
        output=output,
        finish_reason=finish_reason,
        score=score,
        assertion_results=_ASSERTIONS.validate_python(assertions) if assertions else (),
        error=error,
        cached=cached,
        judge=_NO_JUDGE if judge == _NO_JUDGE else judge,
        queue_time=queue_time,
        limit_time=limit_time,
        failed_attempts=_ATTEMPTS.validate_python(failed_attempts) if failed_attempts else (),
        hedges=hedges,
    )


def _dumped(adapter: TypeAdapter[Any], records: tuple[Any, ...]) -> str | None:
    """What ``Json`` would store for a list of records, defaults left out; None for none."""
    if not records:
        return None
    try:
        text = adapter.dump_json(records, exclude_defaults=True)
        if b"null" not in text:  # else perhaps an infinite weight, which is written so
            return text.decode()
    except ValueError:  # a lone surrogate in a reason
        pass
    return exact_json([record.model_dump(mode="json", exclude_defaults=True) for record in records])


def _usual_task_id(case_id: str, repeat: int) -> str:
    """What the executor calls most tasks: not worth storing."""
    return f"{case_id}#{repeat + 1}" if repeat else case_id

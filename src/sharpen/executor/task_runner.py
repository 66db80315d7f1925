"""One case, once → ``TaskResult``. Failures are values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharpen.config.models import Case
from sharpen.errors import ErrorKind, TemplateError
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.executor.judging import NO_JUDGE, CallerOf, TaskJudges
from sharpen.executor.models import JudgeUsage, TaskError, TaskResult, TaskStatus
from sharpen.executor.rendering import PromptRenderer
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, TargetRequest

if TYPE_CHECKING:
    from sharpen.assertions.grading import Grade, Grader

_ALL_FIELDS = set(TaskResult.model_fields)


class TaskRunner:
    """Renders, calls and grades the tasks of one run."""

    def __init__(
        self,
        renderer: PromptRenderer,
        caller: Caller,
        grader: Grader,
        judge_caller_of: CallerOf,
        repeats: int = 1,
    ) -> None:
        self._renderer = renderer
        self._caller = caller
        self._grader = grader
        self._judge_caller_of = judge_caller_of
        self._repeats = repeats

    @property
    def remembers(self) -> bool:
        """Answers may come from a cache, so tasks are worth starting although nothing may be spent any more."""
        memory = self._caller.memory
        return memory is not None and memory.may_know

    def task_id(self, case: Case, repeat: int) -> str:
        """``case``; when every case runs several times ``case#1``, ``case#2`` and so on."""
        return case.id if self._repeats == 1 else f"{case.id}#{repeat + 1}"

    def cancelled(self, case: Case, repeat: int, stop: StopSignal) -> TaskResult:
        """The result of a task that is not run at all, because the run was stopped."""
        return TaskResult(
            task_id=self.task_id(case, repeat),
            case_id=case.id,
            repeat=repeat,
            status=TaskStatus.CANCELLED,
            error=TaskError(kind=stop.kind, message=f"not called: {stop.reason}"),
        )

    async def run(self, case: Case, repeat: int) -> TaskResult:
        """Run one task to its end."""
        try:
            messages = self._renderer.render(case.vars)
        except TemplateError as error:
            return self._result(case, repeat, CallOutcome(), Failure(ErrorKind.RENDERING, str(error)))
        caller = self._caller
        outcome = await caller.call(TargetRequest(messages, case.vars, case.id, repeat, caller.timeout_s))
        if outcome.response is None:
            return self._result(case, repeat, outcome, outcome.failure)
        return await self._graded(case, repeat, outcome)

    async def _graded(self, case: Case, repeat: int, outcome: CallOutcome) -> TaskResult:
        assert outcome.response is not None
        judges = TaskJudges(self._judge_caller_of, case.id, repeat)
        usage = outcome.response.usage
        try:
            grade = await self._grader.grade(
                output=outcome.response.output,
                expected=case.expected,
                variables=case.vars,
                case_id=case.id,
                latency_ms=outcome.execution_time * 1000,
                cost=outcome.response.cost,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                extra=case.assertions,
                judge_for=judges.judge_for,
            )
        except Exception as error:  # noqa: BLE001 - whatever breaks while grading costs this case, not the run
            crash = Failure(ErrorKind.ASSERTION_CRASH, f"{type(error).__name__}: {error}")
            return self._result(case, repeat, outcome, crash, judge=judges.usage)
        if judges.stopped is not None:
            outcome.stopped = True
            return self._result(case, repeat, outcome, judges.stopped, judge=judges.usage)
        failure = None if grade.passed else _verdict(grade)
        return self._result(case, repeat, outcome, failure, grade, judges.usage)

    def _result(
        self,
        case: Case,
        repeat: int,
        outcome: CallOutcome,
        failure: Failure | None,
        grade: Grade | None = None,
        judge: JudgeUsage = NO_JUDGE,
    ) -> TaskResult:
        response = outcome.response
        result = TaskResult(
            task_id=self.task_id(case, repeat),
            case_id=case.id,
            repeat=repeat,
            status=_status(outcome, failure),
            execution_time=outcome.execution_time,
            wait_time=outcome.wait_time,
            attempts=outcome.attempts,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            total_tokens=outcome.total_tokens,
            cost=outcome.cost,
            saved_cost=outcome.saved_cost,
            output=response.output if response else None,
            finish_reason=response.finish_reason if response else None,
            score=grade.score if grade else None,
            assertion_results=tuple(grade.results) if grade else (),
            error=_error(failure),
            cached=outcome.cached,
            judge=judge,
            queue_time=outcome.queue_time,
            limit_time=outcome.limit_time,
            failed_attempts=tuple(outcome.failed_attempts),
            hedges=outcome.hedges,
        )
        # a set of its own would be more than all else that a result holds, and thousands are held
        object.__setattr__(result, "__pydantic_fields_set__", _ALL_FIELDS)
        return result


def _status(outcome: CallOutcome, failure: Failure | None) -> TaskStatus:
    if failure is None:
        return TaskStatus.SUCCEEDED
    if outcome.stopped:
        return TaskStatus.CANCELLED
    if failure.kind is ErrorKind.TIMEOUT:
        return TaskStatus.TIMEOUT
    return TaskStatus.FAILED if outcome.response is not None else TaskStatus.ERROR


def _error(failure: Failure | None) -> TaskError | None:
    if failure is None:
        return None
    return TaskError(
        kind=failure.kind, message=failure.message, http_status=failure.http_status, retryable=failure.retryable
    )


def _verdict(grade: Grade) -> Failure:
    """Why a graded case failed: ``assertion_crash`` only when nothing but broken assertions failed it."""
    failing = [result for result in grade.results if not result.passed and result.weight > 0]
    crashed = bool(failing) and all(result.error is not None for result in failing)
    reasons = "; ".join(f"{result.type}: {result.reason}" if result.reason else result.type for result in failing)
    return Failure(ErrorKind.ASSERTION_CRASH if crashed else ErrorKind.ASSERTION, reasons)

"""What a run yields (contract section 2): data only, serialises to JSON and back without loss."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, PlainSerializer, model_validator
from pydantic.json_schema import SkipJsonSchema

from sharpen.assertions.base import AssertionResult
from sharpen.errors import ErrorKind

RATE_TOLERANCE = 0.001


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


AwareDatetime = Annotated[datetime, AfterValidator(_aware)]
"""A timezone-aware moment; a naive value is read as UTC."""


class Record(BaseModel):
    """Base of all result models: frozen, unknown fields forbidden, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskStatus(StrEnum):
    """``failed``: an assertion said no. ``error``: no usable answer. ``cancelled``: never called to an end."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def completed(self) -> bool:
        """The task ran to an end, good or bad."""
        return self in _COMPLETED


_COMPLETED = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.TIMEOUT, TaskStatus.ERROR})


class RunStatus(StrEnum):
    """How a run ended. ``running`` is also what a killed process leaves behind: such a run can be resumed."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    BUDGET_EXHAUSTED = "budget_exhausted"
    ABORTED = "aborted"


class TaskError(Record):
    """Why a task did not succeed, by kind."""

    kind: ErrorKind
    message: str = ""
    http_status: int | None = None
    retryable: bool = False


class JudgeUsage(Record):
    """What judging cost; never mixed with the prompt's own figures. ``cost`` in USD, None when unknown."""

    calls: int = Field(default=0, ge=0)
    tokens: int = Field(default=0, ge=0)
    cost: float | None = Field(default=0.0, ge=0)


class FailedAttempt(Record):
    """One attempt of a task that came to nothing. Times in seconds, cost in USD (None: unknown).

    ``time`` is the attempt's own, ``wait`` the pause after it (0 after the last one).
    """

    kind: ErrorKind
    http_status: int | None = None
    time: float = Field(default=0.0, ge=0)
    wait: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=0, ge=0)
    cost: float | None = Field(default=0.0, ge=0)


class TaskResult(Record):
    """One case, run once. Times in seconds, cost in USD (None: the price is unknown).

    ``execution_time`` is the last attempt's alone; ``wait_time`` is all waiting before and between attempts:
    ``queue_time`` for a free slot, ``limit_time`` for rate limits, the rest is back-off. Attempts before the last took
    what ``failed_attempts`` says, which holds the last one too when that failed.
    ``attempts`` counts calls really made (0 for a cached task and for one that was cancelled before it was called),
    ``hedges`` those among them that were second calls beside a late one; their tokens and cost count, too.
    Tokens and cost include what failed attempts used up. A cached task costs 0; its tokens and ``execution_time`` are
    those of the answer when it was paid for, and ``saved_cost`` is what that answer cost then (USD; None: unknown; 0
    unless cached).
    """

    task_id: str
    case_id: str
    status: TaskStatus
    repeat: int = Field(default=0, ge=0)
    execution_time: float = Field(default=0.0, ge=0)
    wait_time: float = Field(default=0.0, ge=0)
    attempts: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    total_tokens: int = Field(default=0, ge=0)
    cost: float | None = Field(default=0.0, ge=0)
    saved_cost: float | None = Field(default=0.0, ge=0)
    output: str | None = None
    finish_reason: str | None = None
    score: float | None = Field(default=None, ge=0, le=1)
    assertion_results: tuple[AssertionResult, ...] = ()
    error: TaskError | None = None
    cached: bool = False
    judge: JudgeUsage = JudgeUsage()
    queue_time: float = Field(default=0.0, ge=0)
    limit_time: float = Field(default=0.0, ge=0)
    failed_attempts: tuple[FailedAttempt, ...] = ()
    hedges: int = Field(default=0, ge=0)

    @property
    def retries(self) -> int:
        return max(0, self.attempts - self.hedges - 1)

    @property
    def price(self) -> float | None:
        """What the task costs a prompt, paid now or remembered: ``cost`` + ``saved_cost``; None when unknown."""
        if self.cost is None or self.saved_cost is None:
            return None
        return self.cost + self.saved_cost


class TaskFigures(NamedTuple):
    """What a report needs of one result. Time in seconds; costs in USD, None when unknown."""

    status: TaskStatus
    execution_time: float
    error_kind: ErrorKind | None
    cost: float | None
    saved_cost: float | None


class ResultLog(Sequence[TaskResult]):
    """Results that are read from where they are stored, as they are asked for: a run may be larger than memory.

    In case order, beginning anew with each iteration. Of a run that was stopped it holds the tasks that were begun; the
    others are counted in the run's statistics alone.
    """

    @abstractmethod
    def figures(self) -> Iterator[TaskFigures]:
        """The figures of every result, several times faster than the results themselves."""

    @abstractmethod
    def not_succeeded(self) -> Iterator[TaskResult]:
        """The results that are worth a look."""


class RunStatistics(Record):
    """Counts and sums over a run's tasks. ``avg_execution_time`` in seconds over completed tasks; cost in USD."""

    total_tasks: int = Field(ge=0)
    completed_tasks: int = Field(default=0, ge=0)
    succeeded_tasks: int = Field(default=0, ge=0)
    failed_tasks: int = Field(default=0, ge=0)
    timeout_tasks: int = Field(default=0, ge=0)
    error_tasks: int = Field(default=0, ge=0)
    cancelled_tasks: int = Field(default=0, ge=0)
    success_rate: float = Field(default=0.0, ge=0, le=1)
    avg_execution_time: float = Field(default=0.0, ge=0)
    total_tokens: int = Field(default=0, ge=0)
    total_cost: float | None = Field(default=0.0, ge=0)
    total_retries: int = Field(default=0, ge=0)
    cached_tasks: int = Field(default=0, ge=0)
    judge: JudgeUsage = JudgeUsage()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = self.succeeded_tasks + self.failed_tasks + self.timeout_tasks + self.error_tasks
        if self.completed_tasks != parts:
            raise ValueError(f"completed_tasks is {self.completed_tasks}, but its four parts add up to {parts}")
        if parts + self.cancelled_tasks > self.total_tasks:
            raise ValueError(f"{parts} completed and {self.cancelled_tasks} cancelled of only {self.total_tasks}")
        rate = self.succeeded_tasks / self.total_tasks if self.total_tasks else 0.0
        if abs(rate - self.success_rate) > RATE_TOLERANCE:
            raise ValueError(f"success_rate is {self.success_rate}, but succeeded / total is {rate:.4f}")
        return self


_StoredResults = SkipJsonSchema[
    Annotated[InstanceOf[ResultLog], PlainSerializer(lambda log, info: [r.model_dump(mode=info.mode) for r in log])]
]


class RunExecutionResult(Record):
    """A run as it ended; ``task_results`` in case order (repeats of a case side by side).

    A ``running`` run is one that did not end: it may hold fewer results than ``statistics.total_tasks``. Any other run
    holds all of them, or none where only its statistics are known. Those of a run of more than 10,000 tasks are a
    ``ResultLog``, a sequence that reads them from the store (and leaves out tasks that a stopped run never began).
    """

    run_id: str
    workflow_id: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    statistics: RunStatistics
    task_results: _StoredResults | tuple[TaskResult, ...] = Field(default=(), union_mode="left_to_right")
    status: RunStatus = RunStatus.COMPLETED
    stop_reason: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.finished_at < self.started_at:
            raise ValueError(f"finished_at {self.finished_at} is before started_at {self.started_at}")
        if isinstance(self.task_results, tuple) and self.task_results:
            statistics = self.statistics
            missing = statistics.total_tasks - len(self.task_results)
            if missing < 0 or (missing and self.status is not RunStatus.RUNNING):
                raise ValueError(f"{len(self.task_results)} task results, statistics of {statistics.total_tasks}")
            counted = Counter(result.status for result in self.task_results)
            for status, number in (
                (TaskStatus.SUCCEEDED, statistics.succeeded_tasks),
                (TaskStatus.FAILED, statistics.failed_tasks),
                (TaskStatus.TIMEOUT, statistics.timeout_tasks),
                (TaskStatus.ERROR, statistics.error_tasks),
            ):
                if counted[status] != number:
                    raise ValueError(f"{counted[status]} tasks are {status}, statistics say {number}")
        return self

"""What the executor is given: where results become durable, where answers are remembered, who watches.

``storage`` implements the first two, ``reporting`` and the command line the third; the executor knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sharpen.config.models import Case
from sharpen.executor.models import FailedAttempt, ResultLog, RunExecutionResult, RunStatistics, TaskResult
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse

if TYPE_CHECKING:
    from sharpen.executor.limits import LimiterState


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known when a run begins. ``purpose``: run, baseline, candidate or holdout.

    ``manifest`` and ``prompt`` are JSON-ready snapshots, enough to resume; ``parent_run_id`` ties the runs of one
    ``optimize`` together. ``case_ids`` is empty when the cases are too many to be held; ``dataset_hash`` then says
    which data set they are. ``target`` is ``Target.identity()``. ``limits`` tells how its limiter stands at the moment.
    """

    run_id: str
    workflow_id: str
    started_at: datetime
    total_tasks: int
    purpose: str = "run"
    parent_run_id: str | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    prompt: list[dict[str, str]] = field(default_factory=list)
    target: Mapping[str, Any] = field(default_factory=dict)
    case_ids: tuple[str, ...] = ()
    dataset_hash: str | None = None
    limits: Callable[[], LimiterState] | None = field(default=None, compare=False, repr=False)


class RunSink(Protocol):
    """Where results become durable: what is saved survives ``kill -9``, and after ``sync`` a power failure, too."""

    async def start_run(self, start: RunStart) -> None:
        """Note that a run begins, or goes on."""

    async def add_cases(self, run_id: str, position: int, cases: Sequence[Case]) -> None:
        """Give the run cases, the first of them at ``position`` (from 0). They may have been given before."""

    async def save_result(self, run_id: str, result: TaskResult) -> None:
        """Return when the result would survive ``kill -9``."""

    async def sync(self) -> None:
        """Return when all that was saved would survive a power failure."""

    def results(self, run_id: str) -> ResultLog:
        """The results saved so far, to be read again: of runs that are too large to be held in memory."""
        ...

    async def finish_run(self, result: RunExecutionResult) -> None:
        """Note how the run ended; return when that would survive a power failure."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What all attempts used of which the last one brought an answer: tokens, and cost in USD (None: unknown)."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    failed_attempts: tuple[FailedAttempt, ...]


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A remembered answer and how long it took when it was paid for (seconds).

    ``attempts``: how many calls it took, ``retried``: what they used when they were several. ``origin``: the task that
    paid for it, hashed, and its process; None when nobody said.
    """

    response: TargetResponse
    execution_time: float
    attempts: int = 1
    origin: str | None = None
    retried: Retried | None = None


class ResponseCache(Protocol):
    """Answers by content hash, shared with other processes. Only successes are ever put.

    ``claim`` before paying, so that of all that want the same answer at the same time one pays and the others wait.
    """

    async def get(self, key: str) -> CachedResponse | None:
        """The answer, if it is there now."""
        ...

    async def claim(self, key: str, give_up: Callable[[], bool]) -> CachedResponse | bool:
        """The answer; or True: it is the caller's to pay for, who must ``put`` or ``release`` it; or False: another
        one is paying for it, and ``give_up`` (asked now and then while waiting) said not to wait any longer.
        """
        ...

    async def put(self, key: str, value: CachedResponse) -> None:
        """Remember an answer. Ends the claim."""
        ...

    async def release(self, key: str) -> None:
        """End a claim without an answer: whoever waits may try."""
        ...

    async def forget(self, scope: str) -> None:
        """Drop every answer whose key begins with ``scope`` and a slash: kept for one run alone, which is over."""
        ...


class RunObserver(Protocol):
    """Who watches a run. Called on the event loop: return quickly, raise nothing."""

    def run_started(self, start: RunStart) -> None: ...

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None: ...

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None: ...

    def run_finished(self, result: RunExecutionResult) -> None: ...


class CallTracer(Protocol):
    """Who records attempts as spans. Called on the event loop: return quickly, raise nothing."""

    def attempt_started(self, target: Target, request: TargetRequest, attempt: int) -> Any:
        """``attempt`` counts from 1. What is returned is given to ``attempt_ended``."""

    def attempt_ended(self, token: Any, response: TargetResponse | None, failure: Failure | None) -> None:
        """Neither a response nor a failure: the attempt was cancelled."""

"""What happens in runs, as log events. Watches from outside: neither executor nor targets know of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sharpen.events import emit
from sharpen.executor.current_run import current_run
from sharpen.executor.limits import LimiterState
from sharpen.executor.models import RunExecutionResult, RunStatistics, RunStatus, TaskResult
from sharpen.executor.ports import RunStart
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse

_RUN = logging.getLogger("sharpen.run")
_LIMITS = logging.getLogger("sharpen.limits")
_SEARCH = logging.getLogger("sharpen.search")
_CIRCUIT = {"open": "circuit_opened", "half-open": "circuit_half_opened", "closed": "circuit_closed"}


@dataclass(slots=True)
class _Limits:
    """How a run's limiter stood when it was looked at last."""

    state: Callable[[], LimiterState]
    circuit: str = "closed"
    paused_until: float = 0.0
    concurrency: int | None = None

    @property
    def unusual(self) -> bool:
        return self.circuit != "closed" or self.concurrency is not None


class LogObserver:
    """A ``RunObserver``, ``CallTracer`` and ``SearchObserver``: logs events under ``sharpen.run``, ``.limits`` and
    ``.search``.

    Pauses, breakers and limits are looked at when an attempt fails, and until they are back to normal.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits: dict[str, _Limits] = {}
        self._failed: dict[str, dict[str, Any]] = {}

    def run_started(self, start: RunStart) -> None:
        if start.limits is not None:
            self._limits[start.run_id] = _Limits(start.limits)
        emit(
            _RUN, logging.INFO, "run_started",
            run_id=start.run_id, workflow_id=start.workflow_id, purpose=start.purpose,
            parent_run_id=start.parent_run_id, tasks=start.total_tasks,
            target=start.target.get("kind"), model=start.target.get("model"),
        )  # fmt: skip

    def attempt_started(self, target: Target, request: TargetRequest, attempt: int) -> Any:  # noqa: ARG002 - the seam's
        return request, attempt, self._clock()

    def attempt_ended(self, token: Any, response: TargetResponse | None, failure: Failure | None) -> None:
        if failure is None or response is not None:
            return
        request, attempt, began = token
        self._failed[request.case_id] = {  # the wait after it is told in a moment
            "repeat": request.repeat,
            "attempt": attempt,
            "http_status": failure.http_status,
            "duration_s": self._clock() - began,
        }

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:
        more = self._failed.pop(case_id, {})
        run_id = self._run_id()
        emit(
            _RUN, logging.WARNING, "attempt_failed",
            run_id=run_id, case_id=case_id, **more, kind=str(kind), retried=retry_in_s is not None, wait_s=retry_in_s,
        )  # fmt: skip
        self._look(run_id)

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:  # noqa: ARG002 - the seam's
        run_id = self._run_id()
        if run_id in self._limits and self._limits[run_id].unusual:
            self._look(run_id)
        if _RUN.isEnabledFor(logging.DEBUG):
            emit(
                _RUN, logging.DEBUG, "task_finished",
                run_id=run_id, task_id=result.task_id, case_id=result.case_id, repeat=result.repeat,
                status=result.status.value, kind=result.error.kind.value if result.error else None,
                attempts=result.attempts, execution_s=result.execution_time, wait_s=result.wait_time,
                tokens=result.total_tokens, cost_usd=result.cost, cached=result.cached,
            )  # fmt: skip

    def run_finished(self, result: RunExecutionResult) -> None:
        self._look(result.run_id)
        self._limits.pop(result.run_id, None)
        statistics = result.statistics
        emit(
            _RUN, logging.INFO if result.status is RunStatus.COMPLETED else logging.WARNING, "run_finished",
            run_id=result.run_id, status=result.status.value, tasks=statistics.total_tasks,
            succeeded=statistics.succeeded_tasks, failed=statistics.failed_tasks, timeout=statistics.timeout_tasks,
            error=statistics.error_tasks, cancelled=statistics.cancelled_tasks, retries=statistics.total_retries,
            cached=statistics.cached_tasks, tokens=statistics.total_tokens, cost_usd=statistics.total_cost,
            duration_s=(result.finished_at - result.started_at).total_seconds(),
        )  # fmt: skip

    def interrupted(self, reason: str) -> None:
        """The calls under way are finished, nothing new is called."""
        emit(_RUN, logging.WARNING, "run_interrupted", reason=reason)

    def phase(self, name: str, detail: str = "") -> None:
        emit(_SEARCH, logging.INFO, "search_phase", phase=name, detail=detail or None)

    def candidate(self, candidate_id: str, strategy: str, success_rate: float, cases: int, status: str) -> None:
        emit(
            _SEARCH, logging.INFO, "candidate_measured",
            candidate_id=candidate_id, strategy=strategy, success_rate=success_rate, cases=cases, status=status,
        )  # fmt: skip

    def _run_id(self) -> str | None:
        """The run that is current here; of a single one nobody needs to say so."""
        return current_run.get() or (next(iter(self._limits)) if len(self._limits) == 1 else None)

    def _look(self, run_id: str | None) -> None:
        """Tell what changed in the run's limiter since the last look."""
        known = self._limits.get(run_id or "")
        if known is None:
            return
        state, now = known.state(), self._clock()
        if state.circuit != known.circuit:
            known.circuit = state.circuit
            level = logging.INFO if state.circuit == "closed" else logging.WARNING
            emit(_LIMITS, level, _CIRCUIT[state.circuit], run_id=run_id, paused_for_s=state.paused_for_s or None)
        if state.paused_for_s > 0 and now >= known.paused_until:
            emit(_LIMITS, logging.WARNING, "calls_paused", run_id=run_id, paused_for_s=state.paused_for_s)
        known.paused_until = max(known.paused_until, now + state.paused_for_s)
        concurrency = state.concurrency if state.concurrency < state.max_concurrency else None
        if concurrency != known.concurrency:
            known.concurrency = concurrency
            emit(
                _LIMITS, logging.INFO, "concurrency_limited" if concurrency is not None else "concurrency_restored",
                run_id=run_id, concurrency=state.concurrency, max_concurrency=state.max_concurrency,
            )  # fmt: skip

"""Runs, tasks and attempts as OpenTelemetry spans, attempts also as metrics. Needs the extra ``otel``.

::

    sharpen.optimization          one search, over all its runs
    └── sharpen.run               one run
        └── sharpen.task          one case, from its first attempt until its result is durable
            └── chat MODEL        one attempt, by the GenAI conventions

An attempt has a span of its own, where the conventions would have one for all retries of a call: that is the task's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from sharpen.about import __version__
from sharpen.executor.current_run import current_run
from sharpen.executor.models import RunExecutionResult, RunStatistics, RunStatus, TaskResult, TaskStatus
from sharpen.executor.ports import RunStart
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse
from sharpen.telemetry import genai

_SCOPE = "sharpen"
_KINDS_OF_SERVERS = frozenset({"openai"})
_METRIC_ATTRIBUTES = ("gen_ai.response.model", "error.type")


@dataclass(slots=True)
class _Open:
    """A span that has not ended, and a context in which it is the current one."""

    span: Span
    context: otel_context.Context
    tasks: dict[tuple[str, int], _Open] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _TargetView:
    """What all spans of a target share, worked out once."""

    name: str
    kind: SpanKind
    common: genai.Attributes
    params: genai.Attributes


@dataclass(slots=True)
class _Attempt:
    span: Span
    token: Any
    view: _TargetView
    began: float


class OpenTelemetryTracer:
    """A ``RunObserver`` and a ``CallTracer``: give it to ``ExecutorService`` as both.

    Uses the global tracer and meter providers unless others are given. Prompts and answers are recorded only when
    ``content`` is true (default: as ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says). ``close`` ends spans
    of runs that never came to an end.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        content: bool | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, meter_provider)
        self._duration = meter.create_histogram(
            genai.DURATION,
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=genai.DURATION_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            genai.TOKENS,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=genai.TOKEN_BUCKETS,
        )
        self._content = genai.content_wanted(os.environ) if content is None else content
        self._clock = clock
        self._searches: dict[str, _Open] = {}
        self._runs: dict[str, _Open] = {}
        self._views: dict[int, tuple[Target, _TargetView]] = {}

    def run_started(self, start: RunStart) -> None:
        attributes = {
            "sharpen.run.id": start.run_id,
            "sharpen.workflow.id": start.workflow_id,
            "sharpen.run.purpose": start.purpose,
            "sharpen.run.tasks": start.total_tasks,
        }
        search = self._search(start) if start.parent_run_id else None
        self._runs[start.run_id] = self._open("sharpen.run", attributes, search)

    def attempt_started(self, target: Target, request: TargetRequest, attempt: int) -> Any:
        view = self._view(target)
        task = self._task(request.case_id, request.repeat)
        attributes = {**view.common, **view.params, "sharpen.attempt": attempt}
        if self._content:
            attributes |= genai.input_content(request)
        context = task.context if task else None
        span = self._tracer.start_span(view.name, context, view.kind, attributes)
        token = otel_context.attach(trace.set_span_in_context(span, context))
        return _Attempt(span, token, view, self._clock())

    def attempt_ended(self, token: Any, response: TargetResponse | None, failure: Failure | None) -> None:
        attempt: _Attempt = token
        otel_context.detach(attempt.token)
        found = genai.of_outcome(response, failure)
        common = attempt.view.common | {name: found[name] for name in _METRIC_ATTRIBUTES if name in found}
        self._duration.record(self._clock() - attempt.began, common)
        for kind in ("input", "output"):
            if number := found.get(f"gen_ai.usage.{kind}_tokens"):
                self._tokens.record(number, common | {"gen_ai.token.type": kind})
        if self._content and response is not None:
            found |= genai.output_content(response)
        spent = response or failure
        if spent is not None and spent.cost:
            found["sharpen.cost_usd"] = spent.cost
        attempt.span.set_attributes(found)
        if "error.type" in found:
            attempt.span.set_status(Status(StatusCode.ERROR))  # without the message, which may quote the prompt
        attempt.span.end()

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:
        """Its span has been told already."""

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:  # noqa: ARG002 - the seam's
        task = self._task(result.case_id, result.repeat)
        if task is None:
            return
        run = self._run()
        if run is not None:
            run.tasks.pop((result.case_id, result.repeat), None)
        task.span.set_attributes(
            {
                "sharpen.task.id": result.task_id,
                "sharpen.task.status": result.status.value,
                "sharpen.task.attempts": result.attempts,
                "sharpen.task.queue_s": result.queue_time,
                "sharpen.task.limit_s": result.limit_time,
                "sharpen.task.wait_s": result.wait_time,
                "sharpen.task.cached": result.cached,
            }
        )
        if result.error is not None:
            task.span.set_attribute("error.type", result.error.kind.value)
        if result.status not in (TaskStatus.SUCCEEDED, TaskStatus.FAILED):  # an assertion that says no is no error
            task.span.set_status(Status(StatusCode.ERROR))
        task.span.end()

    def run_finished(self, result: RunExecutionResult) -> None:
        run = self._runs.pop(result.run_id, None)
        if run is None:
            return
        statistics = result.statistics
        run.span.set_attributes(
            {
                "sharpen.run.status": result.status.value,
                "sharpen.run.succeeded": statistics.succeeded_tasks,
                "sharpen.run.failed": statistics.completed_tasks - statistics.succeeded_tasks,
                "sharpen.run.retries": statistics.total_retries,
                "sharpen.run.cached": statistics.cached_tasks,
            }
        )
        if result.status is not RunStatus.COMPLETED:
            run.span.set_attribute("error.type", result.status.value)
            run.span.set_status(Status(StatusCode.ERROR))
        _end(run)

    def close(self) -> None:
        """End what was never told to have ended: runs that broke off, and the searches around runs."""
        for run in self._runs.values():
            run.span.set_status(Status(StatusCode.ERROR))
            _end(run)
        for search in self._searches.values():
            _end(search)
        self._runs.clear()
        self._searches.clear()

    def _search(self, start: RunStart) -> _Open:
        search_id = str(start.parent_run_id)
        if search_id not in self._searches:
            attributes = {"sharpen.run.id": search_id, "sharpen.workflow.id": start.workflow_id}
            self._searches[search_id] = self._open("sharpen.optimization", attributes, None)
        return self._searches[search_id]

    def _run(self) -> _Open | None:
        """The run that is current here; of a single one nobody needs to say so."""
        run = self._runs.get(current_run.get() or "")
        return next(iter(self._runs.values())) if run is None and len(self._runs) == 1 else run

    def _task(self, case_id: str, repeat: int) -> _Open | None:
        """The task's open span, opened now when there is none; None outside of any run."""
        run = self._run()
        if run is None:
            return None
        task = run.tasks.get((case_id, repeat))
        if task is None:
            attributes = {"sharpen.case.id": case_id, "sharpen.task.repeat": repeat}
            task = run.tasks[case_id, repeat] = self._open("sharpen.task", attributes, run)
        return task

    def _open(self, name: str, attributes: genai.Attributes, parent: _Open | None) -> _Open:
        context = parent.context if parent else otel_context.get_current()
        span = self._tracer.start_span(name, context, SpanKind.INTERNAL, attributes)
        return _Open(span, trace.set_span_in_context(span, context))

    def _view(self, target: Target) -> _TargetView:
        known = self._views.get(id(target))
        if known is None:
            identity = target.identity()
            common = genai.of_target(identity)
            kind = SpanKind.CLIENT if identity.get("kind") in _KINDS_OF_SERVERS else SpanKind.INTERNAL
            view = _TargetView(genai.span_name(common), kind, common, genai.of_params(identity))
            known = self._views[id(target)] = (target, view)  # the target is kept, for ids of dead objects come again
        return known[1]


def _end(opened: _Open) -> None:
    for task in opened.tasks.values():
        task.span.end()
    opened.tasks.clear()
    opened.span.end()

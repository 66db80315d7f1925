"""Results as one JSON document: the models as they are, under the keys that scripts rely on. Pure.

The results of a run come into the document while it is written: it may be larger than memory. Valid JSON always: a NaN
or infinity that a user's metadata brought along becomes null, a lone surrogate a question mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from sharpen.executor.models import RunExecutionResult, TaskResult
from sharpen.history.models import ChangeKind, Comparison, Flakiness
from sharpen.history.trends import Trend
from sharpen.json_stream import Later, Rows
from sharpen.json_stream import dumps as dumps
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import Decision, OptimizationOutcome, TestExecutionReport
from sharpen.reporting import time_breakdown


def run_document(
    result: RunExecutionResult,
    report: TestExecutionReport | None,
    decision: Decision | None,
    patterns: ErrorPatterns | None = None,
    flakiness: Flakiness | None = None,
) -> dict[str, Any]:
    """Keys ``run``, ``report``, ``decision`` (both null when the run held nothing to judge), ``patterns``,
    ``flakiness`` and ``time``.

    ``patterns`` groups the failures (null: nothing failed, or nobody asked). ``flakiness`` says how steady cases are
    (null: none was asked twice).
    ``time`` says where the time went and what each kind of error cost: seconds, tokens, USD (null: unknown).
    """
    time = time_breakdown.TimeAccumulator()

    def counted() -> Iterator[TaskResult]:
        for task in result.task_results:
            time.add(task)
            yield task

    return {
        "run": _run(result, counted()),
        "report": _plain(report),
        "decision": _plain(decision),
        "patterns": _plain(patterns),
        "flakiness": _plain(flakiness),
        "time": Later(lambda: _valid(asdict(time_breakdown.of_times(result, time)))),
    }


def optimization_document(outcome: OptimizationOutcome) -> dict[str, Any]:
    """The outcome's fields under their own names, the evidence before the raw runs.

    ``result`` is null when nothing was worth it, ``version`` is null unless the proof accepted it. Times are ISO 8601,
    cost is in USD (null: unknown). ``candidates`` carry their scores (``dev``) and the ``calls`` each used.
    """
    runs = {"baseline_run": outcome.baseline_run, "holdout_run": outcome.holdout_run}
    document: dict[str, Any] = _valid(outcome.model_dump(mode="python", exclude=set(runs)))
    document |= {name: None if run is None else _run(run, run.task_results) for name, run in runs.items()}
    first = ("run_id", "workflow_id", "version", "draft", "stop_reason", "calls", "tokens", "cost", "baseline")
    last = ("baseline_run", "holdout_run")
    middle = tuple(key for key in document if key not in first + last)
    return {key: document[key] for key in first + middle + last}


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The comparison's fields, and the ids of the cases of each kind under its name (``fixed``, ``broken``, …)."""
    document: dict[str, Any] = _valid(found.model_dump(mode="python"))
    changes = document.pop("changes")
    named = {kind.value: [change.case_id for change in found.of_kind(kind)] for kind in ChangeKind}
    return {**document, **_valid(named), "changes": changes}


def history_document(found: Trend) -> dict[str, Any]:
    """A workflow's history: runs, oldest first, change points, and what was changed between runs."""
    return {"history": _valid(found.model_dump(mode="python"))}


def _run(result: RunExecutionResult, tasks: Iterable[TaskResult]) -> dict[str, Any]:
    fields = _valid(result.model_dump(mode="python", exclude={"task_results"})) | {"task_results": Rows(tasks, _plain)}
    return {name: fields[name] for name in RunExecutionResult.model_fields}


def _plain(model: BaseModel | None) -> Any:
    return None if model is None else _valid(model.model_dump(mode="python"))


def _valid(value: Any) -> Any:
    """JSON values only. Not left to ``mode="json"``: that raises on the odd object in a user's metadata."""
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode() if not value.isascii() else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(_valid(str(key))): _valid(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_valid(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else _valid(str(value))

"""What the store tells about a run: a line of the list, and everything."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record, RunStatistics, RunStatus


class RunSummary(Record):
    """One line of the list of runs. ``finished_at`` and ``statistics`` are None while (or because) it never ended."""

    run_id: str
    workflow_id: str
    status: RunStatus
    purpose: str
    parent_run_id: str | None = None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    total_tasks: int
    statistics: RunStatistics | None = None
    stop_reason: str | None = None
    prompt_hash: str | None = None


class RunRecord(RunSummary):
    """Everything noted about a run but its results: enough to resume it. ``case_ids`` are in case order.

    ``dataset_hash`` is ``CaseSet.content_hash`` for a run of a whole data set. A large one has no ``case_ids``.
    """

    manifest: dict[str, Any] = Field(default_factory=dict)
    prompt: tuple[dict[str, str], ...] = ()
    target: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    case_ids: tuple[str, ...] = ()
    dataset_hash: str | None = None


class RunPoint(Record):
    """A run that ended, as a point of its workflow's history. Times in seconds, costs in USD; None: not known.

    ``mean_time`` and the percentiles (nearest rank) are over completed tasks, ``price`` is what one of them costs,
    paid for now or before. ``errors`` counts completed tasks that did not succeed, by error kind. ``target_hash``
    changes with anything that ``Target.identity()`` tells of: model and parameters, but also server, weights, rules.
    ``dataset_hash`` is None for a run of some cases of a data set.
    """

    run_id: str
    purpose: str
    started_at: AwareDatetime
    status: RunStatus
    total_tasks: int
    completed_tasks: int
    succeeded_tasks: int
    mean_time: float | None = None
    p50_time: float | None = None
    p95_time: float | None = None
    p99_time: float | None = None
    total_tokens: int
    total_cost: float | None = None
    price: float | None = None
    errors: dict[str, int] = Field(default_factory=dict)
    model: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    target_hash: str
    prompt_hash: str | None = None
    dataset_hash: str | None = None

    @property
    def success_rate(self) -> float:
        """Succeeded / total, as the run's statistics have it."""
        return self.succeeded_tasks / self.total_tasks if self.total_tasks else 0.0


class SearchRecord(Record):
    """An optimization under way, or cut off: the plan it began with, enough to go on."""

    id: str
    workflow_id: str
    started_at: AwareDatetime
    manifest: dict[str, Any] = Field(default_factory=dict)
    dataset_hash: str | None = None


class Spending(Record):
    """What was spent. ``cost`` in USD, without that of the ``unpriced_calls``."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    unpriced_calls: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            cost=self.cost + other.cost,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
        )


class StoredCase(Record):
    """A case's inputs, as a run had them."""

    id: str
    vars: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None

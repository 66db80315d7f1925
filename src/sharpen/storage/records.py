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

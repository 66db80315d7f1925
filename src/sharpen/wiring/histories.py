"""A workflow's history as the store has it."""

from __future__ import annotations

from datetime import datetime

from sharpen.errors import UnknownNameError, UserError
from sharpen.history.trends import HistoryRun, Trend, trend_of
from sharpen.storage.records import RunPoint
from sharpen.storage.store import Store
from sharpen.versions.by_content import VersionsByContent
from sharpen.wiring.stores import version_manager

NEWEST = 500
"""Runs that a history goes back, unless it is asked for more."""


def workflow_history(
    store: Store, workflow: str | None, *, limit: int = NEWEST, since: datetime | None = None
) -> Trend:
    """The history of a workflow (None: the store's only one), of at most its ``limit`` newest runs.

    Raises ``UnknownNameError`` for a workflow of which no run ended, ``UserError`` where it is unclear which is meant.
    """
    known = store.history.workflows()
    if workflow is None:
        if len(known) != 1:
            held = f"the store holds {len(known)}: {', '.join(known)}" if known else "no run has ended yet"
            raise UserError(f"which workflow? {held}; expected `sharpen history WORKFLOW`")
        workflow = known[0]
    elif workflow not in known:
        raise UnknownNameError("workflow", workflow, known)
    versions = VersionsByContent(version_manager(store).list(workflow))
    points = store.history.of(workflow, since=since, limit=limit)
    return trend_of(workflow, (_run(point, versions) for point in points))


def _run(point: RunPoint, versions: VersionsByContent) -> HistoryRun:
    ran, version = point.completed_tasks, versions.at(point.prompt_hash, point.started_at)
    return HistoryRun(
        run_id=point.run_id,
        started_at=point.started_at,
        status=point.status,
        cases=ran,
        passed=min(point.succeeded_tasks, ran),
        p95_latency_ms=None if point.p95_time is None else point.p95_time * 1000,
        tokens_per_request=point.total_tokens / ran if ran and point.total_tokens else None,
        cost_per_request=point.price,
        errors=point.errors,
        version=version.version if version else None,
        model=point.model,
        parameters=point.parameters,
        target=point.target_hash,
        prompt=point.prompt_hash,
        data_set=point.dataset_hash,
    )

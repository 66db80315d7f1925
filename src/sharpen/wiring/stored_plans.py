"""The plans that stored runs and searches began with, for whoever goes on with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sharpen.config.models import Case, RunManifest
from sharpen.config.overrides import Override, apply, parse_override
from sharpen.errors import PlanError, Problem, StoreError, UserError
from sharpen.storage.records import RunRecord, SearchRecord
from sharpen.wiring.plans import LoadedPlan, complete

RUN_CHANGEABLE = (("execution",), ("rules",))
"""What may change while a run goes on: it touches neither what is asked nor what is expected."""
SEARCH_CHANGEABLE = (("execution",), ("optimize", "budget"))
"""What may change while a search goes on: it changes none of its decisions but when to stop."""


def manifest_of(record: RunRecord, overrides: Sequence[str] | None = None) -> RunManifest:
    """The plan of a stored run as it was, with the prompt that was run and ``overrides`` (``key.path=value``)."""
    changes = list(map(parse_override, overrides or ()))
    for change in changes:
        if not _within(change, RUN_CHANGEABLE):
            raise UserError(f"{change.label} would make another run of it; a stored run takes execution and rules only")
    return _manifest({**record.manifest, "prompt": list(record.prompt)}, changes)


def plan_of(record: RunRecord, overrides: Sequence[str] | None = None) -> LoadedPlan:
    """A stored run's plan with its cases, read anew from the data set.

    Raises ``StoreError`` when the data set no longer holds the run's cases.
    """
    manifest = manifest_of(record, overrides)
    if record.dataset_hash is not None:
        cases = manifest.case_set()
        if cases.content_hash != record.dataset_hash:
            raise StoreError(
                f"the data set is no longer the one that run {record.run_id!r} began with; "
                "restore it, or run the plan anew"
            )
        return complete(manifest, cases)
    by_id: dict[str, Case] = {case.id: case for case in manifest.iter_cases()}
    missing = [case_id for case_id in record.case_ids if case_id not in by_id]
    if missing:
        raise StoreError(
            f"the data set no longer holds {len(missing)} cases of run {record.run_id!r} (first: {missing[0]!r}); "
            "restore it, or run the plan anew"
        )
    return complete(manifest, [by_id[case_id] for case_id in record.case_ids])


def search_plan_of(
    record: SearchRecord, overrides: Sequence[str] | None = None, what: str = "optimization"
) -> LoadedPlan:
    """The plan that a search (or ``what`` it is) began with, its cases read anew.

    Raises ``StoreError`` when the data set has changed.
    """
    again, command = ("search", "optimize") if what == "optimization" else ("test", "ab")
    changes = list(map(parse_override, overrides or ()))
    for change in changes:
        if not _within(change, SEARCH_CHANGEABLE):
            raise UserError(
                f"{change.label} would make another {again} of it; one that goes on takes execution and "
                "optimize.budget only"
            )
    manifest, began = _manifest(record.manifest, changes), _manifest(record.manifest, ())
    if manifest.execution.repeats != began.execution.repeats:
        raise UserError(
            f"execution.repeats={manifest.execution.repeats} would make another {again} of it; "
            f"{what} {record.id!r} began with {began.execution.repeats}"
        )
    if record.dataset_hash is not None and manifest.case_set().content_hash != record.dataset_hash:
        raise StoreError(
            f"the data set is no longer the one that {what} {record.id!r} began with; "
            f"restore it, or run `sharpen {command}` anew"
        )
    return complete(manifest)


def search_record(run_id: str, plan: LoadedPlan, started_at: datetime) -> SearchRecord:
    """What ``search_plan_of`` needs to go on."""
    manifest = plan.manifest
    snapshot = manifest.model_dump(mode="json", fallback=str)
    return SearchRecord(
        id=run_id,
        workflow_id=manifest.workflow_id,
        started_at=started_at,
        manifest={**snapshot, "source": str(manifest.source) if manifest.source else None},
        dataset_hash=manifest.case_set().content_hash,
    )


def _within(change: Override, blocks: Sequence[tuple[str, ...]]) -> bool:
    return any(tuple(change.path[: len(block)]) == block for block in blocks)


def _manifest(snapshot: Mapping[str, Any], changes: Sequence[Override]) -> RunManifest:
    data: Any = {key: value for key, value in snapshot.items() if key != "source"}
    for change in changes:
        data, _ = apply(data, change)
    source = snapshot.get("source")
    try:
        manifest = RunManifest.model_validate(data)
    except ValidationError as error:
        problems = [Problem(e["msg"], "--set", ".".join(map(str, e["loc"]))) for e in error.errors()]
        raise PlanError(problems) from error
    return manifest.with_source(Path(source) if source else None)

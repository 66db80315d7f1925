"""A version of a prompt: immutable, with its parent and the evidence that justified it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record
from sharpen.optimizer.models import Change, Metrics, Prompt, Verification
from sharpen.versions.provenance import Provenance


class PromptVersion(Record):
    """One entry of a workflow's history. ``version`` is MAJOR.MINOR.PATCH; drafts carry a ``-draft.N`` suffix.

    ``kind``: baseline (the seed), optimized (proved), manual, rollback (a new head with old contents), draft (the best
    candidate of a search that could not be proved; never the latest version). ``provenance``: what it was measured
    with; None for one that was not. ``created_by``: who made it by hand; None when nobody said. ``record_hash``: of all
    the rest of the record, see ``integrity``.
    """

    workflow_id: str
    version: str
    prompt: Prompt
    content_hash: str
    parent: str | None = None
    kind: Literal["baseline", "optimized", "manual", "rollback", "draft"] = "manual"
    created_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    improvement: float | None = None
    run_ids: tuple[str, ...] = ()
    metrics: Metrics | None = None
    verification: Verification | None = None
    changes: tuple[Change, ...] = ()
    message: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    provenance: Provenance | None = None
    created_by: str | None = None
    record_hash: str = ""

"""What the store keeps of an A/B test, so that one that was cut off is known again and goes on as it began."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sharpen.executor.run_ids import new_run_id
from sharpen.storage.experiments import AbRecord
from sharpen.storage.records import SearchRecord
from sharpen.wiring.ab_options import AbOptions
from sharpen.wiring.ab_variants import Variant
from sharpen.wiring.stored_plans import search_plan_of, search_record


def new_record(variants: Sequence[Variant], options: AbOptions, fingerprint: str) -> AbRecord:
    """A test that begins now."""
    started_at = datetime.now(UTC)
    snapshots = [search_record("", one.plan, started_at) for one in variants]
    return AbRecord(
        id=new_run_id(),
        workflow_id=variants[0].plan.manifest.workflow_id,
        started_at=started_at,
        fingerprint=fingerprint,
        definition={
            "options": asdict(options),
            "dataset_hash": snapshots[0].dataset_hash,
            "variants": [
                {"name": one.name, "label": one.label, "version": one.version, "manifest": snapshot.manifest}
                for one, snapshot in zip(variants, snapshots, strict=True)
            ],
        },
    )


def options_of(record: AbRecord) -> AbOptions:
    """How a stored test is judged."""
    kept = record.definition["options"]
    return AbOptions(**{**kept, "guardrails": tuple(kept["guardrails"])})


def variants_of(record: AbRecord, overrides: Sequence[str] | None) -> list[Variant]:
    """What a stored test tries, as it began; ``overrides`` change ``execution``."""
    variants = []
    for one in record.definition["variants"]:
        began = SearchRecord(
            id=record.id,
            workflow_id=record.workflow_id,
            started_at=record.started_at,
            manifest=one["manifest"],
            dataset_hash=record.definition["dataset_hash"],
        )
        plan = search_plan_of(began, overrides, "A/B test")
        variants.append(Variant(one["name"], one["label"], plan, one["version"]))
    return variants


def fingerprint_of(variants: Sequence[Variant], options: AbOptions) -> str:
    """What makes two tests the same: variants, cases, what is expected, and how they are judged."""
    content = [
        [
            [one.name, one.plan.manifest.prompt.content_hash, one.plan.manifest.target.model_dump(mode="json")]
            for one in variants
        ],
        variants[0].plan.manifest.workflow_id,
        variants[0].plan.manifest.case_set().content_hash,
        [check.model_dump(mode="json") for check in variants[0].plan.manifest.assertions],
        variants[0].plan.manifest.execution.repeats,
        asdict(options),
    ]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

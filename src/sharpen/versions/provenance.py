"""Where a version comes from: the plan, the data set, and the model with its parameters. Pure."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import Field

from sharpen.config.models import RunManifest
from sharpen.config.redact import HIDDEN, is_secret_key, mask
from sharpen.executor.models import Record


class Provenance(Record):
    """What was measured to justify a version, by hashes (SHA-256, hex) that two people can compare.

    ``plan_hash``: of the plan as it was read, wherever it stood; the data set's place in it is taken by
    ``dataset_hash``, which is of the cases themselves. ``target`` is the kind of target; ``model`` its model's name
    (None: it has none).
    """

    plan_hash: str
    dataset_hash: str
    target: str
    model: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


def provenance_of(manifest: RunManifest) -> Provenance:
    """The provenance of whatever is measured with this plan. Reads the data set unless that is done."""
    dataset_hash, target = manifest.case_set().content_hash, manifest.target
    plan = {**manifest.model_dump(exclude={"dataset"}), "dataset": dataset_hash}
    base = manifest.base_dir.absolute()
    canonical = json.dumps(plan, sort_keys=True, default=lambda value: _portable(value, base))
    model = getattr(target, "model", None) or getattr(target, "function", None)
    return Provenance(
        plan_hash=hashlib.sha256(canonical.encode("ascii")).hexdigest(),
        dataset_hash=dataset_hash,
        target=str(target.kind),
        model=None if model is None else mask(str(_portable(model, base))),
        parameters=_harmless(getattr(target, "params", None) or getattr(target, "options", None) or {}),
    )


def _portable(value: Any, base: Path) -> str:
    """A path as seen from the plan, where it lies below it; anything else as text."""
    if isinstance(value, Path) and value.is_relative_to(base):
        return value.relative_to(base).as_posix()
    return str(value)


def _harmless(value: Any, key: object = "") -> Any:
    """Parameters as JSON values, whatever looks like a secret hidden."""
    if is_secret_key(key):
        return HIDDEN
    if isinstance(value, dict):
        return {str(name): _harmless(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_harmless(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else mask(str(value))

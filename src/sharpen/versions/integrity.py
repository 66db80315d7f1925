"""Whether a version is still what was stored: hashes of its contents and of its whole record. Pure."""

from __future__ import annotations

import hashlib
import json

from sharpen.errors import StoreError
from sharpen.versions.models import PromptVersion


def record_hash(version: PromptVersion) -> str:
    """SHA-256 (hex) of the record without the hash itself: its prompt, its evidence, where it comes from.

    Over canonical JSON (sorted keys, ASCII) without fields that have their default, so that a later release that adds
    a field still finds today's records unaltered.
    """
    record = version.model_dump(mode="json", exclude={"record_hash"}, exclude_defaults=True)
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def sealed(version: PromptVersion) -> PromptVersion:
    """The same version with the hash of its record."""
    return version.model_copy(update={"record_hash": record_hash(version)})


def verified(version: PromptVersion) -> PromptVersion:
    """The version itself. Raises ``StoreError`` that names it when its prompt or its record was altered.

    Of a record that was kept before records were hashed only the prompt is known to be what it was.
    """
    name = f"version {version.version} of {version.workflow_id!r}"
    actual = version.prompt.content_hash
    if actual != version.content_hash:
        raise StoreError(
            f"{name} was altered after it was stored: its contents hash to {actual[:12]}…, "
            f"the record says {version.content_hash[:12]}…"
        )
    if version.record_hash and (actual := record_hash(version)) != version.record_hash:
        raise StoreError(
            f"{name} was altered after it was stored: its record (evidence, parent, message and so on) hashes to "
            f"{actual[:12]}…, it says {version.record_hash[:12]}…"
        )
    return version

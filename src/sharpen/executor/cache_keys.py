"""What makes two calls the same call: the key of the response cache (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sharpen.targets.base import TargetRequest


class CacheKeys:
    """SHA-256 (hex) over the target's identity, the rendered messages and the repeat index.

    A model sees nothing but its messages. A program (``program=True``: kinds ``python``, ``scripted`` and plug-ins) may
    look at the case's id and variables, too, so they are part of its key.
    """

    def __init__(self, identity: Mapping[str, Any], program: bool) -> None:
        self._base = hashlib.sha256(_canonical(dict(identity)) + b"\n")
        self._program = program

    def key(self, request: TargetRequest) -> str | None:
        """The key of one call; None when the variables have no canonical form and the call cannot be remembered."""
        content: list[Any] = [request.repeat, [[message.role, message.content] for message in request.messages]]
        if self._program:
            content += [request.case_id, request.variables]
        try:
            text = _canonical(content)
        except (TypeError, ValueError):
            return None
        digest = self._base.copy()
        digest.update(text)
        return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "isoformat"):  # dates and times, which YAML and Parquet hold
        return value.isoformat()
    raise TypeError(type(value).__name__)

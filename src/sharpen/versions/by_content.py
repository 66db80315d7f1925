"""Which version a run was of: several can have the same text, since a rollback makes an old text the newest version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sharpen.versions.models import PromptVersion


class VersionsByContent:
    """A workflow's versions, to be found by the hash of their text and a moment."""

    def __init__(self, versions: Iterable[PromptVersion]) -> None:
        self._by_hash: dict[str, list[PromptVersion]] = {}
        for version in sorted(versions, key=lambda one: one.created_at, reverse=True):
            self._by_hash.setdefault(version.content_hash, []).append(version)

    def at(self, content_hash: str | None, moment: datetime) -> PromptVersion | None:
        """Of the versions with that text the newest that was there at that moment, a release before any draft.

        That is the latest version, wherever the latest one had that text then. A text that became a version only
        later (after the runs that it was accepted by, say) is the first version it became. None: it never became one.
        """
        same = self._by_hash.get(content_hash or "", [])
        releases = [version for version in same if version.kind != "draft"] or same
        there = [version for version in releases if version.created_at <= moment]
        return next(iter(there or releases[-1:]), None)

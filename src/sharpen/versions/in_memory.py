"""Versions kept in this process alone: for tests, notebooks and callers who keep their own records."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime

from sharpen.errors import UnknownNameError, VersionConflictError
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import AliasMove, moved_meanwhile


class InMemoryVersionRepository:
    """A ``VersionRepository`` that forgets everything with the process. Safe to share between threads.

    Versions are copied on the way in and out: nobody can reach into the history through an object they hold.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: defaultdict[str, dict[str, PromptVersion]] = defaultdict(dict)
        self._aliases: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._moves: defaultdict[str, list[AliasMove]] = defaultdict(list)

    def add(self, version: PromptVersion) -> None:
        with self._lock:
            history = self._versions[version.workflow_id]
            if version.version in history:
                raise VersionConflictError(f"version {version.version} of {version.workflow_id!r} exists already")
            history[version.version] = version.model_copy(deep=True)

    def get(self, workflow_id: str, version: str) -> PromptVersion | None:
        found = self._versions.get(workflow_id, {}).get(version)
        return found.model_copy(deep=True) if found else None

    def list(self, workflow_id: str) -> tuple[PromptVersion, ...]:
        with self._lock:
            return tuple(version.model_copy(deep=True) for version in self._versions.get(workflow_id, {}).values())

    def workflows(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted(workflow for workflow, history in self._versions.items() if history))

    def set_alias(
        self,
        workflow_id: str,
        alias: str,
        version: str | None,
        *,
        expected_current: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        with self._lock:
            known = self._versions.get(workflow_id, {})
            if version is not None and version not in known:
                raise UnknownNameError("version", version, known)
            current = self._aliases[workflow_id].get(alias)
            if expected_current is not None and (current or "") != expected_current:
                raise VersionConflictError(moved_meanwhile(alias, workflow_id, expected_current, current))
            if current == version:
                return
            if version is None:
                del self._aliases[workflow_id][alias]
            else:
                self._aliases[workflow_id][alias] = version
            move = AliasMove(
                alias=alias,
                version=version,
                previous=current,
                moved_at=datetime.now(UTC),
                reason=reason,
                actor=actor,
            )
            self._moves[workflow_id].append(move)

    def get_alias(self, workflow_id: str, alias: str) -> str | None:
        return self._aliases.get(workflow_id, {}).get(alias)

    def aliases(self, workflow_id: str) -> dict[str, str]:
        with self._lock:
            return dict(sorted(self._aliases.get(workflow_id, {}).items()))

    def alias_history(self, workflow_id: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        with self._lock:
            return tuple(move for move in self._moves.get(workflow_id, ()) if alias in (None, move.alias))

"""Where versions are kept: the protocol that ``in_memory`` and the store implement."""

from __future__ import annotations

from typing import Protocol

from sharpen.executor.models import AwareDatetime, Record
from sharpen.versions.models import PromptVersion


class AliasMove(Record):
    """One move of an alias. ``previous`` is None when it was set first, ``version`` when it was removed.

    ``reason``: why it was made, ``actor``: by whom; None when nobody said.
    """

    alias: str
    version: str | None
    previous: str | None
    moved_at: AwareDatetime
    reason: str | None = None
    actor: str | None = None


class VersionRepository(Protocol):
    """An append-only list of versions for each workflow, and aliases that point into it.

    Every method is one atomic step, for other threads and processes too. Raises ``StoreError`` when the backend fails.
    """

    def add(self, version: PromptVersion) -> None:
        """Append. Raises ``VersionConflictError`` when the workflow has that version already."""

    def get(self, workflow_id: str, version: str) -> PromptVersion | None:
        """The version of exactly that name, or None."""

    def list(self, workflow_id: str) -> tuple[PromptVersion, ...]:
        """Every version in the order they were added; empty for an unknown workflow."""

    def workflows(self) -> tuple[str, ...]:
        """Every workflow that has a version, sorted."""

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
        """Point ``alias`` at ``version``, or remove it (None); every move is remembered, with its reason and actor.

        With ``expected_current``, only when it points there now ("": at nothing yet), compare and set: else
        ``VersionConflictError``.
        Raises ``UnknownNameError`` when the version does not exist.
        """

    def get_alias(self, workflow_id: str, alias: str) -> str | None:
        """The version that ``alias`` points at, or None."""

    def aliases(self, workflow_id: str) -> dict[str, str]:
        """Every alias and its version, sorted by alias."""

    def alias_history(self, workflow_id: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Every move of ``alias`` (None: of all), oldest first; moves that changed nothing are none."""


def moved_meanwhile(alias: str, workflow_id: str, expected: str, current: str | None) -> str:
    """What a failed compare-and-set says, whatever the backend."""
    now = f"points at {current}" if current else "is not set"
    wanted = f"not at {expected!r} as expected" if expected else "which was expected to be free"
    return f"alias {alias!r} of {workflow_id!r} {now}, {wanted}; look again before moving it"

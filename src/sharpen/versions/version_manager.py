"""Every prompt version of every workflow: create, look up, compare, roll back, tag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from sharpen.config.rules import Thresholds
from sharpen.errors import UnknownNameError, UserError, VersionConflictError
from sharpen.optimizer.models import Change, Metrics, Prompt, Verification
from sharpen.versions.comparison import VersionComparison, compare_versions
from sharpen.versions.in_memory import InMemoryVersionRepository
from sharpen.versions.integrity import sealed, verified
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import AliasMove, VersionRepository
from sharpen.versions.provenance import Provenance
from sharpen.versions.semver import FIRST, Bump, SemVer
from sharpen.versions.three_way import ThreeWayView, common_base, three_way

Kind = Literal["baseline", "optimized", "manual", "rollback", "draft"]

LATEST = "latest"
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_CREATE_ATTEMPTS = 100
"""Each that fails is lost to a version that somebody else made. Many: whoever lost starts again later than whoever won,
so that a few busy writers can be ahead of it time and again."""


class VersionManager:
    """The one door to prompt versions. History only grows: nothing here changes or removes a version.

    ``repository`` None keeps them in memory. What is read is verified against its hashes: a prompt or a record that
    was altered raises ``StoreError`` that names it.
    """

    def __init__(self, repository: VersionRepository | None = None) -> None:
        self._repository: VersionRepository = InMemoryVersionRepository() if repository is None else repository

    def create(
        self,
        workflow_id: str,
        prompt: Prompt,
        *,
        kind: Kind = "manual",
        bump: Bump | None = None,
        parent: str | None = None,
        improvement: float | None = None,
        run_ids: Iterable[str] = (),
        metrics: Metrics | None = None,
        verification: Verification | None = None,
        changes: Iterable[Change] = (),
        message: str = "",
        metadata: dict[str, Any] | None = None,
        provenance: Provenance | None = None,
        created_by: str | None = None,
    ) -> PromptVersion:
        """Append a version and return it.

        The first is 1.0.0; later ones bump the latest release, whatever ``parent`` is, so that numbers grow with time.
        A draft is numbered ``X.Y.Z-draft.N`` below the release it would have become. ``parent`` (a version, alias or
        ``latest``) left out is the latest release. ``improvement`` is in points on 0..100; it decides the bump (by the
        default thresholds) unless ``bump`` is given, and without either the bump is a patch.
        Raises ``UnknownNameError`` for an unknown parent, ``UserError`` for a name or message that is no text.
        """
        if not workflow_id:
            raise UserError("workflow_id is '': a version needs the name of its workflow")
        self.check_texts(workflow_id, message)
        if parent is not None:
            parent = self.get(workflow_id, parent).version
        run_ids, changes = tuple(run_ids), tuple(changes)
        bump = bump or _bump_of(improvement)
        for attempt in range(1, _CREATE_ATTEMPTS + 1):
            history = self._repository.list(workflow_id)
            latest = _latest(history)
            version = PromptVersion(
                workflow_id=workflow_id,
                version=str(_next_number(history, bump, draft=kind == "draft")),
                prompt=prompt,
                content_hash=prompt.content_hash,
                parent=parent or (latest.version if latest else None),
                kind=kind,
                improvement=improvement,
                run_ids=run_ids,
                metrics=metrics,
                verification=verification,
                changes=changes,
                message=message,
                metadata=metadata or {},
                provenance=provenance,
                created_by=created_by,
            )
            version = sealed(version)
            try:
                self._repository.add(version)
                return version
            except VersionConflictError:  # someone else took the number between our look and our step: take the next
                if attempt == _CREATE_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def get(self, workflow_id: str, ref: str = LATEST) -> PromptVersion:
        """The version that ``ref`` names: a version number, ``latest`` or an alias such as ``production``.

        Raises ``UnknownNameError`` that lists what exists.
        """
        found = self._find(workflow_id, ref)
        if found is not None:
            return verified(found)
        history = self._repository.list(workflow_id)
        if not history:
            raise UnknownNameError("workflow", workflow_id, self._repository.workflows())
        known = [version.version for version in history]
        known += [*self._repository.aliases(workflow_id), *([LATEST] if _latest(history) else [])]
        raise UnknownNameError(f"version of {workflow_id!r}", ref, known)

    def list(self, workflow_id: str) -> tuple[PromptVersion, ...]:
        """Every version, drafts included, newest first; empty for an unknown workflow."""
        return tuple(verified(version) for version in reversed(self._repository.list(workflow_id)))

    def workflows(self) -> tuple[str, ...]:
        """Every workflow that has a version, sorted."""
        return self._repository.workflows()

    def latest(self, workflow_id: str) -> PromptVersion | None:
        """The highest version that is no draft; None when there is none."""
        latest = _latest(self._repository.list(workflow_id))
        return verified(latest) if latest else None

    def find_by_content(self, workflow_id: str, content_hash: str) -> PromptVersion | None:
        """The newest version with those contents, a release before any draft; None when there is none."""
        same = [version for version in self.list(workflow_id) if version.content_hash == content_hash]
        releases = [version for version in same if version.kind != "draft"]
        return next(iter(releases + same), None)

    def compare(self, workflow_id: str, a: str, b: str) -> VersionComparison:
        """What changed from ``a`` to ``b`` (versions or aliases): a unified diff, and metrics side by side."""
        return compare_versions(self.get(workflow_id, a), self.get(workflow_id, b))

    def three_way(self, workflow_id: str, candidate: str, live: str, base: str | None = None) -> ThreeWayView:
        """What ``candidate`` and ``live`` each changed since ``base``; left out: the newest version both come from."""
        ours, theirs = self.get(workflow_id, candidate), self.get(workflow_id, live)
        common = self.get(workflow_id, base) if base else common_base(ours, theirs, self.list(workflow_id))
        return three_way(common, ours, theirs)

    def restore(self, version: PromptVersion) -> bool:
        """Append a version exactly as it was made elsewhere; False when it is here already, just as it is.

        Raises ``StoreError`` when it was altered, ``VersionConflictError`` when another one has its number here.
        """
        verified(version)
        SemVer.parse(version.version)
        try:
            self._repository.add(version)
        except VersionConflictError as error:
            here = self._repository.get(version.workflow_id, version.version)
            if here == version:
                return False
            raise VersionConflictError(
                f"version {version.version} of {version.workflow_id!r} exists already, and is another one"
            ) from error
        return True

    def rollback(self, workflow_id: str, to: str, *, created_by: str | None = None) -> PromptVersion:
        """Make the contents of the release ``to`` the latest again: as a new version, with its evidence.

        Raises ``VersionConflictError`` when ``to`` is the latest already, or a draft (which never was a release).
        """
        target, head = self.get(workflow_id, to), self.get(workflow_id, LATEST)
        if target.kind == "draft":
            raise VersionConflictError(
                f"version {target.version} of {workflow_id!r} is a draft that was never released; "
                "create a version from its prompt instead of rolling back to it"
            )
        if target.content_hash == head.content_hash:
            raise VersionConflictError(
                f"{workflow_id!r} has the contents of {target.version} already (latest: {head.version}); "
                "nothing to roll back"
            )
        return self.create(
            workflow_id,
            target.prompt,
            kind="rollback",
            parent=head.version,
            run_ids=target.run_ids,
            metrics=target.metrics,
            provenance=target.provenance,
            message=f"rollback to {target.version}",
            metadata={"restores": target.version},
            created_by=created_by,
        )

    def tag(
        self,
        workflow_id: str,
        version: str,
        alias: str,
        expected_current: str | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
    ) -> PromptVersion:
        """Point ``alias`` (``production``) at a version; every move is remembered, with its ``reason`` and ``actor``.

        With ``expected_current`` (a version number, "" for none) only when the alias points there now, so that two
        people who move it at once do not overwrite each other: else ``VersionConflictError``.
        """
        self.check_alias(alias)
        target = self.get(workflow_id, version)
        self._repository.set_alias(
            workflow_id, alias, target.version, expected_current=expected_current, reason=reason, actor=actor
        )
        return target

    @staticmethod
    def check_alias(alias: str) -> None:
        """Raises ``UserError`` for a name that no alias can have."""
        if alias == LATEST:
            raise UserError(f"alias {alias!r} is reserved: it always means the newest release; choose another name")
        if not _ALIAS.fullmatch(alias):
            raise UserError(
                f"alias {alias!r} is no valid name; expected a letter, then at most 63 letters, digits, '.', '_' or "
                "'-', for example 'production'"
            )

    @staticmethod
    def check_texts(workflow_id: str, message: str = "") -> None:
        """Raises ``UserError`` for lone surrogates, as which bytes come that are no UTF-8 on the command line."""
        for name, value in (("workflow_id", workflow_id), ("message", message)):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise UserError(f"{name} is {value!r}, which is no Unicode text; expected UTF-8") from None

    def untag(
        self,
        workflow_id: str,
        alias: str,
        expected_current: str | None = None,
        *,
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Remove an alias; its history stays. Raises ``UnknownNameError`` when it is not set."""
        aliases = self._repository.aliases(workflow_id)
        if alias not in aliases:
            raise UnknownNameError(f"alias of {workflow_id!r}", alias, aliases)
        self._repository.set_alias(
            workflow_id, alias, None, expected_current=expected_current, reason=reason, actor=actor
        )

    def aliases(self, workflow_id: str) -> dict[str, str]:
        """Every alias and the version it points at."""
        return self._repository.aliases(workflow_id)

    def alias_history(self, workflow_id: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Every move of an alias (None: of all of them), oldest first."""
        return self._repository.alias_history(workflow_id, alias)

    def _find(self, workflow_id: str, ref: str) -> PromptVersion | None:
        if ref == LATEST:
            return _latest(self._repository.list(workflow_id))
        found = self._repository.get(workflow_id, ref)
        if found is None and (target := self._repository.get_alias(workflow_id, ref)) is not None:
            found = self._repository.get(workflow_id, target)
        return found


def _bump_of(improvement: float | None) -> Bump:
    rules = Thresholds()
    if improvement is None or improvement < rules.minor_version_min_improvement:
        return "patch"
    return "major" if improvement >= rules.major_version_min_improvement else "minor"


def _latest(history: Iterable[PromptVersion]) -> PromptVersion | None:
    releases = [version for version in history if version.kind != "draft"]
    return max(releases, key=lambda version: SemVer.parse(version.version), default=None)


def _next_number(history: Iterable[PromptVersion], bump: Bump, *, draft: bool) -> SemVer:
    history = tuple(history)
    latest = _latest(history)
    release = SemVer.parse(latest.version).bump(bump) if latest else FIRST
    if not draft:
        return release
    numbers = [SemVer.parse(version.version) for version in history]
    taken = [number.draft for number in numbers if number.draft and number.as_draft(1) == release.as_draft(1)]
    return release.as_draft(max(taken, default=0) + 1)

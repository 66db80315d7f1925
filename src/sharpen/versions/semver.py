"""Version numbers: the part of Semantic Versioning 2.0.0 (semver.org) that prompt versions use. Pure.

``MAJOR.MINOR.PATCH``, or ``MAJOR.MINOR.PATCH-draft.N`` for a draft of that version. As semver orders pre-releases, a
draft comes before the version it drafts: ``1.1.0 < 1.2.0-draft.1 < 1.2.0-draft.2 < 1.2.0``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Literal, Self

Bump = Literal["major", "minor", "patch"]

_NUMBER = r"(0|[1-9][0-9]*)"
_PATTERN = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-draft\.([1-9][0-9]*))?")


@total_ordering
@dataclass(frozen=True, slots=True)
class SemVer:
    """One version number; ``draft`` counts from 1 and is None for a release."""

    major: int
    minor: int
    patch: int
    draft: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """``1.2.3`` or ``1.2.3-draft.4``. Raises ``ValueError`` that shows the text and both forms."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no version; expected MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-draft.N")
        major, minor, patch, draft = match.groups()
        return cls(int(major), int(minor), int(patch), int(draft) if draft else None)

    def bump(self, part: Bump) -> Self:
        """The next release: ``part`` grows by one and what is right of it starts again at 0."""
        if part == "major":
            return replace(self, major=self.major + 1, minor=0, patch=0, draft=None)
        if part == "minor":
            return replace(self, minor=self.minor + 1, patch=0, draft=None)
        if part == "patch":
            return replace(self, patch=self.patch + 1, draft=None)
        raise ValueError(f"cannot bump {part!r}; expected 'major', 'minor' or 'patch'")

    def as_draft(self, number: int) -> Self:
        """The draft ``number`` of this release."""
        return replace(self, draft=number)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, SemVer):
            return NotImplemented
        return self._key < other._key

    @property
    def _key(self) -> tuple[int, int, int, bool, int]:
        return self.major, self.minor, self.patch, self.draft is None, self.draft or 0

    def __str__(self) -> str:
        release = f"{self.major}.{self.minor}.{self.patch}"
        return release if self.draft is None else f"{release}-draft.{self.draft}"


FIRST = SemVer(1, 0, 0)
"""What the first version of a workflow is called."""

"""The shape of one failing answer: its kind, and what tells it apart from others of the kind."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """``kind`` is a key of ``data/kinds.yaml``; ``detail`` and ``other`` (the expected label) go into its texts."""

    kind: str
    detail: str = ""
    other: str = ""

    @property
    def id(self) -> str:
        """``wrong_label:billing>shipping`` (expected, given), ``json_type:$.total``, ``empty``."""
        parts = f"{self.other}>{self.detail}" if self.other else self.detail
        return f"{self.kind}:{parts}" if parts else self.kind

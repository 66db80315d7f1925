"""Pieces of GitHub's Markdown in which nothing that others wrote is markup. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.reporting.text import for_page
from sharpen.reporting.verdict import VerdictText

_SPECIAL = re.compile(r"[\\`*_\[\]~$]|^[-+#]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
_SIGN = {"good": "✅", "bad": "❌", "warn": "⚠️", "neutral": "ℹ️"}


def head(workflow: str, text: VerdictText) -> str:
    """The headline with its sign, the detail and the notes."""
    notes = "".join(f"\n- {cell(note)}" for note in text.notes)
    return f"### {_SIGN[text.tone]} {cell(workflow)}: {cell(text.headline)}\n\n{cell(text.detail)}\n{notes}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0) -> str:
    """``right``: so many of the last columns hold figures and are aligned to the right."""
    marks = ["---"] * (len(header) - right) + ["---:"] * right
    lines = [header, marks, *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """One line in which nothing is markup, mentions nobody and breaks no table."""
    return escape(" ".join(for_page(text).split()))


def escape(text: str) -> str:
    """The text as it is, whatever Markdown would make of it."""
    text = _SPECIAL.sub(r"\\\g<0>", text).translate(_ENTITIES)
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")  # bare addresses would become links
    return text.replace("@", "@\u200b")  # an entity would not do: mentions are looked for after parsing


def joined(*parts: str) -> str:
    """Parts with an empty line between them; empty ones are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"

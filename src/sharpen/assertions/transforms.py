"""The named transforms of an output, applied in order before a check. Pure; nothing found is the empty text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from sharpen.assertions import json_text
from sharpen.config.assertions import Transform

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»", "»": "«"}

_number = re.compile(
    r"(?<![\w.])[+\-−]?"  # neither inside a word (v2) nor behind a point (1.2.3)
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:[eE][+-]?[0-9]+)?"
)

_markdown = (
    (re.compile(r"^[ \t]*(?:```|~~~).*\n?", re.MULTILINE), ""),  # fences; what they hold stays
    (re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE), ""),
    (re.compile(r"^([ \t]*)[-*+][ \t]+", re.MULTILINE), r"\1"),
    (re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)"), r"\1"),  # links and images: their text
    (re.compile(r"(\*\*|__)(?=\S)([^\n]{0,1000}?\S)\1"), r"\2"),  # bounded: hostile text must not cost n²
    (re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^\n*_]*[^\s*_])\1(?![\w*])"), r"\2"),
    (re.compile(r"~~([^~\n]+)~~"), r"\1"),
    (re.compile(r"(`{1,8})([^`\n]+)\1"), r"\2"),
)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _first(parts: Sequence[str]) -> str:
    return parts[0] if parts else ""


def _last(parts: Sequence[str]) -> str:
    return parts[-1] if parts else ""


def _is_punctuation(char: str) -> bool:
    return char == "`" or char.isspace() or unicodedata.category(char).startswith("P")


def strip_punctuation(text: str) -> str:
    """Without punctuation (Unicode category P, and the backtick) and white space at both ends."""
    start, end = 0, len(text)
    while start < end and _is_punctuation(text[start]):
        start += 1
    while end > start and _is_punctuation(text[end - 1]):
        end -= 1
    return text[start:end]


def strip_quotes(text: str) -> str:
    """Without the quotation marks around the whole text, however many pairs, and the white space around them."""
    text = text.strip()
    while len(text) >= 2 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def strip_markdown(text: str) -> str:
    """Without Markdown's marks: fences, headings, quotes, bullets, links, emphasis, code. The text itself stays."""
    for pattern, replacement in _markdown:
        text = pattern.sub(replacement, text)
    return text.strip()


def extract_json(text: str) -> str:
    """The first JSON object or array in the text, as it is written there."""
    return next((text[found.start : found.end] for found in json_text.find_all(text)), "")


def extract_number(text: str) -> str:
    """The first number in the text; commas between groups of three digits are dropped (``1,234.5`` → ``1234.5``)."""
    match = _number.search(text)
    return match.group().replace(",", "").replace("−", "-") if match else ""


_FUNCTIONS: dict[Transform, Callable[[str], str]] = {
    "strip": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "first-line": lambda text: _first(_lines(text)),
    "last-line": lambda text: _last(_lines(text)),
    "first-word": lambda text: _first(text.split(maxsplit=1)),
    "last-word": lambda text: _last(text.rsplit(maxsplit=1)),
    "strip-punctuation": strip_punctuation,
    "strip-quotes": strip_quotes,
    "strip-markdown": strip_markdown,
    "collapse-whitespace": lambda text: " ".join(text.split()),
    "extract-json": extract_json,
    "extract-number": extract_number,
}


def functions(names: Sequence[Transform]) -> tuple[Callable[[str], str], ...]:
    """The functions of ``names``, in order."""
    return tuple(_FUNCTIONS[name] for name in names)


def apply(names: Sequence[Transform], text: str) -> str:
    """``text`` through all of ``names``, left to right."""
    for function in functions(names):
        text = function(text)
    return text

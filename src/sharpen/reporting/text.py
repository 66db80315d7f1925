"""Text that others wrote, made safe to look at. A model's output is hostile input wherever it is shown.

One function for each place: a page shows control characters as pictures (what is hidden is what attacks), a terminal
and an XML file drop them. Escaping for HTML and XML is their renderers' business, not done here.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u00ad\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_HIDDEN = f"[{_CONTROL}{_BIDI}{_INVISIBLE}]"
_SURROGATE = "[\ud800-\udfff]"
_NOT_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # XML 1.0, production 2 (Char)
# CSI, OSC (ended by BEL or ST), other string sequences and two-byte escapes, in their 7-bit and 8-bit forms (ECMA-48).
# An unterminated string sequence loses its introducer alone: swallowing the rest would hide text.
_ANSI = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)

_ASCII = str.maketrans(
    {
        "→": "->", "…": "...", "–": "-", "—": "-", "−": "-", "·": "|", "✓": "+", "✗": "x", "×": "x", "≥": ">=",
        "≤": "<=", "“": '"', "”": '"', "‘": "'", "’": "'", "●": "*", "○": "o", "▲": "^", "±": "+/-", "≈": "~",
        "\u00a0": " ",
    }
)  # fmt: skip


_pattern = cache(re.compile)
"""Most texts have nothing to look for, and these sets of characters take 5 ms to compile."""


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode block "Control Pictures"
    if code == 0x7F:
        return "\u2421"
    return f"‹U+{code:04X}›"


def for_page(text: str) -> str:
    """Line breaks and tabs stay; other invisible or direction-changing characters become pictures or codes."""
    if text.isprintable():
        return text
    return _pattern(_SURROGATE).sub("\ufffd", _pattern(_HIDDEN).sub(_picture, text.replace("\r\n", "\n")))


def for_terminal(text: str) -> str:
    """Without escape sequences, control, direction-changing and invisible characters; line breaks and tabs stay."""
    if text.isprintable():
        return text
    text = _pattern(_ANSI).sub("", text.replace("\r\n", "\n"))
    return _pattern(_SURROGATE).sub("\ufffd", _pattern(_HIDDEN).sub("", text))


def for_xml(text: str) -> str:
    """Without escape sequences and the characters that XML 1.0 forbids even when escaped."""
    return _pattern(_NOT_XML).sub("", _pattern(_ANSI).sub("", text))


def to_ascii(text: str) -> str:
    """For terminals that know no UTF-8: our own signs get their plain forms, anything else becomes ``?``."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def one_line(text: str, width: int) -> str:
    """White space collapsed to single spaces, cut to ``width`` characters with an ellipsis."""
    text = " ".join(text[: width * 8].split())
    return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + "…"


def cut(text: str, limit: int) -> tuple[str, str]:
    """The first ``limit`` characters and a note of what is missing (empty when nothing is)."""
    if len(text) <= limit:
        return text, ""
    return text[:limit], f"{len(text) - limit:,} of {len(text):,} characters left out"


def as_text(value: Any) -> str:
    """A variable or expected answer as people read it: text as it is, None as nothing, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, reference cycles
        return repr(value)

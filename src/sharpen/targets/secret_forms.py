"""How a secret may come back from a server: as it is, quoted for a URL, in JSON or HTML, in Base64 or hex. Pure."""

from __future__ import annotations

import base64
import html
import re
from functools import lru_cache

SHORT_SECRET = 8
"""Characters from which on a secret is hidden wherever it stands; shorter ones may be part of any word."""


@lru_cache(maxsize=64)
def pattern_of(secret: str) -> re.Pattern[str]:
    """Finds every form of a secret of at least ``SHORT_SECRET`` characters.

    A beginning of it, half as long or more, counts too: a message may have been cut in the middle of it. In Base64 a
    text looks different at each of three offsets, and only the characters that its neighbours have no part in are sure.
    """
    characters = [_any_form(character) for character in secret]
    least = max(SHORT_SECRET, len(secret) // 2)
    rest = "".join(f"(?:{form}" for form in characters[least:]) + ")?" * len(characters[least:])
    forms = [re.escape(form) for form in sorted(_encoded(secret.encode()), key=len, reverse=True)]
    return re.compile("|".join([*forms, "".join(characters[:least]) + rest]))


def holds(text: str, secret: str) -> bool:
    """Whether a form of ``secret`` is in ``text``, as ``pattern_of`` finds it: quick where none is, for every answer is
    asked.

    No encoder touches letters and digits, unless it encodes everything: a run of them from the beginning of the secret
    stands in each of its textual forms.
    """
    return any(needle in text for needle in _needles(secret)) and pattern_of(secret).search(text) is not None


@lru_cache(maxsize=64)
def _needles(secret: str) -> tuple[str, ...]:
    runs = re.findall("[A-Za-z0-9]+", secret[: max(SHORT_SECRET, len(secret) // 2)])
    first = f"%{secret.encode()[0]:02x}"
    encoded = (form[:SHORT_SECRET] for form in _encoded(secret.encode()))
    return tuple({max(runs, key=len, default=""), first, first.upper(), *encoded})


def _encoded(raw: bytes) -> set[str]:
    """In hex, and what is sure of it in Base64."""
    encoded = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        first, last = -(-offset * 8 // 6), (len(raw) + offset) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded.add(encode(bytes(offset) + raw).decode()[first:last])
    return {form for form in encoded if len(form) >= SHORT_SECRET}


def _any_form(character: str) -> str:
    """A pattern for one character: itself, escaped for JSON or HTML, or percent-encoded in either case.

    Escaped again, too: JSON within JSON, a URL within a URL.
    """
    percent = "".join(f"%(?:25){{0,2}}{byte:02x}" for byte in character.encode())
    forms = {re.escape(character), f"(?i:{percent})"}
    if (escaped := html.escape(character)) != character:
        forms.add(f"&(?:amp;){{0,2}}{re.escape(escaped[1:])}")
    if character in '"/':
        forms.add(rf"\\{{1,3}}{character}")
    elif character == "\\":
        forms |= {re.escape("\\" * 2), re.escape("\\" * 4)}
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"

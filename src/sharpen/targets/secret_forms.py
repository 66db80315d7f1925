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
    raw = secret.encode()
    encoded = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        first, last = -(-offset * 8 // 6), (len(raw) + offset) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded.add(encode(bytes(offset) + raw).decode()[first:last])
    characters = [_any_form(character) for character in secret]
    least = max(SHORT_SECRET, len(secret) // 2)
    rest = "".join(f"(?:{form}" for form in characters[least:]) + ")?" * len(characters[least:])
    forms = [re.escape(form) for form in sorted(encoded, key=len, reverse=True) if len(form) >= SHORT_SECRET]
    return re.compile("|".join([*forms, "".join(characters[:least]) + rest]))


def _any_form(character: str) -> str:
    """A pattern for one character: itself, escaped for JSON or HTML, or percent-encoded in either case."""
    percent = "".join(f"%{byte:02x}" for byte in character.encode())
    forms = {re.escape(character), re.escape(html.escape(character)), f"(?i:{percent})"}
    if character in '"/\\':
        forms.add(re.escape(f"\\{character}"))
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"

"""Keeps secrets out of messages: what looks like a key is recognised, and never repeated."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "<hidden>"

_KNOWN_FORMS = re.compile(
    r"""\b(?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{12,}   # OpenAI, Anthropic, Stripe and those who copied them
      | \bsk-[\w-]{3,}
      | \b(?:gsk|hf|ghp|gho|xai|r8|tgp|csk|nvapi|pplx)[-_](?=\w*\d)[\w-]{12,}
      | \bAIza[\w-]{20,}                            # Google
      | \bAKIA[0-9A-Z]{12,}                         # AWS
      | \beyJ[\w-]{10,}\.[\w-]{10,}                 # JSON web tokens
      | \bBearer\s+(?:<hidden>|[^\s"'<>]{8,})
      | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)             # credentials in a URL
      | (?<=[?&])(?i:[\w-]*(?:key|token|secret|sig|signature|password|credential))=[^&\#\s'"]{8,}  # and in its query
    """,
    re.VERBOSE,
)
_SECRET_KEYS = re.compile(
    r"(?i)^(x[-_])?(api[-_]?key|apikey|auth|authorization|(access|auth|bearer|api)[-_]?token|bearer|passwd|password"
    r"|secret|(client|api)[-_]?secret|secret[-_]?key|private[-_]?key|openai[-_]?api[-_]?key)$"
)
_LONGEST = 60


def is_secret_key(key: object) -> bool:
    """A key under which people write secrets (``api_key``, ``Authorization``); ``api_key_env`` is none."""
    return isinstance(key, str) and bool(_SECRET_KEYS.match(key))


def holds_secret(text: str) -> bool:
    """Something in ``text`` has the form of a key, a token or credentials in a URL."""
    return bool(_KNOWN_FORMS.search(text))


def looks_like_key(text: str) -> bool:
    """Like ``holds_secret``, and also any long mix of lower case and digits, which no variable's name is."""
    mixed = len(text) >= 20 and any(c.islower() for c in text) and any(c.isdigit() for c in text)
    return mixed or holds_secret(text)


def mask(text: str) -> str:
    """``text`` with everything that has the form of a secret replaced by ``<hidden>``."""
    return _KNOWN_FORMS.sub(HIDDEN, text)


def show(value: Any, key: object = "") -> str:
    """A short repr for messages. Hidden under a secret's key; of lists and mappings only the size is told."""
    if is_secret_key(key):
        return HIDDEN
    match value:
        case dict():
            return f"a mapping of {len(value)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case str():
            text = mask(value)
            return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case int() if value.bit_length() > 256:
            return "a number of more than 70 digits"
        case _:
            return repr(value)

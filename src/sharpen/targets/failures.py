"""HTTP status and error body → ``Failure``: the one table that all targets share. Pure.

======================================  ====================  =========
status                                  kind                  retryable
======================================  ====================  =========
any, code names the context length      context_length        no
any, code names a content filter        content_filter        no
401, 403, 407                           authentication        no
402 (the account cannot pay)            authentication        no
408, 504, 524                           timeout               yes
429                                     rate_limit            yes
429, code says the quota is spent       rate_limit            no
409, 425, 5xx                           server                yes
501, 505                                server                no
3xx and every other 4xx                 bad_request           no
======================================  ====================  =========

402 counts as authentication: like a wrong key it concerns the account, fails every call alike, and only the user can
mend it. A body's machine-readable codes decide before its wording does; wording is read only where a server gives no
code of its own for the case (400, 413, 422 and, for moderation, 403).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sharpen.config.redact import HIDDEN, is_secret_key, mask
from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure
from sharpen.targets.secret_forms import SHORT_SECRET, pattern_of

MAX_BODY_CHARS = 300
"""Of an error body, so much is shown."""

_BEFORE_KEY = (
    r"""(?i:\b(?:bearer|basic|authorization|(?:x-)?api[-_ ]?key|key|token|password|secret)\b"""
    r"""(?:\s+\w+){0,2}[\s:="'`(]+)"""
)
_CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "context_window_exceeded"}
)
_CONTEXT_WORDING = re.compile(
    r"maximum context|context (length|size|window)|(prompt|input) is too long|reduce the length of", re.IGNORECASE
)
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
)
_FILTER_WORDING = re.compile(
    r"content[ _-](management )?(policy|filter)|safety system|usage polic|requires moderation", re.IGNORECASE
)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})

_AUTHENTICATION = frozenset({401, 402, 403, 407})
_TIMEOUT = frozenset({408, 504, 524})
_NEVER_SERVED = frozenset({501, 505})
_WORDED = frozenset({400, 413, 422})

_RETRYABLE_KINDS = frozenset({ErrorKind.TIMEOUT, ErrorKind.CONNECTION, ErrorKind.SERVER, ErrorKind.RATE_LIMIT})


def usually_retryable(kind: ErrorKind) -> bool:
    """Whether the same call may well succeed a moment later, as far as the kind alone can tell."""
    return kind in _RETRYABLE_KINDS


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says: its message, and every code and type in it (lower case)."""

    message: str = ""
    codes: frozenset[str] = frozenset()


def http_failure(
    status: int,
    body: str = "",
    *,
    where: str = "",
    hint: str = "",
    retry_after_s: float | None = None,
    location: str | None = None,
    codes: Iterable[str] = (),
) -> Failure:
    """Classify an HTTP answer that is no success.

    ``where`` names the call (URL path and model) in the message, ``hint`` ends it, ``retry_after_s`` is the parsed
    header, ``location`` the target of a redirect, ``codes`` error codes known from elsewhere than the body.
    """
    error = read_error_body(body)
    error = ErrorBody(error.message, error.codes | {code.lower() for code in codes})
    kind, retryable = _kind_of(status, error)
    said = f": {error.message}" if error.message else ""
    if hint:
        said = f"{said}; {hint}"
    if status == 304:
        said = ": Not Modified, which answers no POST; is there a cache in between?"
    elif 300 <= status < 400:
        said = f": the server redirects to {location or 'another address'}; put the final address into base_url"
    return Failure(
        kind=kind,
        message=f"HTTP {status}{f' from {where}' if where else ''}{said}",
        http_status=status,
        retryable=retryable,
        retry_after_s=retry_after_s,
    )


def _kind_of(status: int, error: ErrorBody) -> tuple[ErrorKind, bool]:
    if error.codes & _CONTEXT_CODES or (status in _WORDED and _CONTEXT_WORDING.search(error.message)):
        return ErrorKind.CONTEXT_LENGTH, False
    if error.codes & _FILTER_CODES or (status in _WORDED | {403} and _FILTER_WORDING.search(error.message)):
        return ErrorKind.CONTENT_FILTER, False
    if status in _AUTHENTICATION:
        return ErrorKind.AUTHENTICATION, False
    if status in _TIMEOUT:
        return ErrorKind.TIMEOUT, True
    if status == 429:
        return ErrorKind.RATE_LIMIT, not error.codes & _QUOTA_CODES
    if status in (409, 425) or status >= 500:
        return ErrorKind.SERVER, status not in _NEVER_SERVED
    return ErrorKind.BAD_REQUEST, False


def read_error_body(body: str) -> ErrorBody:
    """Find message and codes in an error body of any shape: OpenAI's, FastAPI's, Google's, plain text, HTML.

    The message is one line of at most ``MAX_BODY_CHARS`` characters.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody(shorten(re.sub(r"(?s)<(style|script)\b.*?(?:</\1>|\Z)|<(?!hidden>)[^<>]*>", " ", body)))
    codes = frozenset(
        value.lower()
        for part in _mappings(parsed)
        for key in ("code", "type", "status")
        if isinstance(value := part.get(key), str)
    )
    return ErrorBody(shorten(_message(parsed) or body), codes)


def _mappings(value: Any, depth: int = 4) -> Iterator[Mapping[str, Any]]:
    if depth and isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _mappings(part, depth - 1)
    elif depth and isinstance(value, list) and value:
        yield from _mappings(value[0], depth - 1)


def _message(value: Any, depth: int = 4) -> str | None:
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list) and value:
        return _message(value[0], depth - 1)
    if depth and isinstance(value, dict):
        for key in ("error", "message", "detail", "errors", "msg"):
            if found := _message(value.get(key), depth - 1):
                return found
    return None


def parse_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by ``Retry-After-Ms`` or ``Retry-After`` (seconds or an HTTP date, RFC 9110 section 10.2.3).

    ``headers`` must look up names without regard to case, or hold them in lower case. None when absent or senseless;
    a moment in the past is 0.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        moment = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, TypeError, ValueError, OverflowError):  # a year or a time zone beyond all numbers
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def shorten(text: str, limit: int = MAX_BODY_CHARS) -> str:
    """``text`` on one line of at most ``limit`` characters, unprintable characters replaced."""
    line = " ".join(text[: limit * 20].split())
    line = "".join(c if c.isprintable() else "�" for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``, in any of their forms, nor anything else that has the form of a key.

    A secret of fewer than ``SHORT_SECRET`` characters may be part of any word; it is hidden only where it stands as a
    key does: alone, between quotation marks, or behind a word such as "key" or "Bearer".
    """
    for secret in secrets:
        if len(secret) >= SHORT_SECRET:
            text = pattern_of(secret).sub(HIDDEN, text)
        elif secret:
            text = HIDDEN if text.strip() == secret else _short_secret(secret).sub(rf"\g<before>{HIDDEN}", text)
    return mask(text)


def _short_secret(secret: str) -> re.Pattern[str]:
    own = re.escape(secret)
    return re.compile(rf"""(?P<before>["'`](?={own}["'`])|{_BEFORE_KEY}){own}(?!\w)""")


def without_secrets(params: Any) -> Any:
    """A JSON-ready copy of ``params``; what stands under a secret's key is hidden."""
    if isinstance(params, Mapping):
        return {str(key): HIDDEN if is_secret_key(key) else without_secrets(value) for key, value in params.items()}
    if isinstance(params, list | tuple | set | frozenset):
        return [without_secrets(value) for value in params]
    return params if isinstance(params, str | int | float | bool | None) else repr(params)

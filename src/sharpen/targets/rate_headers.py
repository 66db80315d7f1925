"""What a server's headers say of its limits, and how long they ask to wait. Pure.

==========================================  ====================================  =======================
headers                                     used by                               time of a reset
==========================================  ====================================  =======================
Retry-After, Retry-After-Ms                 everyone (RFC 9110, section 10.2.3)   seconds or HTTP date
X-RateLimit-{Limit,…}-{Requests,Tokens}     OpenAI, Azure, Groq                   ``6m0s``, ``20ms``, seconds
Anthropic-RateLimit-{Requests,…}-{Limit,…}  Anthropic                             RFC 3339
X-RateLimit-{Limit,Remaining,Reset}         GitHub, OpenRouter                    seconds or ms since 1970
RateLimit-{Limit,Remaining,Reset}           IETF httpapi drafts 00 to 06          seconds
RateLimit: limit=…, remaining=…, reset=…    IETF httpapi draft 07                 seconds
RateLimit: "name";r=…;t=…                   IETF httpapi drafts 08 and later      seconds
==========================================  ====================================  =======================

Headers are mappings that look up names without regard to case, or hold them in lower case.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sharpen.targets.base import RateHints
from sharpen.targets.failures import parse_retry_after

_WAITING = frozenset({429, 503})
_UNIT_S = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,12})?(?:ms|us|µs|ns|d|h|m|s)){1,8}")
_PART = re.compile(r"([0-9.]+)(ms|us|µs|ns|d|h|m|s)")
_NUMBER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:[,;].*)?")
_ITEM = re.compile(r'"((?:[^"\\]|\\.){0,100})"((?:\s*;\s*[a-z]+\s*=\s*(?:"[^"]*"|[^;,"]*))*)')
_PARAMETER = re.compile(r"([a-z]+)\s*=\s*([0-9]{1,15})(?![0-9.])")
_SINCE_1970 = 1e9
"""Numbers from here on are moments, not spans: it would be a wait of 30 years. From 1e12 on they are milliseconds."""


class _Quota(NamedTuple):
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None


def retry_after(headers: Mapping[str, str], status: int, now: datetime | None = None) -> float | None:
    """Seconds that a refusal asks to wait; None when it does not say.

    By ``Retry-After`` in either form; without one, for 429 and 503, until every resource of which nothing remains is
    there again.
    """
    asked = parse_retry_after(headers, now)
    if asked is not None or status not in _WAITING:
        return asked
    resets = [
        quota.reset_s
        for quota in (*_requests(headers, now), *_tokens(headers, now))
        if quota.reset_s is not None and quota.remaining == 0
    ]
    return max(resets, default=None)


def rate_hints(headers: Mapping[str, str], now: datetime | None = None) -> RateHints | None:
    """What the headers say of requests and tokens; None when they say nothing.

    Where a server tells of several limits on one resource, the one with the least left counts.
    """
    if not any("ratelimit" in name.lower() for name in headers):
        return None
    requests, tokens = _tightest(_requests(headers, now)), _tightest(_tokens(headers, now))
    if requests is None and tokens is None:
        return None
    return RateHints(*(requests or _Quota()), *(tokens or _Quota()))


def parse_duration(text: str) -> float | None:
    """Seconds in a duration as Go writes it (``1h2m``, ``6m0s``, ``20ms``, ``1.5s``); None for anything else."""
    text = text.strip()
    if not _DURATION.fullmatch(text):
        return None
    return math.fsum(float(amount) * _UNIT_S[unit] for amount, unit in _PART.findall(text))


def parse_reset(text: str, now: datetime | None = None) -> float | None:
    """Seconds until a reset that is given as a span or a moment in any form of the table above; 0 when it is past."""
    if (span := parse_duration(text)) is not None:
        return span
    now = now or datetime.now(UTC)
    if (number := _number(text)) is not None:
        if number < _SINCE_1970:
            return number
        return max(0.0, (number / 1000 if number >= _SINCE_1970 * 1000 else number) - now.timestamp())
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _requests(headers: Mapping[str, str], now: datetime | None) -> Iterator[_Quota]:
    yield from _named(headers, now, "x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}")
    yield from _named(headers, now, "x-ratelimit-{}", "ratelimit-{}")
    yield from _structured(headers)


def _tokens(headers: Mapping[str, str], now: datetime | None) -> Iterator[_Quota]:
    yield from _named(headers, now, "x-ratelimit-{}-tokens", "anthropic-ratelimit-tokens-{}")
    yield from _named(headers, now, "anthropic-ratelimit-input-tokens-{}", "anthropic-ratelimit-output-tokens-{}")


def _named(headers: Mapping[str, str], now: datetime | None, *patterns: str) -> Iterator[_Quota]:
    """One quota for each pattern of header names of which at least one number is there."""
    for pattern in patterns:
        limit, remaining, reset = (headers.get(pattern.format(what), "") for what in ("limit", "remaining", "reset"))
        if limit or remaining or reset:
            quota = _Quota(_number(limit), _number(remaining), parse_reset(reset, now))
            if any(value is not None for value in quota):
                yield quota


def _structured(headers: Mapping[str, str]) -> Iterator[_Quota]:
    """The one header of the later drafts; its limit stands in a second one, under the same name."""
    value = headers.get("ratelimit", "")
    if not value:
        return
    items = _ITEM.findall(value)
    if not items:
        found = _parameters(value)
        quotas = [_Quota(found.get("limit"), found.get("remaining"), found.get("reset"))]
    else:
        policies = {name: _parameters(text) for name, text in _ITEM.findall(headers.get("ratelimit-policy", ""))}
        quotas = [
            _Quota(policies.get(name, {}).get("q"), found.get("r"), found.get("t"))
            for name, found in ((name, _parameters(text)) for name, text in items)
        ]
    yield from (quota for quota in quotas if any(value is not None for value in quota))


def _parameters(text: str) -> dict[str, float]:
    return {name: float(number) for name, number in _PARAMETER.findall(text)}


def _number(text: str) -> float | None:
    """The number a header begins with (``100, 100;w=60`` is 100), if it is one ≥ 0."""
    found = _NUMBER.fullmatch(text)
    return float(found[1]) if found else None


def _tightest(quotas: Iterator[_Quota]) -> _Quota | None:
    return min(quotas, key=lambda quota: math.inf if quota.remaining is None else quota.remaining, default=None)

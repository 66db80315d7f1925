"""What servers say of their limits, in every form that is in use, and in none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.targets.base import RateHints
from sharpen.targets.rate_headers import parse_duration, parse_reset, rate_hints, retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPENAI = {
    "x-ratelimit-limit-requests": "60", "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59", "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s",
}  # fmt: skip
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "1000", "anthropic-ratelimit-requests-remaining": "999",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:10Z",
    "anthropic-ratelimit-tokens-limit": "80000", "anthropic-ratelimit-tokens-remaining": "0",
    "anthropic-ratelimit-tokens-reset": "2026-01-01T00:01:00+00:00",
    "anthropic-ratelimit-output-tokens-remaining": "0",
    "anthropic-ratelimit-output-tokens-reset": "2026-01-01T00:02:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m", 3720), ("2m59.56s", 179.56), ("1.5s", 1.5), (" 7s ", 7),
        ("1d", 86_400), ("250us", 0.00025), ("250µs", 0.00025), ("1h2m3s4ms", 3723.004), ("0s", 0),
        ("", None), ("7", None), ("s", None), ("1x", None), ("-1s", None), ("1 s", None), ("1e3s", None),
        ("1..5s", None),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, ms: int) -> None:
    written = f"{hours}h{minutes}m{seconds}s{ms}ms"
    assert parse_duration(written) == pytest.approx(hours * 3600 + minutes * 60 + seconds + ms / 1000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30), ("0.5", 0.5), ("6m0s", 360),
        (str(int(NOW.timestamp()) + 90), 90), (str((int(NOW.timestamp()) + 90) * 1000), 90),
        (str(int(NOW.timestamp()) - 90), 0),
        ("2026-01-01T00:00:30Z", 30), ("2026-01-01T01:00:30+01:00", 30), ("2026-01-01T00:00:30", 30),
        ("2025-12-31T00:00:00Z", 0),
        ("", None), ("soon", None), ("-5", None), ("nan", None), ("inf", None), ("1e400", None), ("0001-01-01", 0),
    ],
)  # fmt: skip
def test_resets(text: str, seconds: float | None) -> None:
    assert parse_reset(text, NOW) == pytest.approx(seconds)


@given(st.floats(0, 1e8))
def test_a_moment_reads_back(ahead: float) -> None:
    moment = NOW + timedelta(seconds=ahead)
    for written in (moment.isoformat(), moment.isoformat().replace("+00:00", "Z"), f"{moment.timestamp():.6f}"):
        assert parse_reset(written, NOW) == pytest.approx(ahead, abs=1e-3)


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        (OPENAI, RateHints(60, 59, 1, 150_000, 149_984, 360)),
        (ANTHROPIC, RateHints(1000, 999, 10, 80_000, 0, 60)),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-remaining-tokens": "5"},  # Azure
         RateHints(remaining_requests=3, remaining_tokens=5)),
        ({"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "1", "x-ratelimit-reset": f"{NOW.timestamp() + 9:.0f}"},
         RateHints(5000, 1, 9)),
        ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "5"},
         RateHints(100, 50, 5)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, RateHints(100, 50, 5)),
        ({"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'}, RateHints(100, 50, 30)),
        ({"ratelimit": '"burst";r=0;t=2, "daily";r=900;t=3600',
          "ratelimit-policy": '"burst";q=10;w=5,"daily";q=1000;w=86400'}, RateHints(10, 0, 2)),
        ({"RateLimit-Remaining": "1"}, None),  # a plain mapping must hold names in lower case
        ({"x-ratelimit-limit-requests": "many"}, None),
        ({"ratelimit": "unlimited"}, None),
        ({"content-type": "application/json", "retry-after": "3"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_hints(headers: dict[str, str], hints: RateHints | None) -> None:
    found = rate_hints(headers, NOW)
    if hints is None:
        assert found is None
    else:
        assert found is not None
        for name in RateHints.__slots__:
            assert getattr(found, name) == pytest.approx(getattr(hints, name)), name


@pytest.mark.parametrize(
    ("headers", "status", "seconds"),
    [
        ({"retry-after": "7", **OPENAI, "x-ratelimit-remaining-tokens": "0"}, 429, 7),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 503, 90),
        ({"retry-after": "7"}, 500, 7),
        (OPENAI, 429, None),  # nothing is exhausted
        ({**OPENAI, "x-ratelimit-remaining-requests": "0"}, 429, 1),
        ({**OPENAI, "x-ratelimit-remaining-tokens": "0"}, 429, 360),
        ({**OPENAI, "x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}, 503, 360),
        ({**OPENAI, "x-ratelimit-remaining-tokens": "0"}, 500, None),  # the limit is not why it failed
        (ANTHROPIC, 429, 120),  # of several the last to come back
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW.timestamp() + 9:.0f}"}, 429, 9),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "5"}, 429, 5),
        ({"ratelimit": '"burst";r=0;t=2, "daily";r=900;t=3600'}, 429, 2),
        ({"x-ratelimit-remaining-requests": "0"}, 429, None),
        ({}, 429, None),
    ],
)
def test_waits(headers: dict[str, str], status: int, seconds: float | None) -> None:
    assert retry_after(headers, status, NOW) == pytest.approx(seconds)


names = st.sampled_from([*OPENAI, *ANTHROPIC, "x-ratelimit-reset", "ratelimit", "ratelimit-policy", "retry-after"])
values = (
    st.text(max_size=40)
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.from_regex(r'("[a-z]{0,3}";?(;[rtq]=[0-9]{0,5}){0,3},? ?){0,3}', fullmatch=True)
    | st.from_regex(r"([0-9]{1,15}(ms|s|m|h|d)){0,9}", fullmatch=True)
)


@given(st.dictionaries(names, values, max_size=8), st.sampled_from([429, 503, 500]))
def test_total_and_never_negative(headers: dict[str, str], status: int) -> None:
    wait = retry_after(headers, status, NOW)
    assert wait is None or 0 <= wait < float("inf")
    hints = rate_hints(headers, NOW)
    for name in RateHints.__slots__ if hints else ():
        value = getattr(hints, name)
        assert value is None or 0 <= value < float("inf"), name

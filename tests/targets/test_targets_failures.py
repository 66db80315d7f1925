"""The failure table: what an HTTP answer means, whatever shape its body has."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.targets import TARGET_FAILURES
from sharpen.errors import ErrorKind
from sharpen.targets.failures import (
    MAX_BODY_CHARS,
    http_failure,
    parse_retry_after,
    read_error_body,
    redact,
    shorten,
    without_secrets,
)


def body(message: str = "no", code: object = None, kind: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "code": code, "type": kind}})


@pytest.mark.parametrize(
    ("status", "text", "kind", "retryable"),
    [
        (400, body("bad temperature"), ErrorKind.BAD_REQUEST, False),
        (401, body("Incorrect API key"), ErrorKind.AUTHENTICATION, False),
        (402, body("Insufficient credits"), ErrorKind.AUTHENTICATION, False),
        (403, body("no access"), ErrorKind.AUTHENTICATION, False),
        (407, "", ErrorKind.AUTHENTICATION, False),
        (404, body("The model does not exist", "model_not_found"), ErrorKind.BAD_REQUEST, False),
        (405, "", ErrorKind.BAD_REQUEST, False),
        (408, "", ErrorKind.TIMEOUT, True),
        (409, "", ErrorKind.SERVER, True),
        (413, "", ErrorKind.BAD_REQUEST, False),
        (422, body("field required"), ErrorKind.BAD_REQUEST, False),
        (425, "", ErrorKind.SERVER, True),
        (429, body("slow down", "rate_limit_exceeded"), ErrorKind.RATE_LIMIT, True),
        (429, body("You exceeded your quota", "insufficient_quota"), ErrorKind.RATE_LIMIT, False),
        (429, body("You exceeded your quota", None, "insufficient_quota"), ErrorKind.RATE_LIMIT, False),
        (500, "", ErrorKind.SERVER, True),
        (501, "", ErrorKind.SERVER, False),
        (503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', ErrorKind.SERVER, True),
        (504, "", ErrorKind.TIMEOUT, True),
        (524, "<html>A timeout occurred</html>", ErrorKind.TIMEOUT, True),
        (529, body("Overloaded", None, "overloaded_error"), ErrorKind.SERVER, True),
        (307, "", ErrorKind.BAD_REQUEST, False),
        (400, body("x", "context_length_exceeded"), ErrorKind.CONTEXT_LENGTH, False),
        (400, body("request (5001 tokens) exceeds", 400, "exceed_context_size_error"), ErrorKind.CONTEXT_LENGTH, False),
        (500, body("x", 500, "exceed_context_size_error"), ErrorKind.CONTEXT_LENGTH, False),
        (400, body("This model's maximum context length is 8192 tokens."), ErrorKind.CONTEXT_LENGTH, False),
        (413, body("Please reduce the length of the messages"), ErrorKind.CONTEXT_LENGTH, False),
        (500, body("maximum context length"), ErrorKind.SERVER, True),
        (400, body("x", "content_filter"), ErrorKind.CONTENT_FILTER, False),
        (400, body("x", "content_policy_violation"), ErrorKind.CONTENT_FILTER, False),
        (400, body("The response was filtered by Azure's content management policy"), ErrorKind.CONTENT_FILTER, False),
        (403, body("requires moderation: input was flagged"), ErrorKind.CONTENT_FILTER, False),
        (400, json.dumps({"error": {"message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
         ErrorKind.CONTENT_FILTER, False),
    ],
)  # fmt: skip
def test_table(status: int, text: str, kind: ErrorKind, retryable: bool) -> None:
    failure = http_failure(status, text, where="/v1/chat/completions (model 'm')")
    assert (failure.kind, failure.retryable, failure.http_status) == (kind, retryable, status)
    assert f"HTTP {status} from /v1/chat/completions (model 'm')" in failure.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (body("the message"), "the message"),
        ('{"error": "plain"}', "plain"),
        ('{"detail": "from FastAPI"}', "from FastAPI"),
        ('{"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}', "field required"),
        ('{"object": "error", "message": "from vLLM", "code": 400}', "from vLLM"),
        ('[{"error": {"code": 400, "message": "from Google", "status": "INVALID_ARGUMENT"}}]', "from Google"),
        ("<html><style>a{}</style><body><h1>502</h1>Bad  gateway</body></html>", "502 Bad gateway"),
        ("<h1>502</h1><style>cut off", "502"),
        ("upstream\nconnect error", "upstream connect error"),
        ('{"unexpected": true}', '{"unexpected": true}'),
        ("[" * 5000, "[" * (MAX_BODY_CHARS - 1) + "…"),
        ("", ""),
    ],
)
def test_message_of_any_body(text: str, message: str) -> None:
    assert read_error_body(text).message == message


def test_redirect_names_where_to_go() -> None:
    failure = http_failure(308, "", location="https://api.example.com/v1/chat/completions")
    assert "redirects to https://api.example.com/v1/chat/completions" in failure.message
    assert "base_url" in failure.message


def test_not_modified_is_no_redirect() -> None:
    failure = http_failure(304, "", where="/v1")
    assert (failure.kind, failure.retryable) == (ErrorKind.BAD_REQUEST, False)
    assert failure.message == ("HTTP 304 from /v1: Not Modified, which answers no POST; is there a cache in between?")


def test_codes_known_from_elsewhere_decide_too() -> None:
    assert http_failure(400, "x", codes=["Context_Length_Exceeded"]).kind is ErrorKind.CONTEXT_LENGTH


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.integers(300, 999), st.text(max_size=200) | json_values.map(json.dumps))
def test_every_answer_is_one_failure_of_a_target(status: int, text: str) -> None:
    failure = http_failure(status, text)
    assert failure.kind in TARGET_FAILURES
    assert failure.http_status == status
    assert len(failure.message) <= MAX_BODY_CHARS + 100
    assert "\n" not in failure.message
    if failure.retryable:
        assert failure.kind in (ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.RATE_LIMIT)


@given(st.text())
def test_shortened_text_is_one_printable_line(text: str) -> None:
    assert len(shorten(text, 50)) <= 50
    assert all(c.isprintable() for c in shorten(text, 50))


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:05 -0000"}, 5.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 +99999999999999"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, NOW) == seconds


@given(st.floats(0, 1e6))
def test_retry_after_reads_back_any_seconds(seconds: float) -> None:
    assert parse_retry_after({"retry-after": repr(seconds)}) == seconds


@given(st.text(max_size=300))
def test_retry_after_is_total(text: str) -> None:
    seconds = parse_retry_after({"retry-after": text, "retry-after-ms": text})
    assert seconds is None or seconds >= 0


def test_redaction() -> None:
    assert "hunter2" not in redact("wrong key hunter2!", ["hunter2", ""])
    assert "sk-proj-abcdef1234567890" not in redact("Incorrect API key: sk-proj-abcdef1234567890", [])


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: {}.", "wrong key {}", "Authorization: {}", '{{"api_key": "{}"}}', "'{}' is bad",
        "{}", " {}\n", "token={}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["abc", "a+b", "on", "key"])
def test_a_short_key_is_hidden_where_a_key_stands(text: str, key: str) -> None:
    assert redact(text.format(key), [key]).strip() == text.format("<hidden>").strip()
    assert redact(f"Authorization: Bearer {key}", [key]) == "Authorization: <hidden>"


@pytest.mark.parametrize("key", ["a", "on", "server", "x"])
def test_a_short_key_leaves_words_alone(key: str) -> None:
    text = "HTTP 503 from /v1/chat (model max): the server has no connection on port 80"
    assert redact(text, [key]) == text
    assert redact(text, ["connection"]) == text.replace("connection", "<hidden>")


def test_params_without_secrets_are_json() -> None:
    params = {"max_tokens": 8, "api_key": "hunter2", "nested": [{"password": "hunter2"}], "odd": {1}, "at": NOW}
    text = json.dumps(without_secrets(params))
    assert "hunter2" not in text
    assert '"max_tokens": 8' in text

"""Errors inside of an answer with HTTP 200: what their names mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.targets import OpenAITarget
from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, TargetError
from sharpen.targets.error_codes import status_of_error
from sharpen.targets.openai_compatible import OpenAICompatibleTarget


def failure(error: Any) -> Failure:
    """What the target makes of an answer with this error, without a socket."""
    target = OpenAICompatibleTarget(OpenAITarget(model="m", base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(TargetError) as caught:
        target._response(200, json.dumps({"error": error}).encode(), None)
    return caught.value.failure


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "status"),
    [
        ({"code": "rate_limit_exceeded"}, ErrorKind.RATE_LIMIT, True, 429),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, ErrorKind.RATE_LIMIT, True, 429),
        ({"type": "rate_limit_error", "message": "x"}, ErrorKind.RATE_LIMIT, True, 429),
        ({"status": "RESOURCE_EXHAUSTED"}, ErrorKind.RATE_LIMIT, True, 429),
        ({"code": 429}, ErrorKind.RATE_LIMIT, True, 429),
        ({"code": "429"}, ErrorKind.RATE_LIMIT, True, 429),
        ({"code": "insufficient_quota"}, ErrorKind.RATE_LIMIT, False, 429),
        ({"type": "insufficient_quota", "code": None}, ErrorKind.RATE_LIMIT, False, 429),
        ({"code": "invalid_api_key", "type": "invalid_request_error"}, ErrorKind.AUTHENTICATION, False, 401),
        ({"type": "authentication_error"}, ErrorKind.AUTHENTICATION, False, 401),
        ({"code": "Insufficient Balance"}, ErrorKind.AUTHENTICATION, False, 402),
        ({"type": "permission_error"}, ErrorKind.AUTHENTICATION, False, 403),
        ({"code": "model_not_found", "type": "invalid_request_error"}, ErrorKind.BAD_REQUEST, False, 404),
        ({"code": "unheard-of", "type": "invalid_request_error"}, ErrorKind.BAD_REQUEST, False, 400),
        ({"code": "context_length_exceeded"}, ErrorKind.CONTEXT_LENGTH, False, 400),
        ({"code": "content_filter"}, ErrorKind.CONTENT_FILTER, False, 400),
        ({"code": "server_error"}, ErrorKind.SERVER, True, 500),
        ({"type": "overloaded_error"}, ErrorKind.SERVER, True, 529),
        ({"code": "timeout"}, ErrorKind.TIMEOUT, True, 504),
        ("rate_limit_exceeded", ErrorKind.RATE_LIMIT, True, 429),
        ({"code": "unheard-of"}, ErrorKind.SERVER, True, 500),
        ({"code": True}, ErrorKind.SERVER, True, 500),
        ({"code": 200}, ErrorKind.SERVER, True, 500),
        ("out of memory", ErrorKind.SERVER, True, 500),
    ],
)  # fmt: skip
def test_an_error_with_http_200(error: Any, kind: ErrorKind, retryable: bool, status: int) -> None:
    found = failure(error)
    assert (found.kind, found.retryable, found.http_status) == (kind, retryable, status)
    assert found.message.startswith("HTTP 200 with an error inside; ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["code", "type", "status", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(json_values)
def test_any_error_is_one_status_or_none(error: Any) -> None:
    status = status_of_error(error)
    assert status is None or 400 <= status <= 599

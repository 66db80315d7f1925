"""The names that OpenAI-compatible providers give their errors → the HTTP status that goes with each. Pure.

Needed where an error comes with HTTP 200. The names are those of OpenAI's error codes, of Anthropic's error types
(DeepSeek, Groq and vLLM use some of either) and of Google's canonical codes (google.rpc.Code).
"""

from __future__ import annotations

from typing import Any

_NAMES = {
    400: "bad_request bad_request_error badrequesterror invalid_request_error invalid_argument failed_precondition "
    "context_length_exceeded exceed_context_size_error string_above_max_length context_window_exceeded "
    "content_filter content_policy_violation responsibleaipolicyviolation moderation_blocked",
    401: "invalid_api_key authentication_error authenticationerror invalid_authentication unauthenticated unauthorized",
    402: "billing_error insufficient_balance insufficient_credits payment_required",
    403: "permission_denied permission_error permission_denied_error permissiondeniederror forbidden",
    404: "model_not_found not_found not_found_error notfounderror",
    413: "request_too_large",
    429: "rate_limit_exceeded rate_limit_error rate_limit_reached ratelimiterror too_many_requests resource_exhausted "
    "insufficient_quota billing_hard_limit_reached billing_not_active",
    500: "server_error internal internal_error internal_server_error internalservererror api_error",
    503: "service_unavailable service_unavailable_error engine_overloaded server_overloaded unavailable "
    "unavailable_error",
    504: "timeout timeout_error deadline_exceeded gateway_timeout",
    529: "overloaded overloaded_error",
}
_STATUS = {name: status for status, names in _NAMES.items() for name in names.split()}


def status_of_error(error: Any) -> int | None:
    """The HTTP status that an ``error`` inside of an answer stands for: None when nothing in it is known.

    ``error`` is what JSON holds there. A number says it itself; of names the code counts before the type, which is
    often only the family: OpenAI's wrong key is an ``invalid_request_error`` with the code ``invalid_api_key``.
    """
    said = [error.get(key) for key in ("code", "type", "status")] if isinstance(error, dict) else [error]
    for value in said:
        if isinstance(value, str):
            value = int(value) if value.isascii() and value.isdecimal() and len(value) == 3 else _status_named(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
            return value
    return None


def _status_named(name: str) -> int | None:
    return _STATUS.get(name.strip().lower().replace("-", "_").replace(" ", "_"))

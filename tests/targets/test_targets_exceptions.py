"""Exceptions of client libraries that are not imported, told by what they look like."""

from __future__ import annotations

import asyncio
import socket
import ssl
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest

from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, TargetError
from sharpen.targets.exceptions import describe, failure_of
from sharpen.targets.http_errors import certificate_hint


def looks_like(name: str, *bases: type[Exception], **attributes: Any) -> Exception:
    """An exception as another library would raise it."""
    error = type(name, bases or (Exception,), {})("it broke")
    for key, value in attributes.items():
        setattr(error, key, value)
    return error


class _Rude(Exception):
    @property
    def response(self) -> Any:
        raise RuntimeError("httpx raises when there is no response")

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "status"),
    [
        (TimeoutError(), ErrorKind.TIMEOUT, True, None),
        (TimeoutError("read timed out"), ErrorKind.TIMEOUT, True, None),
        (looks_like("ReadTimeout", type("TimeoutException", (Exception,), {})), ErrorKind.TIMEOUT, True, None),
        (looks_like("APITimeoutError", type("APIConnectionError", (Exception,), {})), ErrorKind.TIMEOUT, True, None),
        (looks_like("ReadTimeout", type("Timeout", (OSError,), {})), ErrorKind.TIMEOUT, True, None),
        (looks_like("APIConnectionError"), ErrorKind.CONNECTION, True, None),
        (looks_like("ServerDisconnectedError", type("ClientConnectionError", (Exception,), {})),
         ErrorKind.CONNECTION, True, None),
        (ConnectionResetError(104, "reset"), ErrorKind.CONNECTION, True, None),
        (BrokenPipeError(), ErrorKind.CONNECTION, True, None),
        (OSError(113, "no route"), ErrorKind.CONNECTION, True, None),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), ErrorKind.CONNECTION, True, None),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), ErrorKind.CONNECTION, False, None),
        (looks_like("DNS", OSError, os_error=socket.gaierror(socket.EAI_NONAME, "x")),
         ErrorKind.CONNECTION, False, None),
        (ssl.SSLCertVerificationError(1, "self-signed"), ErrorKind.CONNECTION, False, None),
        (ssl.SSLError(1, "handshake"), ErrorKind.CONNECTION, True, None),
        (FileNotFoundError(2, "gone"), ErrorKind.SERVER, False, None),
        (PermissionError(13, "no"), ErrorKind.SERVER, False, None),
        (KeyError("x"), ErrorKind.SERVER, False, None),
        (_Rude(), ErrorKind.SERVER, False, None),
        (SystemExit(3), ErrorKind.SERVER, False, None),
        (asyncio.CancelledError(), ErrorKind.CANCELLED, False, None),
        (KeyboardInterrupt(), ErrorKind.CANCELLED, False, None),
        (looks_like("RateLimitError", status_code=429), ErrorKind.RATE_LIMIT, True, 429),
        (looks_like("RateLimitError", status_code=429, code="insufficient_quota"), ErrorKind.RATE_LIMIT, False, 429),
        (looks_like("BadRequestError", status_code=400, code="context_length_exceeded"),
         ErrorKind.CONTEXT_LENGTH, False, 400),
        (looks_like("AuthenticationError", http_status=401), ErrorKind.AUTHENTICATION, False, 401),
        (looks_like("HTTPStatusError", response=SimpleNamespace(status_code=503)), ErrorKind.SERVER, True, 503),
        (looks_like("ClientResponseError", status=404), ErrorKind.BAD_REQUEST, False, 404),
        (looks_like("GoogleAPICallError", code=504), ErrorKind.TIMEOUT, True, 504),
        (looks_like("ClientError", response={"ResponseMetadata": {"HTTPStatusCode": 403}}),
         ErrorKind.AUTHENTICATION, False, 403),
        (HTTPError("http://x", 500, "boom", None, None), ErrorKind.SERVER, True, 500),  # type: ignore[arg-type]
        (looks_like("OwnError", code=17, status="bad", status_code=True), ErrorKind.SERVER, False, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)  # fmt: skip
def test_kind(error: BaseException, kind: ErrorKind, retryable: bool, status: int | None) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.retryable, failure.http_status) == (kind, retryable, status)
    assert failure.message


def test_retry_after_of_a_response() -> None:
    error = looks_like("E", status_code=429, response=SimpleNamespace(status_code=429, headers={"Retry-After": "3"}))
    assert failure_of(error).retry_after_s == 3.0


def test_a_known_failure_is_returned_unchanged() -> None:
    failure = Failure(ErrorKind.CONTENT_FILTER, "no", cost=0.25)
    assert failure_of(TargetError(failure)) is failure


def test_a_bare_deadline_has_a_message() -> None:
    assert failure_of(TimeoutError()).message == "no answer before the deadline (execution.timeout_s)"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (18, "; if you trust it, name it (PEM) as ca_file beside base_url, or in SSL_CERT_FILE"),
        (62, "; is base_url right?"),
        (10, ""),
    ],
)
def test_what_to_do_about_a_certificate(code: int, hint: str) -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL] certificate verify failed (_ssl.c:1006)")
    error.verify_code, error.verify_message = code, "something."
    assert failure_of(error).message == "the server's certificate is not trusted: something"
    assert certificate_hint(error) == hint


def test_a_deadlines_message_stands_alone_and_keeps_a_librarys_name() -> None:
    assert failure_of(TimeoutError("no answer within 60 s")).message == "no answer within 60 s"
    assert failure_of(looks_like("ReadTimeout", TimeoutError)).message == "ReadTimeout: it broke"


def test_description_is_short_and_survives_anything() -> None:
    assert describe(ValueError("a\nb")) == "ValueError: a b"
    assert describe(_Rude()) == "_Rude"
    assert len(describe(ValueError("x" * 9999))) <= 300

"""Any exception → ``Failure``, without importing the client library it came from. Pure.

Clients differ, their exceptions look alike: a status somewhere, or a class name that says timeout or connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, TargetError
from sharpen.targets.failures import http_failure, shorten
from sharpen.targets.rate_headers import retry_after

_TIMEOUT_NAMES = frozenset({"Timeout", "TimeoutException", "APITimeoutError", "DeadlineExceeded"})
_CONNECTION_NAMES = frozenset(
    {
        "APIConnectionError",
        "TransportError",
        "NetworkError",
        "ConnectError",
        "ClientConnectionError",
        "ClientPayloadError",
    }
)
_NO_ANSWER = "no answer before the deadline (execution.timeout_s)"
_FILE_ERRORS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


def failure_of(exception: BaseException) -> Failure:
    """Classify by what the exception is, carries or is called. Total: never raises.

    An exception nothing is known about is a ``server`` failure that is not worth retrying: a bug of the code behind
    the target answers the same way every time.
    """
    if isinstance(exception, TargetError):
        return exception.failure
    said = describe(exception)
    if isinstance(exception, asyncio.CancelledError | KeyboardInterrupt):
        return Failure(ErrorKind.CANCELLED, "the call was cancelled")
    if isinstance(exception, ssl.SSLCertVerificationError):
        why = exception.verify_message.rstrip(".") if hasattr(exception, "verify_message") else said
        return Failure(ErrorKind.CONNECTION, f"the server's certificate is not trusted: {why}")
    if (status := _status(exception)) is not None:
        codes = [_attribute(exception, name) for name in ("code", "type")]  # as the openai package names them
        return http_failure(
            status,
            said,
            retry_after_s=retry_after(_headers(exception), status),
            codes=[code for code in codes if isinstance(code, str)],
        )
    names = {cls.__name__ for cls in type(exception).__mro__}
    if isinstance(exception, TimeoutError) or names & _TIMEOUT_NAMES:
        empty = said == type(exception).__name__  # asyncio's own deadline has no message
        if type(exception) is TimeoutError:
            said = said.removeprefix("TimeoutError: ")  # the kind says it already; a library's own name may say more
        return Failure(ErrorKind.TIMEOUT, _NO_ANSWER if empty else said, retryable=True)
    if names & _CONNECTION_NAMES or (isinstance(exception, OSError) and not isinstance(exception, _FILE_ERRORS)):
        return Failure(ErrorKind.CONNECTION, said, retryable=not _names_no_host(exception))
    if isinstance(exception, SystemExit):
        return Failure(ErrorKind.SERVER, f"the code under test called sys.exit({exception.code!r})")
    return Failure(ErrorKind.SERVER, said)


def describe(exception: BaseException) -> str:
    """``TypeName: message`` on one short line; survives an exception whose ``__str__`` raises."""
    try:
        text = str(exception)
    except Exception:  # noqa: BLE001 - a user's exception class may do anything
        text = ""
    name = type(exception).__name__
    return shorten(f"{name}: {text}" if text else name)


def _names_no_host(exception: BaseException) -> bool:
    cause = getattr(exception, "os_error", exception)  # aiohttp keeps the resolver's error there
    return isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN


def _status(exception: BaseException) -> int | None:
    """The HTTP status an exception carries: openai, litellm, httpx, requests, aiohttp, google and botocore alike."""
    response = _attribute(exception, "response")
    candidates = [_attribute(exception, name) for name in ("status_code", "http_status", "status", "code")]
    candidates.append(_attribute(response, "status_code"))
    if isinstance(response, Mapping) and isinstance(meta := response.get("ResponseMetadata"), Mapping):
        candidates.append(meta.get("HTTPStatusCode"))
    for value in candidates:
        if isinstance(value, int) and not isinstance(value, bool) and 300 <= value <= 599:
            return int(value)
    return None


def _headers(exception: BaseException) -> Mapping[str, str]:
    for owner in (_attribute(exception, "response"), exception):
        headers = _attribute(owner, "headers")
        if isinstance(headers, Mapping):
            return {str(name).lower(): str(value) for name, value in headers.items()}
    return {}


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property of a foreign class may do anything (httpx raises RuntimeError)
        return None

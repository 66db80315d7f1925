"""What can go wrong between a request and the last byte of its answer, whatever client was used."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from sharpen.targets.failures import shorten


class TransportError(ConnectionError):
    """What they have in common: a message that users understand."""


class NoConnectionError(TransportError):
    """No connection came about. ``os_error`` is why."""

    def __init__(self, host: str | None, port: int | None, os_error: OSError) -> None:
        self.os_error = os_error
        super().__init__(f"{host}:{port}: {_reason(os_error)}")


class NoAnswerError(TransportError):
    """The connection ended before the first byte of an answer."""


class TruncatedError(TransportError):
    """The connection ended within an answer."""


class NotHttpError(TransportError):
    """What came back is no HTTP."""


def _reason(cause: OSError) -> str:
    """What the system said, without a client library's words around it, and what to look at."""
    if isinstance(cause, ssl.SSLError):
        return f"no TLS connection ({cause.reason or shorten(str(cause))}); is https:// in base_url right?"
    known = not isinstance(cause, socket.gaierror) and cause.errno in errno.errorcode
    said = os.strerror(cause.errno) if known and cause.errno else cause.strerror or shorten(str(cause))
    return f"{said}; is the server running, and base_url right?"

"""What can go wrong between a request and the last byte of its answer, whatever client was used."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from sharpen.targets.failures import shorten

# OpenSSL's X509_V_ERR_… (x509_vfy.h)
_SELF_SIGNED = 18
_UNKNOWN_AUTHORITY = frozenset({2, _SELF_SIGNED, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})  # of a host, of an address


class TransportError(ConnectionError):
    """What they have in common: a message that users understand. ``reached``: there was a connection."""

    reached = True


class NoConnectionError(TransportError):
    """No connection came about. ``os_error`` is why."""

    reached = False

    def __init__(self, host: str | None, port: int | None, os_error: OSError) -> None:
        self.os_error = os_error
        super().__init__(f"{host}:{port}: {_reason(os_error)}")


class NoAnswerError(TransportError):
    """The connection ended before the first byte of an answer."""


class TruncatedError(TransportError):
    """The connection ended within an answer."""


class NotHttpError(TransportError):
    """What came back is no HTTP."""


def certificate_hint(error: ssl.SSLCertVerificationError) -> str:
    """What to do about a certificate that is not trusted; "" where nothing on this side helps (it has expired)."""
    code = getattr(error, "verify_code", None)
    if code in _UNKNOWN_AUTHORITY:
        what = "it" if code == _SELF_SIGNED else "the certificate of its authority"
        return f"; if you trust it, name {what} (PEM) as ca_file beside base_url, or in SSL_CERT_FILE"
    return "; is base_url right?" if code in _OTHER_NAME else ""


def _reason(cause: OSError) -> str:
    """What the system said, without a client library's words around it, and what to look at."""
    if isinstance(cause, ssl.SSLError):
        return f"no TLS connection ({cause.reason or shorten(str(cause))}); is https:// in base_url right?"
    known = not isinstance(cause, socket.gaierror) and cause.errno in errno.errorcode
    said = os.strerror(cause.errno) if known and cause.errno else cause.strerror or shorten(str(cause))
    return f"{said}; is the server running, and base_url right?"

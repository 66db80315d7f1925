"""Whom a target trusts: the system's certificate authorities, or those in a file of the plan's. Never anybody.

There is no switch that turns verification off. A server with a certificate of its own is trusted by naming that
certificate; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the system's authorities for the whole process (OpenSSL).
"""

from __future__ import annotations

import ssl
from pathlib import Path

from sharpen.errors import PlanError, Problem


def trusting(ca_file: Path) -> ssl.SSLContext:
    """A TLS context that trusts the authorities in ``ca_file`` and nobody else. Raises ``PlanError``."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:  # an SSLError is an OSError without a sensible strerror
        reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise PlanError(
            Problem(f"{str(ca_file)!r}: {reason}", key="target.ca_file", expected="certificates in PEM form")
        ) from None

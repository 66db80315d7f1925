"""Certificates of every sort, made for one test: good ones, and those that must not be trusted."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

HOST = "127.0.0.1"


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def write(self, path: Path) -> Path:
        """Its certificate as a PEM file: what a plan names as ``ca_file``."""
        self._ca.cert_pem.write_to_path(str(path))
        return path

    def serving(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A server's side with a certificate for ``names`` (left out: 127.0.0.1)."""
        until = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        issued = self._ca.issue_cert(*(names or (HOST,)), not_before=until - timedelta(days=30), not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        return context

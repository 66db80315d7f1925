"""One address, many POSTs: directly on connections of our own, or through the environment's proxy.

Redirects are not followed and certificates are always verified: there is no switch for either.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from sharpen.targets.http_connection import Answer
from sharpen.targets.http_pool import HttpPool, resolve
from sharpen.targets.local_only import is_loopback, resolve_here
from sharpen.targets.trust import trusting


class HttpClient(Protocol):
    """Connections to one address. Whatever client is behind it raises what ``http_errors`` names."""

    async def post(self, body: bytes, limit: int, error_limit: int) -> Answer:
        """Send ``body``; of the answer's body at most ``limit`` + 1 bytes are read (``error_limit`` + 1 unless its
        status is 2xx), counted after decompression. Cancelling it ends the connection.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""


async def open_client(
    url: URL, headers: Mapping[str, str], ca_file: Path | None = None, alone: bool = False
) -> HttpClient:
    """A client of ``url`` for the event loop that runs.

    ``headers`` go with every request. ``ca_file`` (PEM) replaces the system's certificate authorities; ``alone``
    resolves names to this machine alone and uses no proxy. Raises ``PlanError`` for a ``ca_file`` that holds none, and
    ``ValueError`` for a header that is none.
    """
    tls = await asyncio.to_thread(_tls, ca_file) if url.scheme == "https" else None  # reading authorities takes a while
    proxy = None if alone else proxy_for(url)
    if proxy is not None:
        from sharpen.targets.http_proxied import ProxiedClient

        return ProxiedClient(url, headers, tls, proxy)
    return HttpPool(url, headers, tls, resolve_here if alone else resolve)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    return trusting(ca_file) if ca_file else ssl.create_default_context()


def proxy_for(url: URL) -> str | None:
    """The environment's proxy for ``url`` (HTTP_PROXY, HTTPS_PROXY, NO_PROXY); never for this machine."""
    if url.host is None or is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")

"""One address, many POSTs, on aiohttp: connections, proxies, trust, and bodies of bounded size.

Redirects are not followed and certificates are always verified: there is no switch for either.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from sharpen.targets.local_only import is_loopback
from sharpen.targets.trust import trusting

CONNECT_TIMEOUT_S = 30.0


class HttpClient:
    """A pool of connections to ``url``. Make it inside the event loop that uses it, and close it there.

    ``headers`` go with every request. ``ca_file`` (PEM) replaces the system's certificate authorities; ``local_only``
    resolves names to this machine alone and uses no proxy. Raises ``PlanError`` for a ``ca_file`` that holds none.
    """

    def __init__(
        self, url: URL, headers: dict[str, str], ca_file: Path | None = None, local_only: bool = False
    ) -> None:
        self._url = url
        self.session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(
                limit=0,  # the executor limits concurrency
                ttl_dns_cache=300,
                resolver=ThisMachine() if local_only else None,
                ssl=trusting(ca_file) if ca_file else True,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),  # the executor sets the deadline
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=None if local_only else proxy_for(url),
        )

    async def post(self, body: bytes) -> aiohttp.ClientResponse:
        """Send ``body``; status and headers are there, the body waits for ``read``. Raises what aiohttp raises."""
        return await self.session.post(self._url, data=body, allow_redirects=False)

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()


async def read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, as far as the first chunk that passes ``limit`` (bytes after decompression).

    Afterwards the connection is free for the next request when the body was read to its end, and closed otherwise:
    what is left unread would come before the next answer.
    """
    content = response.content
    try:
        body = await content.readany()
        if not content.at_eof() and len(body) <= limit:
            chunks, size = [body], len(body)
            while size <= limit and (chunk := await content.readany()):
                chunks.append(chunk)
                size += len(chunk)
            body = b"".join(chunks)
        return body
    finally:
        if not response.closed:
            response.close()


def proxy_for(url: URL) -> str | None:
    """The environment's proxy for ``url`` (HTTP_PROXY, HTTPS_PROXY, NO_PROXY); never for this machine.

    aiohttp's own ``trust_env`` would read ``.netrc`` as well and send credentials from there.
    """
    if url.host is None or is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def unreachable(error: aiohttp.ClientConnectorError) -> str:
    """What the system said, without the client library's words around it, and what to look at."""
    cause = error.os_error
    if isinstance(cause, ssl.SSLError):
        reason = f"no TLS connection ({cause.reason or cause}); is https:// in base_url right?"
    else:
        known = not isinstance(cause, socket.gaierror) and cause.errno in errno.errorcode
        said = os.strerror(cause.errno) if known and cause.errno else cause.strerror or str(cause)
        reason = f"{said}; is the server running, and base_url right?"
    return f"{error.host}:{error.port}: {reason}"


class ThisMachine(AbstractResolver):
    """Every name is this machine's. Nobody is asked, so no answer can lead elsewhere (DNS rebinding)."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The loopback addresses. Raises ``gaierror`` for a name that is not this machine's."""
        if not is_loopback(host):
            message = f"local-only mode looks up no name, and {host!r} is not this machine"
            raise socket.gaierror(socket.EAI_NONAME, message)
        known = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=own, proto=0, flags=socket.AI_NUMERICHOST)
            for address, own in known
            if family in (own, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """Nothing is held."""

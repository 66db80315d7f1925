"""POSTs through a proxy, on aiohttp: tunnels, and credentials for proxies, are better left to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from yarl import URL

from sharpen.targets.failures import shorten
from sharpen.targets.http_connection import Answer
from sharpen.targets.http_errors import NoAnswerError, NoConnectionError, NotHttpError, TruncatedError
from sharpen.targets.http_pool import CONNECT_TIMEOUT_S


class ProxiedClient:
    """See ``http_client.HttpClient``. aiohttp's ``trust_env`` would read ``.netrc`` and send what it finds there."""

    def __init__(self, url: URL, headers: Mapping[str, str], tls: ssl.SSLContext | None, proxy: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, ssl=tls or True),  # the executor limits calls
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),  # and sets the deadline
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
        )

    async def post(self, body: bytes, limit: int, error_limit: int) -> Answer:
        """See ``HttpClient.post``."""
        with _translated():
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                most = limit if 200 <= response.status < 300 else error_limit
                chunks, size = [], 0
                while size <= most and (chunk := await response.content.readany()):
                    chunks.append(chunk)
                    size += len(chunk)
                if size > most:
                    response.close()  # what is left unread would come before the next answer
                return Answer(response.status, response.headers, b"".join(chunks)[: most + 1])

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        await asyncio.sleep(0)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise error.certificate_error from error
    except aiohttp.ClientConnectorError as error:
        raise NoConnectionError(error.host, error.port, error.os_error) from error
    except aiohttp.ServerDisconnectedError as error:
        raise NoAnswerError("the server closed the connection without an answer") from error
    except aiohttp.ClientHttpProxyError:
        raise  # its status is the proxy's own
    except aiohttp.ClientResponseError as error:
        raise NotHttpError(shorten(error.message)) from error
    except aiohttp.ClientPayloadError as error:
        raise TruncatedError(f"the connection ended within the answer: {shorten(str(error))}") from error

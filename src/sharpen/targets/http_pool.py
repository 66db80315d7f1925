"""Connections to one address, kept while they are of use."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohappyeyeballs import start_connection
from yarl import URL

from sharpen.targets.http_connection import Answer, HttpConnection
from sharpen.targets.http_errors import NoAnswerError, NoConnectionError

CONNECT_TIMEOUT_S = 30.0
KEPT_FREE_S = 4.0
"""So long a connection is kept without use: many servers close theirs after 5 s, and a request that meets the closing
fails although it may have been read."""
CLOSINGS = 2
"""So many requests lost on connections that had answered one, and none answered there, show a server that keeps no
connection and does not say so: from then on every request gets a new one."""
ADDRESSES_KEPT_S = 60.0
EYEBALLS_DELAY_S = 0.25  # RFC 8305, section 5
CLOSING_S = 1.0

AddressInfo = tuple[Any, ...]
Resolve = Callable[[str, int], Awaitable[list[AddressInfo]]]


async def resolve(host: str, port: int) -> list[AddressInfo]:
    """The addresses of a host, as ``getaddrinfo`` gives them. Raises ``gaierror``."""
    loop = asyncio.get_running_loop()
    return list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))


class HttpPool:
    """POSTs to ``url``. Make it inside the event loop that uses it, and close it there.

    ``headers`` go with every request. ``tls`` is needed for https. Raises ``ValueError`` for a header that is none.
    """

    def __init__(
        self, url: URL, headers: Mapping[str, str], tls: ssl.SSLContext | None = None, resolve: Resolve = resolve
    ) -> None:
        self._host = url.raw_host or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = tls if url.scheme == "https" else None
        self._resolve = resolve
        self._head = _head(url, headers)
        self._free: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()
        self._lost_on_kept = 0  # -1: the server has answered on a connection that was kept
        self._none_open = asyncio.Event()
        self._addresses: list[AddressInfo] = []
        self._addresses_until = 0.0
        self._resolving = asyncio.Lock()

    async def post(self, body: bytes, limit: int, error_limit: int) -> Answer:
        """Send ``body`` and return the answer: see ``HttpConnection.send``. When this is cancelled, so is the request.

        Raises ``NoConnectionError``, ``SSLCertVerificationError``, other ``ConnectionError``s, ``TimeoutError``.
        """
        kept = self._take()
        connection = kept or await self._connect()
        try:
            answer = await connection.send(self._head, body, limit, error_limit)
        except BaseException as error:
            connection.abort()
            if kept and isinstance(error, NoAnswerError):
                self._lost_on_kept += self._lost_on_kept >= 0
                self._close_free()  # what took this connection away has probably taken those as well
            raise
        if kept:
            self._lost_on_kept = -1
        if self._lost_on_kept >= CLOSINGS:
            connection.close()
        elif connection.usable:
            connection.free_since = time.monotonic()
            self._free.append(connection)
        return answer

    async def close(self) -> None:
        """Close every connection and wait for that."""
        self._free.clear()
        if not self._open:
            return
        self._none_open.clear()
        for connection in tuple(self._open):
            connection.close() if connection.usable else connection.abort()
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._none_open.wait()
        except TimeoutError:  # the other side keeps silent
            for connection in tuple(self._open):
                connection.abort()
            await asyncio.sleep(0)

    def _close_free(self) -> None:
        for connection in self._free:
            connection.close()
        self._free.clear()

    def _take(self) -> HttpConnection | None:
        while self._free:
            connection = self._free.pop()  # the one used last: the others may grow old
            if connection.usable:
                if self._lost_on_kept < CLOSINGS and time.monotonic() - connection.free_since < KEPT_FREE_S:
                    return connection
                connection.close()
        return None

    async def _connect(self) -> HttpConnection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await self._connected()
        except TimeoutError as error:
            raise TimeoutError(f"no connection to {self._host}:{self._port} within {CONNECT_TIMEOUT_S:g} s") from error
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            self._addresses_until = 0.0  # who moved, or woke in another network, has other ones
            raise NoConnectionError(self._host, self._port, error) from error

    async def _connected(self) -> HttpConnection:
        loop = asyncio.get_running_loop()
        plug = await start_connection(
            await self._look_up(), happy_eyeballs_delay=EYEBALLS_DELAY_S, interleave=1, loop=loop
        )
        try:
            _, connection = await loop.create_connection(
                lambda: HttpConnection(self._forget),
                sock=plug,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
            )
        except BaseException:
            plug.close()
            raise
        if connection.usable:  # else it has ended already, and nobody will tell again
            self._open.add(connection)
        return connection

    async def _look_up(self) -> list[AddressInfo]:
        async with self._resolving:  # one question for all that wait
            if time.monotonic() >= self._addresses_until:
                self._addresses = await self._resolve(self._host, self._port)
                self._addresses_until = time.monotonic() + ADDRESSES_KEPT_S
            return self._addresses

    def _forget(self, connection: HttpConnection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()


def _head(url: URL, headers: Mapping[str, str]) -> bytes:
    """Everything of a request before its length and its body."""
    lines = {"Host": url.host_port_subcomponent or "", **headers}
    for name, value in lines.items():
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"the value of the header {name} holds a line break")
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {url.raw_path_qs} HTTP/1.1\r\n{fields}".encode("latin-1")

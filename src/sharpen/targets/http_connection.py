"""One HTTP/1.1 connection: a request goes out, its answer comes back, parsed by llhttp (httptools).

A request costs about a tenth of what it costs through a general client, because nothing is built for it that it does
not need. What is strict here stays strict: one request at a time, bodies of bounded size, and a connection on which
anything unexpected happened is not used again.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import httptools

from sharpen.targets.failures import shorten
from sharpen.targets.http_errors import NoAnswerError, NotHttpError, TruncatedError

MAX_HEAD_BYTES = 64 * 2**10
"""Of all headers of an answer together."""
_TOO_MUCH = f"the answer's headers are larger than {MAX_HEAD_BYTES // 2**10} KiB"
_GZIP_OR_ZLIB = 47  # zlib's window bits that recognise either format


class Headers(Mapping[str, str]):
    """An answer's headers, looked up without regard to case; of several with one name the first counts."""

    __slots__ = ("_found", "_raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._found: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._found is None:  # most answers' headers are never looked at
            self._found = {}
            for name, value in self._raw:
                self._found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())
        return self._found

    def __getitem__(self, name: str) -> str:
        return self._read()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class Answer:
    """Status, headers and body. A ``body`` longer than the limit was cut off behind it."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class HttpConnection(asyncio.Protocol):
    """``lost`` is told when the connection has ended, whoever ended it."""

    def __init__(self, lost: Callable[[HttpConnection], None]) -> None:
        self._lost = lost
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._unasked = False
        self._transport: asyncio.Transport | None = None
        self.free_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def usable(self) -> bool:
        """A request may be sent."""
        return self._transport is not None and self._waiter is None and not self._transport.is_closing()

    def send(self, head: bytes, body: bytes, limit: int, error_limit: int) -> asyncio.Future[Answer]:
        """Send a request; the future is its answer, with at most ``limit`` + 1 bytes of body (``error_limit`` + 1
        unless its status is 2xx). Raises ``ConnectionError``s of this package's and the system's.
        """
        if self._transport is None:
            raise NoAnswerError("the server closed the connection without an answer")
        self._waiter = asyncio.get_running_loop().create_future()
        self._limits = limit, error_limit
        self._begin()
        self._any_byte = False
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        return self._waiter

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection in good manners."""
        if self._transport is not None:
            self._transport.close()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0  # since the request, or the last piece of body
        self._chunks: list[bytes] = []
        self._size = 0
        self._limit = 0
        self._framed = False  # the head says where the body ends
        self._in_body = False
        self._inflate: zlib._Decompress | None = None
        self._flaw: Exception | None = None
        self._enough = False

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # nobody asked
            self.abort()
            return
        self._any_byte = True
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(self._flaw or NotHttpError(f"{shorten(str(error))} in {shorten(repr(data[:60]))}"))
            return
        except httptools.HttpParserUpgrade:
            self._fail(NotHttpError("the server wants to speak another protocol"))
            return
        if self._head_bytes > MAX_HEAD_BYTES and self._waiter is not None:
            self._flaw = self._flaw or NotHttpError(_TOO_MUCH)
        if self._flaw:
            self._fail(self._flaw)
        elif self._unasked:
            self.abort()
        elif self._enough:
            self._answer()
            self.abort()

    def on_message_begin(self) -> None:
        if self._waiter is None:  # behind the answer, something that nobody asked for
            self._unasked = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        if len(name) in (14, 17, 16):
            lower = name.lower()
            if lower == b"content-length" or lower == b"transfer-encoding":
                self._framed = True
            elif lower == b"content-encoding" and value.strip().lower() in (b"gzip", b"x-gzip", b"deflate"):
                self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    def on_headers_complete(self) -> None:
        self._in_body = True
        if sum(len(name) + len(value) for name, value in self._headers) > MAX_HEAD_BYTES:
            self._flaw = NotHttpError(_TOO_MUCH)
        self._limit = self._limits[0 if 200 <= self._parser.get_status_code() < 300 else 1]

    def on_body(self, chunk: bytes) -> None:
        self._head_bytes = 0  # fields may follow the body, too (RFC 9112, section 7.1.2)
        if self._enough or self._flaw:
            return
        if self._inflate is not None:
            try:
                chunk = self._inflate.decompress(chunk, self._limit + 1 - self._size)
            except zlib.error as error:
                self._flaw = TruncatedError(f"the answer cannot be decompressed: {error}")
                return
        self._size += len(chunk)
        if self._size > self._limit:
            self._enough = True
            chunk = chunk[: len(chunk) - (self._size - self._limit - 1)]
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
            self._begin()
        elif self._flaw is None and not self._enough and self._waiter is not None:
            keep = self._parser.should_keep_alive()
            self._answer()
            if not keep:
                self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._waiter is not None:
            if error is None and self._in_body and not self._framed:  # such a body ends with its connection
                self._answer()
            elif self._any_byte:
                self._fail(TruncatedError(f"the connection ended within the answer{_because(error)}"))
            else:
                self._fail(NoAnswerError(f"the server closed the connection without an answer{_because(error)}"))
        self._lost(self)

    def _answer(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            waiter.set_result(Answer(self._parser.get_status_code(), Headers(self._headers), body))

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.abort()


def _because(error: Exception | None) -> str:
    return f": {shorten(str(error))}" if error else ""

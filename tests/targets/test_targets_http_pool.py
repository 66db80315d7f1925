"""The HTTP client on real sockets: what is right in HTTP, and what servers do instead."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from sharpen.targets.http_connection import Answer, HttpConnection
from sharpen.targets.http_errors import NoAnswerError, NoConnectionError, NotHttpError, TruncatedError
from sharpen.targets.http_pool import HttpPool, resolve

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each request on a connection with the next of ``answers``; the last one again and again."""

    def __init__(self, *answers: bytes | Behaviour) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | Behaviour) -> AsyncIterator[tuple[Server, HttpPool]]:
    behaviour = Server(*answers)
    server = await asyncio.start_server(behaviour.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = HttpPool(URL(f"http://127.0.0.1:{port}/v1/chat?a=b%20c"), {"X-Test": "yes"})
    try:
        yield behaviour, pool
    finally:
        await pool.close()
        server.close()


async def post(pool: HttpPool, body: bytes = b"{}", limit: int = 1000) -> Answer:
    return await pool.post(body, limit, 50)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"


async def test_a_request_is_sent_as_it_should_be_and_its_connection_used_again() -> None:
    async with serving(OK) as (server, pool):
        first, second = await post(pool, b"one"), await post(pool, b"two")
    assert (first.status, first.body, first.headers["content-TYPE"]) == (200, b"hi", "text/plain")
    assert second.body == b"hi"
    assert server.connections == 1
    port = server.requests[0].split(b"127.0.0.1:")[1].split(b"\r\n")[0]
    assert server.requests[0] == (
        b"POST /v1/chat?a=b%20c HTTP/1.1\r\nHost: 127.0.0.1:"
        + port
        + b"\r\nX-Test: yes\r\nContent-Length: 3\r\n\r\none"
    )


async def test_calls_side_by_side_have_connections_of_their_own() -> None:
    async with serving(OK) as (server, pool):
        answers = await asyncio.gather(*(post(pool) for _ in range(20)))
        again = await asyncio.gather(*(post(pool) for _ in range(20)))
    assert [answer.body for answer in answers + again] == [b"hi"] * 40
    assert server.connections == 20


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)  # fmt: skip
async def test_every_way_to_frame_a_body(answer: bytes, body: bytes) -> None:
    async with serving(answer) as (server, pool):
        assert (await post(pool)).body == body
        assert (await post(pool)).body == body
    assert server.connections == 1


@pytest.mark.parametrize("packed", [gzip.compress(b"packed" * 9), zlib.compress(b"packed" * 9)])
async def test_compressed_bodies(packed: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with serving(head + packed) as (_, pool):
        assert (await post(pool)).body == b"packed" * 9


async def test_a_body_that_ends_with_its_connection() -> None:
    async def until_eof(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of ")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"it")
        writer.close()

    async with serving(until_eof) as (server, pool):
        assert [(await post(pool)).body for _ in range(2)] == [b"all of it"] * 2
    assert server.connections == 2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
async def test_a_connection_that_is_not_kept(head: bytes) -> None:
    async with serving(head + b"Content-Length: 2\r\n\r\nhi") as (server, pool):
        assert [(await post(pool)).body for _ in range(2)] == [b"hi", b"hi"]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", NotHttpError),
        (b"\x16\x03\x01\x00", NotHttpError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n", NotHttpError),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", NotHttpError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone", TruncatedError),
    ],
)
async def test_what_is_no_http(answer: bytes, error: type[Exception]) -> None:
    async with serving(answer) as (_, pool):
        with pytest.raises(error):
            await post(pool)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", NoAnswerError),
        (b"HTTP/1.1 20", TruncatedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", TruncatedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", TruncatedError),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_ends_too_early(sent: bytes, error: type[Exception], reset: bool) -> None:
    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort() if reset else writer.close()

    async with serving(end, OK) as (_, pool):
        with pytest.raises(error):
            await post(pool)
        assert (await post(pool)).body == b"hi"


@pytest.mark.parametrize(("status", "kept"), [(b"200", 1001), (b"500", 51)])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_beyond_its_limit_is_cut_off_and_its_connection_ended(
    status: bytes, kept: int, packed: bool
) -> None:
    body = gzip.compress(b"x" * 10_000_000) if packed else b"x" * 100_000
    encoding = b"Content-Encoding: gzip\r\n" if packed else b""
    head = b"HTTP/1.1 %b X\r\n%bContent-Length: %d\r\n\r\n" % (status, encoding, len(body))
    async with serving(head + body, OK) as (server, pool):
        answer = await post(pool)
        assert len(answer.body) == kept
        assert (await post(pool)).body == b"hi"
    assert server.connections == 2


async def test_a_cancelled_request_takes_its_connection_along() -> None:
    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(OK.replace(b"hi", b"no"))

    async with serving(late, OK) as (server, pool):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await post(pool)
        assert (await post(pool)).body == b"hi"
    assert server.connections == 2


async def test_bytes_nobody_asked_for_end_the_connection() -> None:
    async with serving(OK + OK.replace(b"hi", b"no"), OK) as (server, pool):
        assert (await post(pool)).body == b"hi"
        await asyncio.sleep(0.02)
        assert (await post(pool)).body == b"hi"
    assert server.connections == 2


async def test_a_connection_the_server_has_closed_meanwhile_is_not_used() -> None:
    async def and_close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with serving(and_close, OK) as (server, pool):
        assert (await post(pool)).body == b"hi"
        await asyncio.sleep(0.02)
        assert (await post(pool)).body == b"hi"
    assert server.connections == 2


async def reset_soon(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()
    await asyncio.sleep(0.01)  # the next request is on its way by then
    writer.transport.abort()


async def lost(pool: HttpPool, requests: int) -> int:
    """How many of so many requests, one after the other, were lost."""
    count = 0
    for _ in range(requests):
        try:
            assert (await post(pool)).body == b"hi"
        except NoAnswerError:
            count += 1
    return count


async def test_a_server_that_closes_every_connection_without_notice_soon_loses_no_more_requests() -> None:
    async with serving(reset_soon) as (server, pool):
        assert await lost(pool, 10) == 2
        assert server.connections == 8


async def test_a_server_that_has_kept_a_connection_is_trusted_to_keep_others() -> None:
    async with serving(OK, OK, *[reset_soon] * 8, OK) as (server, pool):
        assert await lost(pool, 20) == 4
        assert server.connections == 5


async def test_a_connection_lost_after_it_was_kept_takes_the_free_ones_along() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(OK, OK, OK, reset, OK) as (server, pool):
        await asyncio.gather(post(pool), post(pool), post(pool))
        assert await lost(pool, 1) == 1
        assert (await post(pool)).body == b"hi"
        assert server.connections == 4
        assert len(pool._open) == 1


async def test_a_new_connection_that_is_lost_tells_nothing_of_those_that_are_free() -> None:
    async def reset_late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.transport.abort()

    async with serving(OK, reset_late, OK) as (server, pool):
        ended = await asyncio.gather(post(pool), post(pool), return_exceptions=True)
        assert {type(end) for end in ended} == {Answer, NoAnswerError}
        assert (await post(pool)).body == b"hi"
        assert server.connections == 2


async def test_a_connection_free_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.targets.http_pool.KEPT_FREE_S", 0.01)
    async with serving(OK) as (server, pool):
        await post(pool)
        await asyncio.sleep(0.02)
        await post(pool)
    assert server.connections == 2


async def test_no_connection() -> None:
    pool = HttpPool(URL("http://127.0.0.1:9"), {})
    with pytest.raises(NoConnectionError, match=r"^127\.0\.0\.1:9: Connection refused; is the server running"):
        await post(pool)
    await pool.close()


async def test_addresses_nobody_answers_at_are_looked_up_again() -> None:
    questions = 0

    async def moved(host: str, port: int) -> list[tuple[Any, ...]]:
        nonlocal questions
        questions += 1
        return await resolve("127.0.0.1", server.port if questions > 1 else gone)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = free.getsockname()[1]
    async with serving(OK) as (server, used):
        server.port = used._port
        pool = HttpPool(URL("http://api.test/v1"), {}, resolve=moved)
        with pytest.raises(NoConnectionError):
            await post(pool)
        assert (await post(pool)).body == b"hi"
        assert (await post(pool)).body == b"hi"
        await pool.close()
    assert questions == 2


@pytest.mark.parametrize("line", [b"X-%d: " + b"y" * 500 + b"\r\n", b"z" * 500])
async def test_fields_behind_the_body_are_bounded_as_those_before_it(line: bytes) -> None:
    """Trailers without end, or one of them: memory is not theirs to fill until the deadline."""
    sent = 0

    async def trailers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED + b"2\r\nhi\r\n0\r\nA: ")
        for number in range(40_000):
            data = line % number if b"%" in line else line
            writer.write(data)
            sent += len(data)
            await writer.drain()

    async with serving(trailers) as (_, pool), asyncio.timeout(10):
        with pytest.raises(NotHttpError, match="larger than 64 KiB"):
            await post(pool)
    assert sent < 15_000_000


async def test_large_bodies_in_small_chunks_are_no_large_headers() -> None:
    body = b"".join(b"1\r\nx\r\n" for _ in range(100_000))
    async with serving(CHUNKED + body + b"0\r\n\r\n") as (_, pool):
        assert (await post(pool, limit=200_000)).body == b"x" * 100_000


async def test_a_connection_that_ended_before_its_first_request_says_so() -> None:
    connection = HttpConnection(lambda _: None)
    with pytest.raises(NoAnswerError):
        await connection.send(b"", b"", 1, 1)


def test_a_header_that_would_smuggle_another_is_refused() -> None:
    async def make() -> None:
        HttpPool(URL("http://x"), {"Authorization": "Bearer a\r\nX: y"})

    with pytest.raises(ValueError, match=r"^the value of the header Authorization holds a line break$"):
        asyncio.run(make())

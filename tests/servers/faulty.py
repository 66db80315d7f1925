"""A real HTTP server on 127.0.0.1 that speaks OpenAI's API, misbehaves as told, and records what it was asked.

It runs in a thread of its own, so that async tests, plain tests and the command line can all call it::

    def test_x(openai_server):
        openai_server.script(status(503), hang(), chat("billing"))   # one for each request, the last one for all others
        ... call openai_server.base_url ...
        assert openai_server.requests[0].json["model"] == "m"
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """The prompt of either API as one text."""
        body = self.json
        return body["prompt"] if "prompt" in body else "\n\n".join(m["content"] for m in body["messages"])


@dataclass
class Reply:
    """Sent as it is; ``Content-Length`` unless a header says otherwise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


Wire = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]
"""Writes what it likes; returns whether the connection lives on."""
Behaviour = Reply | Wire | Callable[[Received], Reply]


def chat(text: Any, finish_reason: str = "stop", usage: Any = (7, 3), model: str = "m-1", **message: Any) -> Reply:
    """A chat completion. ``usage``: (prompt, completion), None to leave it out, or any JSON."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    return _completion(choice, usage, model)


def raw(text: Any, finish_reason: str = "stop", usage: Any = (7, 3), model: str = "m-1") -> Reply:
    """A raw completion."""
    return _completion({"index": 0, "text": text, "finish_reason": finish_reason}, usage, model)


def _completion(choice: Any, usage: Any, model: str) -> Reply:
    body: dict[str, Any] = {"id": "x", "object": "completion", "model": model, "choices": [choice]}
    if isinstance(usage, tuple):
        usage = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    if usage is not None:
        body["usage"] = usage
    return Reply(200, json.dumps(body).encode())


def status(code: int, message: str = "no", error_code: Any = None, kind: str | None = None, **headers: str) -> Reply:
    """An error in OpenAI's form; header names with ``_`` for ``-``."""
    body = json.dumps({"error": {"message": message, "type": kind, "code": error_code}}).encode()
    return Reply(code, body, {name.replace("_", "-"): value for name, value in headers.items()})


def answering(function: Callable[[str], str]) -> Callable[[Received], Reply]:
    """Answer each prompt by a function of its text, in the form of the API that was called."""

    def behave(received: Received) -> Reply:
        make = chat if received.path.endswith("/chat/completions") else raw
        prompt = received.prompt
        text = function(prompt)
        return make(text, usage=(len(prompt.split()), len(text.split())))

    return behave


def sometimes(rate: float, otherwise: Reply, behaviour: Callable[[Received], Reply], seed: int = 0) -> Any:
    """``otherwise`` for so many of all requests, by chance; else what ``behaviour`` says."""
    rng = random.Random(seed)
    return lambda received: otherwise if rng.random() < rate else behaviour(received)


def hang(after: bytes = b"") -> Wire:
    """Accept the request, send these bytes, and nothing more."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(after)
        await reader.read()  # until the client gives up
        return False

    return behave


def reset(after: bytes = b"") -> Wire:
    """Send these bytes, then a TCP reset."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(after)
        await writer.drain()
        _reset(writer)
        return False

    return behave


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def sending(data: bytes) -> Wire:
    """Send these bytes and close: nothing, half an answer, garbage."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return False

    return behave


def half_closed(data: bytes) -> Wire:
    """Send these bytes, say that nothing more comes, and keep listening."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        writer.write_eof()
        await reader.read()
        return False

    return behave


def trickling(pieces: Iterable[bytes], pause_s: float) -> Wire:
    """Answer 200 in chunks, with a pause before each; ends when the client leaves or the pieces do."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            await asyncio.sleep(pause_s)
            if writer.is_closing():
                return False
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    return behave


class FaultyServer:
    """Serves its script: one behaviour for each request, the last one for all that follow."""

    def __init__(self, *script: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.resets_connections = False
        self._tls = tls
        self.script(*script or (chat("ok"),))
        self.delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def script(self, *script: Behaviour) -> FaultyServer:
        self._script = list(script)
        return self

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """Connections that are served at this moment."""
        return len(self._connections)

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set_result, None)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stopped = self._loop.create_future()
        self._connections: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**26, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped
        server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections += 1
        try:
            if self.resets_connections:
                _reset(writer)
                return
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        received = Received(method, path, headers, body)
        self.requests.append(received)
        behaviour = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if asyncio.iscoroutinefunction(behaviour):
            return bool(await behaviour(reader, writer))
        reply = behaviour if isinstance(behaviour, Reply) else behaviour(received)
        writer.write(reply.encode())
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

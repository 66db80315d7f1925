"""A real HTTP server that speaks the API of OpenAI, takes its time, and keeps a ledger of questions and answers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Call:
    """One request: its prompt, when it arrived, and when its answer went out (None: not yet, or nobody listened)."""

    prompt: str
    arrived: float
    answered: float | None = None


class LedgerServer:
    """Answers each prompt after ``delay_s`` with what ``answer`` makes of it."""

    def __init__(self, answer: Callable[[str], str], delay_s: float = 0.02) -> None:
        self.calls: list[Call] = []
        self.answer = answer
        self.delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> Counter[str]:
        """How often each prompt was asked."""
        return Counter(call.prompt for call in self.calls)

    def __enter__(self) -> LedgerServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        for connection in tuple(_Connection.open):
            connection.transport.abort()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Connection(asyncio.Protocol):
    open: set[_Connection] = set()  # noqa: RUF012 - of all servers of this process

    def __init__(self, server: LedgerServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and length and len(body) >= int(length[1]):
            self._received = b""
            call = Call(json.loads(body)["messages"][-1]["content"], time.monotonic())
            self._server.calls.append(call)
            asyncio.get_running_loop().call_later(self._server.delay_s, self._reply, call)

    def _reply(self, call: Call) -> None:
        message = {"role": "assistant", "content": self._server.answer(call.prompt)}
        usage = {"prompt_tokens": len(call.prompt), "completion_tokens": 1, "total_tokens": len(call.prompt) + 1}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write((head + body).encode())
            call.answered = time.monotonic()

"""A chat completion server that answers every request alike, as cheaply as Python can: never the bottleneck.

python benchmarks/server.py [--latency-ms 100] [--kind plain]     serve on a free port of 127.0.0.1, print the port
python benchmarks/server.py --compare                             CPU for one request: this server and aiohttp.web's

HTTP/1.1 with keep-alive on a bare asyncio protocol (uvloop where it is installed), in a process of its own. It reads
as much of a request as it takes to find its end. `--latency-ms` holds every answer back with a timer of the event loop.
`GET /stats` tells the requests answered so far and the process's CPU seconds. The `plain` kind is the server most
people would write, on aiohttp.web; it is kept for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPLETION = json.dumps(
    {
        "id": "chatcmpl-0", "object": "chat.completion", "created": 1700000000, "model": "constant",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13},
    }
).encode()  # fmt: skip


def http(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    """A whole answer, as it goes over the wire."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


class Counters:
    """What the server has done since it started."""

    def __init__(self) -> None:
        self.requests = 0

    def as_json(self) -> dict[str, Any]:
        return {"requests": self.requests, "cpu_s": time.process_time()}


class RequestReader(asyncio.Protocol):
    """Cuts the bytes of a connection into requests; pipelining included, chunked requests not."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment] # uvloop's transports are no subclass

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            head = data[:end].lower()
            at = head.find(b"content-length:")
            total = end + (int(head[at + 15 : head.index(b"\r\n", at)]) if at >= 0 else 0)
            if len(data) < total:
                break
            self.request(head)
            data = data[total:]
        self._rest = data

    def request(self, head: bytes) -> None:
        """A request has come in whole; ``head`` is its first lines in small letters."""
        raise NotImplementedError


class Constant(RequestReader):
    """Answers at once, or after ``latency_s``."""

    answer = http(COMPLETION)

    def __init__(self, counters: Counters, latency_s: float) -> None:
        super().__init__()
        self._counters = counters
        self._latency_s = latency_s
        self._loop = asyncio.get_running_loop()

    def request(self, head: bytes) -> None:
        if head.startswith(b"get /stats"):
            self.transport.write(http(json.dumps(self._counters.as_json()).encode()))
            return
        self._counters.requests += 1
        if self._latency_s:
            self._loop.call_later(self._latency_s, self._answer)
        else:
            self.transport.write(self.answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.answer)


async def serve_fast(latency_s: float) -> None:
    counters = Counters()
    server = await asyncio.get_running_loop().create_server(
        lambda: Constant(counters, latency_s), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def serve_plain(latency_s: float) -> None:
    from aiohttp import web

    counters = Counters()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        counters.requests += 1
        if latency_s:
            await asyncio.sleep(latency_s)
        return web.Response(body=COMPLETION, content_type="application/json")

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response(counters.as_json())

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/stats", stats)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def run_loop(coroutine: Any) -> Any:
    """On uvloop where it is installed: the server must not be what is measured."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


@dataclass(frozen=True)
class RunningServer:
    """A server in a process of its own."""

    root: str

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.root}/stats", timeout=30) as response:
            return dict(json.load(response))


@contextmanager
def running(*arguments: str, script: Path = Path(__file__)) -> Iterator[RunningServer]:
    """Start a server script, which prints its port; end it afterwards."""
    process = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield RunningServer(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()


def serving(latency_ms: float = 0, kind: str = "fast") -> Any:
    return running("--latency-ms", str(latency_ms), "--kind", kind)


def compare(cases: int = 10_000) -> dict[str, float]:
    """Microseconds of CPU for one request, by kind of server, asked by the same bare loop."""
    from common import child

    costs = {}
    for kind in ("fast", "plain"):
        with serving(kind=kind) as server:
            child("floor.py", server.base_url, "--cases", "500", "--concurrency", "64")
            before = server.stats()
            child("floor.py", server.base_url, "--cases", str(cases), "--concurrency", "64")
            after = server.stats()
        costs[kind] = 1e6 * (after["cpu_s"] - before["cpu_s"]) / (after["requests"] - before["requests"])
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--kind", choices=("fast", "plain"), default="fast")
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    if options.compare:
        for kind, cost in compare().items():
            print(f"{kind:6} {cost:6.1f} µs of CPU a request")
        return
    run_loop({"fast": serve_fast, "plain": serve_plain}[options.kind](options.latency_ms / 1000))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

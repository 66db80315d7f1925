"""The constant server with everything that goes wrong in practice, in fixed shares and from a seed.

python benchmarks/faulty_server.py [--latency-ms 100] [--seed 0]

One request in a hundred gets a 500; fewer are reset, answered late, cut off, answered with what is no HTTP, no JSON or
half of it, redirected, or never answered. Refusals (429 with Retry-After, as seconds or as a date) come as they do
from real servers, in bursts: half of all requests for two seconds of every minute. `GET /stats` counts what was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from server import COMPLETION, RequestReader, http, run_loop

SHARES = {
    "error_500": 0.01, "slow": 0.005, "reset": 0.003, "garbage": 0.002, "truncated_json": 0.003, "cut_off": 0.002,
    "wrong_type": 0.002, "redirect": 0.001, "hanging": 0.001, "error_in_200": 0.001,
}  # fmt: skip
BURST_EVERY_S, BURST_S, BURST_SHARE = 60.0, 2.0, 0.5
SLOW_FACTOR = 8

OK = http(COMPLETION)
_HTML = b"<html><body>maintenance</body></html>"
ANSWERS = {
    "ok": OK,
    "slow": OK,
    "error_500": http(b'{"error": {"message": "internal error"}}', "500 Internal Server Error"),
    "truncated_json": http(COMPLETION[: len(COMPLETION) // 2]),
    "wrong_type": http(_HTML).replace(b"application/json", b"text/html"),
    "redirect": http(b"", "307 Temporary Redirect", "Location: http://127.0.0.1:9/v1/chat/completions\r\n"),
    "error_in_200": http(b'{"error": {"message": "overloaded", "code": 503}}'),
}
AND_CLOSE = {"garbage": b"\x00\xff not http at all \r\n\r\n", "cut_off": OK[:-40]}


class State:
    """What was sent, and which fault comes next."""

    def __init__(self, seed: int) -> None:
        self.sent: Counter[str] = Counter()
        self.open = 0
        self._random = random.Random(seed)
        self._kinds, self._shares = list(SHARES), list(SHARES.values())
        self._started = time.monotonic()

    def next(self) -> str:
        at = (time.monotonic() - self._started) % BURST_EVERY_S
        if BURST_EVERY_S / 2 <= at < BURST_EVERY_S / 2 + BURST_S and self._random.random() < BURST_SHARE:
            kind = "refused_429"
        elif self._random.random() < sum(self._shares):
            kind = self._random.choices(self._kinds, self._shares)[0]
        else:
            kind = "ok"
        self.sent[kind] += 1
        return kind

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": self.sent.total(), "sent": dict(self.sent), "open": self.open, "cpu_s": time.process_time()
        }  # fmt: skip


class Faulty(RequestReader):
    """One connection."""

    def __init__(self, state: State, latency_s: float) -> None:
        super().__init__()
        self._state = state
        self._latency_s = latency_s
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._state.open += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self._state.open -= 1

    def request(self, head: bytes) -> None:
        if head.startswith(b"get /stats"):
            self.transport.write(http(json.dumps(self._state.as_json()).encode()))
            return
        kind = self._state.next()
        if kind != "hanging":
            self._loop.call_later(self._latency_s * (SLOW_FACTOR if kind == "slow" else 1), self._act(kind))

    def _act(self, kind: str) -> Callable[[], None]:
        def act() -> None:
            if self.transport.is_closing():
                return
            if kind == "reset":
                connection = self.transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()
            elif kind in AND_CLOSE:
                self.transport.write(AND_CLOSE[kind])
                self.transport.close()
            elif kind == "refused_429":
                after = "1" if self._state.sent[kind] % 2 else formatdate(time.time() + 2, usegmt=True)
                body = b'{"error": {"message": "slow down", "type": "rate_limit_exceeded"}}'
                self.transport.write(http(body, "429 Too Many Requests", f"Retry-After: {after}\r\n"))
            else:
                self.transport.write(ANSWERS[kind])

        return act


async def serve(latency_s: float, seed: int) -> None:
    state = State(seed)
    server = await asyncio.get_running_loop().create_server(lambda: Faulty(state, latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--latency-ms", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run_loop(serve(options.latency_ms / 1000, options.seed))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

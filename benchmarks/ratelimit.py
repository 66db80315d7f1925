"""How much of a server's limit is used: a real HTTP server that refuses by 429, asked for as many answers as it allows.

python benchmarks/ratelimit.py [--runs 1] [--save]

The server allows so many calls a second: a token bucket, with and without a burst, or a sliding window. It counts what
it let through and what it refused; the share is of what it would have allowed in the time from its first call to its
last one. It says when to come back (`Retry-After`), or nothing. What is left of a bucket's first burst counts as
allowed. A run takes ``SECONDS`` when the limit is used to the full.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from common import judged, median, sharpen_run, table, write_plan
from results import benchmark_main
from server import COMPLETION, RequestReader, http, run_loop, running

SECONDS = 12
RATE = 100
LATENCY_MS = 100
CONCURRENCY = 64
GOAL = 0.90
SETTINGS = (("bucket of 100", "bucket", True), ("bucket of 100", "bucket", False), ("window of 1 s", "window", True))
REFUSAL = b'{"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}'


class Gate:
    """Lets ``RATE`` calls through each second, and counts."""

    def __init__(self, rule: str) -> None:
        self.bucket = rule == "bucket"
        self.level, self.filled_at = float(RATE), 0.0
        self.starts: deque[float] = deque()
        self.allowed = self.refused = self.in_a_row = self.most_in_a_row = 0
        self.first_at = self.last_at = 0.0

    def admit(self, now: float) -> float:
        """0 when the call is let through, else the seconds until one will be."""
        self.first_at = self.first_at or now
        wait = self._bucket(now) if self.bucket else self._window(now)
        if wait:
            self.refused += 1
        else:
            self.allowed, self.last_at = self.allowed + 1, now
        return wait

    def _bucket(self, now: float) -> float:
        if self.filled_at:
            self.level = min(float(RATE), self.level + (now - self.filled_at) * RATE)
        self.filled_at = now
        if self.level < 1:
            return (1 - self.level) / RATE
        self.level -= 1
        return 0.0

    def _window(self, now: float) -> float:
        while self.starts and self.starts[0] <= now - 1.0:
            self.starts.popleft()
        if len(self.starts) >= RATE:
            return self.starts[0] + 1.0 - now
        self.starts.append(now)
        return 0.0

    def as_json(self) -> dict[str, Any]:
        span = self.last_at - self.first_at
        ideal = RATE * span + (RATE if span else 0)  # a full bucket, or a window's worth at once
        return {"allowed": self.allowed, "refused": self.refused, "span_s": span, "ideal": ideal}


class Limited(RequestReader):
    """Answers after ``LATENCY_MS``; refuses at once."""

    def __init__(self, gate: Gate, tells: bool) -> None:
        super().__init__()
        self._gate, self._tells = gate, tells
        self._loop = asyncio.get_running_loop()

    def request(self, head: bytes) -> None:
        import json

        if head.startswith(b"get /stats"):
            self.transport.write(http(json.dumps(self._gate.as_json()).encode()))
        elif wait := self._gate.admit(self._loop.time()):
            told = f"Retry-After-Ms: {int(wait * 1000) + 1}\r\n" if self._tells else ""
            self.transport.write(http(REFUSAL, "429 Too Many Requests", told))
        else:
            self._loop.call_later(LATENCY_MS / 1000, self._answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(http(COMPLETION))


async def _serve(rule: str, tells: bool) -> None:
    gate = Gate(rule)
    server = await asyncio.get_running_loop().create_server(lambda: Limited(gate, tells), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def measure(runs: int = 1) -> dict[str, Any]:
    """What the server counted, for each of ``SETTINGS``."""
    cases, settings = RATE * (SECONDS + 1), []
    with tempfile.TemporaryDirectory() as name:
        for title, rule, tells in SETTINGS:
            found = []
            for number in range(runs):
                arguments = ["--serve", rule, *(["--tells"] if tells else [])]
                with running(*arguments, script=Path(__file__)) as server:
                    plan = write_plan(Path(name), server.base_url, cases, CONCURRENCY)
                    sharpen_run(plan, Path(name) / f"{rule}-{tells}-{number}.db", warm_up=0)
                    found.append(server.stats())
            settings.append({"title": title, "tells": tells, "runs": found})
    return {"rate": RATE, "cases": cases, "settings": settings}


def render(data: dict[str, Any]) -> str:
    rows = []
    for s in data["settings"]:
        share = median(run["allowed"] / run["ideal"] for run in s["runs"])
        rows.append(
            [
                f"{s['title']}, {'says when to come back' if s['tells'] else 'says nothing'}",
                f"{median(run['span_s'] for run in s['runs']):.1f} s",
                f"{median(run['allowed'] for run in s['runs']):,.0f}",
                f"{median(run['refused'] for run in s['runs']):,.0f}",
                f"{share:.1%}", f"≥ {GOAL:.0%}: {judged(share, '≥', GOAL)}",
            ]
        )  # fmt: skip
    head = (f"{data['rate']} calls a second", "took", "let through", "refused", "share of the allowed", "goal")
    return table(head, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--serve")
    parser.add_argument("--tells", action="store_true")
    options, _ = parser.parse_known_args()
    if options.serve:
        run_loop(_serve(options.serve, options.tells))
    else:
        benchmark_main("ratelimit", __doc__)

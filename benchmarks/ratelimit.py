"""How much of a server's limit is used: a real HTTP server that refuses by 429, asked for as many answers as it allows.

python benchmarks/ratelimit.py [--runs 1] [--save]

The server allows so many calls a second: a token bucket, with and without a burst, or a sliding window. It counts what
it let through and what it refused; the share is of what it would have allowed in the time from its first call to its
last one, and, to tell start-up and steady state apart, from ten seconds after the first call on. It says when to come
back (`Retry-After`), or nothing. What is left of a bucket's first burst counts as allowed. A run takes ``SECONDS`` when
the limit is used to the full.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import judged, median, sharpen_run, table, write_plan
from results import benchmark_main
from server import COMPLETION, RequestReader, http, run_loop, running

SECONDS = 30
STEADY_S = 10.0
CONCURRENCY = 64
GOAL = 0.90


@dataclass(frozen=True)
class Setting:
    """A limit of ``rate`` calls a second; ``burst``: of the bucket, 0 for a sliding window of a second."""

    title: str
    rate: int
    burst: int
    tells: bool
    latency_s: float


SETTINGS = (
    Setting("bucket of 100, says when to come back", 100, 100, True, 0.1),
    Setting("bucket of 100, says nothing", 100, 100, False, 0.1),
    Setting("window of 1 s, says nothing", 100, 0, False, 0.1),
    Setting("no burst at all, slow answers (1.5 s), says nothing", 20, 1, False, 1.5),
)
REFUSAL = b'{"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}'


class Gate:
    """Lets a setting's calls through, and counts."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.level, self.filled_at = float(setting.burst), 0.0
        self.starts: deque[float] = deque()
        self.allowed = self.late = self.refused = 0
        self.first_at = self.last_at = 0.0

    def admit(self, now: float) -> float:
        """0 when the call is let through, else the seconds until one will be."""
        self.first_at = self.first_at or now
        wait = self._bucket(now) if self.setting.burst else self._window(now)
        if wait:
            self.refused += 1
        else:
            self.allowed, self.last_at = self.allowed + 1, now
            self.late += now - self.first_at >= STEADY_S
        return wait

    def _bucket(self, now: float) -> float:
        rate, burst = self.setting.rate, float(self.setting.burst)
        if self.filled_at:
            self.level = min(burst, self.level + (now - self.filled_at) * rate)
        self.filled_at = now
        if self.level < 1:
            return (1 - self.level) / rate
        self.level -= 1
        return 0.0

    def _window(self, now: float) -> float:
        while self.starts and self.starts[0] <= now - 1.0:
            self.starts.popleft()
        if len(self.starts) >= self.setting.rate:
            return self.starts[0] + 1.0 - now
        self.starts.append(now)
        return 0.0

    def as_json(self) -> dict[str, Any]:
        span = self.last_at - self.first_at
        first = self.setting.burst or self.setting.rate  # a full bucket, or a window's worth at once
        return {
            "allowed": self.allowed, "refused": self.refused, "span_s": span,
            "ideal": self.setting.rate * span + (first if span else 0),
            "late": self.late, "late_ideal": self.setting.rate * max(0.0, span - STEADY_S),
        }  # fmt: skip


class Limited(RequestReader):
    """Answers after the setting's latency; refuses at once."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self._loop = asyncio.get_running_loop()

    def request(self, head: bytes) -> None:
        import json

        if head.startswith(b"get /stats"):
            self.transport.write(http(json.dumps(self._gate.as_json()).encode()))
        elif wait := self._gate.admit(self._loop.time()):
            told = f"Retry-After-Ms: {int(wait * 1000) + 1}\r\n" if self._gate.setting.tells else ""
            self.transport.write(http(REFUSAL, "429 Too Many Requests", told))
        else:
            self._loop.call_later(self._gate.setting.latency_s, self._answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(http(COMPLETION))


async def _serve(number: int) -> None:
    gate = Gate(SETTINGS[number])
    server = await asyncio.get_running_loop().create_server(lambda: Limited(gate), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def measure(runs: int = 1) -> dict[str, Any]:
    """What the server counted, for each of ``SETTINGS``."""
    settings = []
    with tempfile.TemporaryDirectory() as name:
        for number, setting in enumerate(SETTINGS):
            found = []
            for run in range(runs):
                with running("--serve", str(number), script=Path(__file__)) as server:
                    plan = write_plan(Path(name), server.base_url, setting.rate * SECONDS, CONCURRENCY)
                    sharpen_run(plan, Path(name) / f"{number}-{run}.db", warm_up=0)
                    found.append(server.stats())
            settings.append({"title": setting.title, "rate": setting.rate, "runs": found})
    return {"settings": settings}


def render(data: dict[str, Any]) -> str:
    rows = []
    for s in data["settings"]:
        share = median(run["allowed"] / run["ideal"] for run in s["runs"])
        steady = median(run["late"] / run["late_ideal"] for run in s["runs"])
        rows.append(
            [
                f"{s['rate']} a second, {s['title']}",
                f"{median(run['span_s'] for run in s['runs']):.1f} s",
                f"{median(run['allowed'] for run in s['runs']):,.0f}",
                f"{median(run['refused'] for run in s['runs']):,.0f}",
                f"{share:.1%}", f"{steady:.1%}", f"≥ {GOAL:.0%}: {judged(share, '≥', GOAL)}",
            ]
        )  # fmt: skip
    after = f"after {STEADY_S:.0f} s"
    return table(("limit", "took", "let through", "refused", "share of the allowed", after, "goal"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--serve", type=int)
    options, _ = parser.parse_known_args()
    if options.serve is not None:
        run_loop(_serve(options.serve))
    else:
        benchmark_main("ratelimit", __doc__)

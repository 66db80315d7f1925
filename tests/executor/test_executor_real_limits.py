"""The limiter against a real HTTP server on this machine that refuses by status and header."""

import asyncio
import time
from collections import deque
from typing import Any

import pytest
from aiohttp import web

from sharpen.config.models import RateLimit
from sharpen.config.targets import OpenAITarget
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.models import RunStatus
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Message, TargetRequest
from sharpen.targets.openai_compatible import OpenAICompatibleTarget

REQUEST = TargetRequest((Message("user", "x"),))
BODY = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'


class Server:
    """Allows so many calls in any ``window`` seconds, or ``side_by_side``; each takes ``latency`` seconds."""

    def __init__(self, per_window: int = 10**9, window: float = 1.0, side_by_side: int = 10**9, latency: float = 0.02):
        self.per_window, self.window, self.side_by_side, self.latency = per_window, window, side_by_side, latency
        self.log: list[bool] = []
        self.starts: deque[float] = deque()
        self.under_way = 0
        self.broken = False

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        at = time.monotonic()
        while self.starts and self.starts[0] <= at - self.window:
            self.starts.popleft()
        if self.broken:
            return web.Response(status=500)
        full = len(self.starts) >= self.per_window
        self.log.append(not (full or self.under_way >= self.side_by_side))
        if not self.log[-1]:
            wait = self.starts[0] + self.window - at if full else 0.2
            return web.Response(status=429, headers={"Retry-After-Ms": str(int(wait * 1000) + 1)})
        self.starts.append(at)
        self.under_way += 1
        await asyncio.sleep(self.latency)
        self.under_way -= 1
        return web.Response(body=BODY, content_type="application/json")

    @property
    def refused(self) -> int:
        return self.log.count(False)


async def keep_busy(server: Server, seconds: float, workers: int) -> StopSignal:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = OpenAITarget(model="m", base_url=f"http://127.0.0.1:{port}/v1")
    stop = StopSignal()
    try:
        async with OpenAICompatibleTarget(config, api_key="") as target:
            caller = Caller(
                target=target, limiter=Limiter(RateLimit(), workers), stop=stop, abort=AbortPolicy(1000), timeout_s=5.0
            )
            until = time.monotonic() + seconds

            async def work() -> None:
                while time.monotonic() < until and not stop.requested:
                    outcome: Any = await caller.call(REQUEST)
                    assert outcome.response is not None or stop.requested or server.broken

            await asyncio.gather(*(work() for _ in range(workers)))
    finally:
        await runner.cleanup()
    return stop


@pytest.mark.parametrize(
    "server", [Server(per_window=40, window=0.5), Server(side_by_side=4, latency=0.2)], ids=["rate", "slots"]
)
async def test_a_limit_is_found_and_kept(server: Server) -> None:
    await keep_busy(server, 4.0, 16)
    accepted = server.log.count(True)
    allowed = 80 * 4.0 if server.side_by_side > 100 else 4 / server.latency * 4.0
    assert accepted >= 0.5 * allowed  # so short a run is mostly learning, and this machine is shared
    assert server.refused <= 16 + 12


async def test_without_limits_all_workers_are_busy_from_the_first_moment() -> None:
    server = Server(latency=0.1)
    await keep_busy(server, 0.95, 32)
    assert server.refused == 0
    assert len(server.log) >= 0.7 * 32 * 9


async def test_a_server_that_answers_only_errors_ends_the_run_with_one_message() -> None:
    server = Server()
    server.broken = True
    began = time.monotonic()
    stop = await keep_busy(server, 30.0, 16)
    assert stop.status is RunStatus.ABORTED
    assert "the target is down" in stop.reason
    assert "HTTP 500" in stop.reason
    assert time.monotonic() - began < 5

"""What the peers' scripts share: the same cases, one clock, one JSON line. Knows nothing of sharpen."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

WARM_UP = 64
EXPECTED = "yes"


def question(number: int) -> str:
    return f"Is this fine? item number {number}"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("base_url")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--http", choices=("default", "aiohttp"), default="aiohttp", help="the openai package's client")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--tuned", action="store_true", help="inspect-ai: what its documentation offers for speed")
    return parser.parse_args()


def run_loop(name: str, coroutine: Any) -> Any:
    import asyncio

    if name == "asyncio":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


class StopWatch:
    """Clock and CPU (all threads) from its creation on."""

    def __init__(self) -> None:
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def print(self, passed: int, cases: int) -> None:
        """The one line that the measuring script reads. ``passed``: cases whose check held."""
        seconds, cpu = time.perf_counter() - self._clock, time.process_time() - self._cpu
        print(json.dumps({"run_s": seconds, "run_cpu_s": cpu, "passed": passed, "cases": cases}), flush=True)


def openai_client(base_url: str, http: str) -> Any:
    """The package's async client; its README advises the aiohttp backend for concurrency."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    return AsyncOpenAI(
        base_url=base_url,
        api_key="none",
        max_retries=2,
        http_client=DefaultAioHttpClient() if http == "aiohttp" else None,
    )

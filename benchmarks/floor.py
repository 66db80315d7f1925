"""The floor: an aiohttp loop with nothing around it, in a process of its own. Prints one JSON line.

python benchmarks/floor.py BASE_URL --cases 2000 --concurrency 64 [--loop asyncio]

So many workers post the same bytes and parse each answer; no rendering, no check, nothing kept. It runs on uvloop, as
sharpen does; 64 requests warm it up before the clock starts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator

import aiohttp
from server import run_loop

BODY = json.dumps(
    {"model": "constant", "messages": [{"role": "user", "content": "Is this fine? item number 12345"}]}
).encode()
WARM_UP = 64


async def bare(base_url: str, cases: int, concurrency: int) -> dict[str, float]:
    """Seconds on the clock and of CPU for the requests."""
    url, headers = f"{base_url}/chat/completions", {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work(numbers: Iterator[int]) -> None:
            for _ in numbers:
                async with session.post(url, data=BODY, headers=headers) as response:
                    json.loads(await response.read())

        async def send(number: int) -> None:
            numbers = iter(range(number))
            await asyncio.gather(*(work(numbers) for _ in range(min(concurrency, number))))

        await send(WARM_UP)
        started, cpu = time.perf_counter(), time.process_time()
        await send(cases)
        return {"run_s": time.perf_counter() - started, "run_cpu_s": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("base_url")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    options = parser.parse_args()
    run = run_loop if options.loop == "uvloop" else asyncio.run
    print(json.dumps(run(bare(options.base_url, options.cases, options.concurrency))))


if __name__ == "__main__":
    main()

"""Throughput of a whole `sharpen` run against a bare aiohttp loop, on the same local server in the same process tree.

python benchmarks/run.py [--cases 2000] [--concurrency 64] [--runs 3]

The server answers at once with a constant chat completion. The floor sends the same requests with nothing around
them; sharpen renders, checks one assertion, prices, stores durably (SQLite) and counts. Medians and the ratio are
printed; absolute numbers say more about the machine than about sharpen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from sharpen import RunManifest, __version__
from sharpen.executor.loop import run
from sharpen.storage.store import Store
from sharpen.wiring.plans import complete
from sharpen.wiring.running import run_plan

ANSWER = json.dumps(
    {
        "id": "x", "object": "chat.completion", "model": "constant",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13},
    }
).encode()  # fmt: skip


def serve(port: multiprocessing.Queue) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ANSWER, content_type="application/json")

    async def start() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.put(site._server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(start())


async def floor(url: str, cases: int, concurrency: int) -> float:
    """Seconds that a bare client takes for the same requests."""
    body = json.dumps({"model": "constant", "messages": [{"role": "user", "content": "Is this fine? text 1"}]}).encode()
    numbers = iter(range(cases))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for _ in numbers:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                    json.loads(await response.read())

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return time.perf_counter() - started


def sharpened(base_url: str, cases: int, concurrency: int, directory: Path, number: int) -> float:
    """Seconds that a stored run of the same requests takes."""
    manifest = RunManifest.model_validate(
        {
            "workflow_id": "bench",
            "prompt": {"user": "Is this fine? {{ text }}"},
            "target": {"kind": "openai", "model": "constant", "base_url": base_url,
                       "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}},
            "dataset": [{"id": f"c{n}", "vars": {"text": f"text {n}"}, "expected": "yes"} for n in range(cases)],
            "assertions": [{"type": "equals", "value": "{{ expected }}"}],
            "execution": {"concurrency": concurrency, "cache": False},
        }
    )  # fmt: skip
    plan = complete(manifest)
    with Store.open(f"sqlite:///{directory}/bench-{number}.db") as store:
        started = time.perf_counter()
        story = run_plan(plan, store)
        took = time.perf_counter() - started
    assert story.report.success_rate == 1.0, story.report
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    queue: multiprocessing.Queue = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(queue,), daemon=True)
    server.start()
    base_url = f"http://127.0.0.1:{queue.get(timeout=30)}/v1"
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.runs):  # in turn, so that a drifting machine hits both
            bare.append(run(floor(f"{base_url}/chat/completions", options.cases, options.concurrency)))
            ours.append(sharpened(base_url, options.cases, options.concurrency, Path(directory), number))
    server.terminate()
    rates = [options.cases / statistics.median(seconds) for seconds in (bare, ours)]
    print(f"sharpen {__version__}, Python {platform.python_version()}, aiohttp {aiohttp.__version__}")
    print(f"{options.cases} cases, {options.concurrency} at once, median of {options.runs} runs")
    print(f"bare aiohttp loop   {rates[0]:8.0f} cases/s")
    print(f"sharpen run         {rates[1]:8.0f} cases/s   (everything on: render, assert, price, store, count)")
    ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(bare, ours, strict=True))
    print(f"ratio to the floor  {rates[1] / rates[0]:8.2f}           (pair by pair: {ratios})")


if __name__ == "__main__":
    main()

"""The openai package in a loop of workers: typed answers and its own retries, one comparison, nothing kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from shared import EXPECTED, WARM_UP, StopWatch, openai_client, options, question, run_loop


async def main() -> None:
    chosen = options()
    passed = 0
    async with openai_client(chosen.base_url, chosen.http) as client:

        async def work(numbers: Iterator[int]) -> None:
            nonlocal passed
            for number in numbers:
                messages = [{"role": "user", "content": question(number)}]
                answer = await client.chat.completions.create(model="constant", messages=messages)
                passed += answer.choices[0].message.content == EXPECTED

        async def send(cases: int) -> None:
            numbers = iter(range(cases))
            await asyncio.gather(*(work(numbers) for _ in range(chosen.concurrency)))

        await send(WARM_UP)
        passed, watch = 0, StopWatch()
        await send(chosen.cases)
        watch.print(passed, chosen.cases)


run_loop(options().loop, main())

"""pydantic-evals: a `Dataset` of `Case`s, the evaluator `EqualsExpected`, the openai package in the task.

`max_concurrency` as its page on concurrency says, the progress bar off (it would only cost), tracing not configured.
"""

from __future__ import annotations

from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected
from shared import EXPECTED, WARM_UP, StopWatch, openai_client, options, question, run_loop


def dataset(cases: int) -> Dataset[str, str, None]:
    inputs = [Case(name=f"c{n}", inputs=question(n), expected_output=EXPECTED) for n in range(cases)]
    return Dataset(name="bench", cases=inputs, evaluators=[EqualsExpected()])


async def main() -> None:
    chosen = options()
    async with openai_client(chosen.base_url, chosen.http) as client:

        async def task(inputs: str) -> str:
            messages = [{"role": "user", "content": inputs}]
            answer = await client.chat.completions.create(model="constant", messages=messages)
            return answer.choices[0].message.content or ""

        await dataset(WARM_UP).evaluate(task, max_concurrency=chosen.concurrency, progress=False)
        watch = StopWatch()
        report = await dataset(chosen.cases).evaluate(task, max_concurrency=chosen.concurrency, progress=False)
        passed = sum(all(check.value for check in case.assertions.values()) for case in report.cases)
        watch.print(passed, chosen.cases)


run_loop(options().loop, main())

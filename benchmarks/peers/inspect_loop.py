"""Inspect AI: a `Task` of `Sample`s, `generate()` and `exact()`, its OpenAI-compatible provider.

Fixed `max_connections` (its page on model concurrency: the static mode, for who knows the number) and no display.
`--tuned`: no realtime events, raw API calls not logged, a large log buffer, no live scores, no control server. Its
native log is written, as sharpen writes its store.
"""

from __future__ import annotations

import tempfile
from typing import Any

import inspect_ai
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import exact
from inspect_ai.solver import generate
from shared import EXPECTED, WARM_UP, StopWatch, options, question

TUNING: dict[str, Any] = {
    "log_realtime": False, "log_model_api": False, "log_buffer": 1000, "score_display": False, "ctl_server": False,
}  # fmt: skip


def main() -> None:
    chosen = options()
    model = get_model("openai-api/bench/constant", base_url=chosen.base_url, api_key="none")

    def evaluate(cases: int, directory: str) -> Any:
        samples = [Sample(id=f"c{n}", input=question(n), target=EXPECTED) for n in range(cases)]
        task = inspect_ai.Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exact())
        (log,) = inspect_ai.eval(
            task, model=model, max_connections=chosen.concurrency, max_samples=chosen.concurrency, display="none",
            log_dir=directory, log_level="warning", **(TUNING if chosen.tuned else {}),
        )  # fmt: skip
        return log

    with tempfile.TemporaryDirectory() as directory:
        evaluate(WARM_UP, directory)
        watch = StopWatch()
        log = evaluate(chosen.cases, directory)
        passed = sum(sample.scores["exact"].value == "C" for sample in log.samples)
        watch.print(passed, chosen.cases)


main()

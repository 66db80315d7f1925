"""Let the shipped strategies propose for many prompts, and ask the embedded model each proposal once.

PYTHONPATH=benchmarks python -m recommending.record [TASK …] [--memo FILE] [--prompts 6] [--cases 20] [--each 2]

A *search* is a task of the search benchmark that starts from one prompt of its bank: the careless seed, or one of
others of different styles. The strategies are asked as the engine asks them, with the recorded answers of that prompt
on the train cases; the first `--each` proposals of every strategy are run on the same dev cases as the prompt itself.
One line for each search goes into `history.jsonl.gz`; what was answered is in the memo at once, so that a recording
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from search.record import Answer, Memo
from search.table import Table, load_table
from search.tasks import Case, Prompt, Task, task_names

from sharpen.config.models import Case as PlanCase
from sharpen.config.models import RunManifest
from sharpen.config.prompts import PromptTemplate
from sharpen.config.targets import LocalTarget
from sharpen.executor.rendering import PromptRenderer
from sharpen.optimizer.models import Prompt as SharpenPrompt
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, SpendMeter
from sharpen.optimizer.proposals import Measurement, Proposals
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.search import Contender
from sharpen.optimizer.splits import Split
from sharpen.optimizer.strategies.registry import STRATEGIES, build_strategy
from sharpen.pipeline import analyze_plan, prompt_of
from sharpen.targets.base import Message, TargetRequest
from sharpen.targets.local_model import LocalModelTarget

HISTORY = Path(__file__).parent / "history.jsonl.gz"
WITHOUT_REWRITER = tuple(name for name in STRATEGIES if name != "rewrite")


class NoMeter(SpendMeter):
    """Proposing spends nothing."""

    def calls_made(self) -> int:
        return 0

    def calls_left(self) -> int | None:
        return None


def plan_of(task: Task, prompt: Prompt) -> RunManifest:
    """The plan a user would write to optimize ``prompt`` on ``task`` with the embedded model."""
    text = task.render(prompt, Case("", "{input}", ""))
    equal = {"type": "iequals", "value": "{{ expected }}", "transform": ["first-line", "strip-punctuation"]}
    same = {"type": "iequals", "value": "{{ expected }}"}
    is_object = {"type": "is-json", "value": {"type": "object", "required": [task.json_key]}}
    return RunManifest.model_validate(
        {
            "workflow_id": f"{task.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
            "prompt": {"user": text.replace("{input}", "{{ input }}")},
            "target": {"kind": "local", "params": settings(task)},
            "dataset": [{"id": case.id, **_plan_case(task, case)} for case in task.cases["train"]],
            "assertions": [equal] if task.kind == "label" else [is_object, same],
        }
    )


def settings(task: Task) -> dict[str, Any]:
    return {"temperature": 0, "max_tokens": task.max_tokens, "stop": ["\n"]}


def _plan_case(task: Task, case: Case) -> dict[str, Any]:
    return {"vars": {"input": case.input}, "expected": task.answer(case)}


def labelled(task: Task, cases: Sequence[Case]) -> list[LabelledCase]:
    return [LabelledCase(case.id, {"input": case.input}, task.answer(case)) for case in cases]


def outcomes(table: Table, prompt: Prompt, cases: Sequence[Case]) -> dict[str, CaseOutcome]:
    """What the bank's prompt did, from the table of the search benchmark."""
    row = table.row[prompt]
    found = {}
    for case in cases:
        column = table.column[case.id]
        right = float(table.right[row, column])
        text = table.texts[table.answers[row, column]]
        failed = () if right else ("iequals",)
        found[case.id] = CaseOutcome(case.id, right, right, output=text, failed_assertions=failed)
    return found


def dev_cases(task: Task, number: int) -> list[Case]:
    """The dev cases that every search of a task sees, in the order of the race."""
    by_id = {case.id: case for case in task.cases["dev"]}
    order = stratified(list(by_id), {case.id: case.target for case in by_id.values()}, random.Random(0))
    return [by_id[case_id] for case_id in order[:number]]


def starts(task: Task, number: int) -> list[tuple[str, Prompt]]:
    """The careless seed, then prompts of the bank of as many styles as there are, in the bank's order."""
    by_style: dict[str, Prompt] = {}
    for style, text in task.candidates:
        by_style.setdefault(style, Prompt(text))
    return [("careless", Prompt(task.seed)), *by_style.items()][:number]


async def propose(task: Task, table: Table, start: Prompt, dev: Sequence[Case], each: int) -> list[Contender]:
    """What the strategies make of a prompt, at most so many of each."""
    manifest = plan_of(task, start)
    train = task.cases["train"]
    sample = [PlanCase(id=case.id, **_plan_case(task, case)) for case in train]
    measured = Measurement(
        cases=labelled(task, [*train, *dev]),
        baseline=outcomes(table, start, [*train, *dev]),
        split=Split(tuple(case.id for case in train), tuple(case.id for case in dev), ()),
        evaluate=None,  # type: ignore[arg-type]  # nothing is evaluated here
        meter=NoMeter(),
        assertions=manifest.assertions,
        api="completions",
        max_added_tokens=1024,
    )
    analysis = analyze_plan(manifest, sample)
    found: list[Contender] = []
    for name in WITHOUT_REWRITER:  # one at a time: what is tried first must not crowd the others out
        proposals = Proposals(measured, [build_strategy(name)], seed=0)
        found += (await proposals.from_parent(prompt_of(manifest), analysis))[:each]
    return found


async def ask(
    target: LocalModelTarget, task: Task, prompt: PromptTemplate, cases: Sequence[Case], memo: Memo
) -> list[Answer]:
    """The answers of the model, in the order of ``cases``."""
    renderer = PromptRenderer(prompt)
    weights = str(target.identity()["sha256"])

    async def one(messages: tuple[Message, ...]) -> Answer:
        said = json.dumps([[message.role, message.content] for message in messages])
        key = hashlib.sha256(f"{weights}\n{task.max_tokens}\n{said}".encode()).hexdigest()
        found = memo.get(key)
        if found is None:
            reply = await target.invoke(TargetRequest(messages))
            found = (reply.output, reply.usage.prompt_tokens, reply.usage.completion_tokens)
            memo.put(key, found)
        return found

    return list(await asyncio.gather(*(one(renderer.render({"input": case.input})) for case in cases)))


async def search(
    target: LocalModelTarget, task: Task, style: str, start: Prompt, memo: Memo, number: int, each: int
) -> dict[str, Any]:
    """One line of the history. ``answers``: 1 right, 0 wrong, in the order of the dev cases."""
    table = load_table(task.name)
    dev = dev_cases(task, number)
    row = table.row[start]
    candidates = []
    for contender in await propose(task, table, start, dev, each):
        prompt: SharpenPrompt = contender.candidate.prompt
        said = await ask(target, task, prompt, dev, memo)
        right = [task.is_right(text, case) for (text, _, _), case in zip(said, dev, strict=True)]
        candidates.append(
            {
                "strategy": contender.candidate.strategy,
                "messages": [[message.role, message.content] for message in prompt.messages],
                "answers": "".join(str(int(one)) for one in right),
                "tokens": round(sum(asked + wrote for _, asked, wrote in said) / len(said), 2),
            }
        )
    return {
        "task": task.name,
        "start": style,
        "instruction": start.instruction,
        "dev": [case.id for case in dev],
        "answers": "".join(str(int(table.right[row, table.column[case.id]])) for case in dev),
        "candidates": candidates,
    }


def history() -> Iterator[dict[str, Any]]:
    """The recorded searches."""
    with gzip.open(HISTORY, "rt") as lines:
        yield from map(json.loads, lines)


async def record(tasks: Sequence[str], memo: Memo, prompts: int, cases: int, each: int) -> list[dict[str, Any]]:
    """All searches: the first start of every task, then the second one of every task …"""
    found = []
    for turn in range(prompts):
        for name in tasks:
            task = load_table(name).task
            if turn >= len(starts(task, prompts)):
                continue
            target = LocalModelTarget(LocalTarget(params=settings(task), slots=6, threads=2))
            style, start = starts(task, prompts)[turn]
            async with target:
                line = await search(target, task, style, start, memo, cases, each)
            found.append(line)
            base = line["answers"].count("1") / cases
            gains = [
                f"{one['strategy'][:6]} {one['answers'].count('1') / cases - base:+.2f}" for one in line["candidates"]
            ]
            print(f"{line['task']} {style}: {base:.2f}; {', '.join(gains)}", flush=True)
            with gzip.open(HISTORY, "wt") as out:
                out.writelines(json.dumps(each_line, ensure_ascii=False) + "\n" for each_line in found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--memo", type=Path, default=Path(tempfile.gettempdir()) / "sharpen-recommend-memo.db")
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--each", type=int, default=2)
    options = parser.parse_args()
    tasks = options.tasks or task_names()
    asyncio.run(record(tasks, Memo(options.memo), options.prompts, options.cases, options.each))


if __name__ == "__main__":
    main()

"""Tasks: their cases, the proposals, how a prompt and a case become the text that the model completes, and scoring.

`tasks/NAME.json` holds a task: where its texts come from and under which licence, its cases in three parts, a careless
seed prompt, the candidate instructions, and sets of demonstrations (ids of train cases).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
SPLITS = ("train", "dev", "holdout")
HELD_OUT = ("cities", "languages", "orders")
"""Tasks that no policy may be tuned on: they tell how well what was chosen on the others carries over."""


@dataclass(frozen=True)
class Prompt:
    """What is searched over: an instruction, and the train cases that are shown as worked examples."""

    instruction: str
    demos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """``group``: cases that come from one source, so that they count as one unit in a proof; None: by itself."""

    id: str
    input: str
    target: str
    group: str | None = None


@dataclass(frozen=True)
class Task:
    """``block``: how a case is shown to an instruction without a place for it; ``candidates``: style and text."""

    name: str
    kind: Literal["label", "json"]
    cases: Mapping[str, tuple[Case, ...]]
    block: str
    max_tokens: int
    seed: str
    candidates: tuple[tuple[str, str], ...]
    demo_sets: tuple[tuple[str, ...], ...] = ()
    labels: tuple[str, ...] = ()
    json_key: str | None = None
    source: str = ""
    licence: str = ""
    demo_instructions: tuple[str, ...] = field(default=())
    """The instructions that were also recorded with each set of demonstrations."""

    @cached_property
    def by_id(self) -> dict[str, Case]:
        return {case.id: case for split in SPLITS for case in self.cases[split]}

    @cached_property
    def by_input(self) -> dict[str, Case]:
        return {case.input: case for split in SPLITS for case in self.cases[split]}

    @cached_property
    def instructions(self) -> tuple[Prompt, ...]:
        """The seed, then the candidates."""
        return (Prompt(self.seed), *(Prompt(text) for _, text in self.candidates))

    @cached_property
    def with_demos(self) -> tuple[Prompt, ...]:
        return tuple(Prompt(text, demos) for text in self.demo_instructions for demos in self.demo_sets)

    def answer(self, case: Case) -> str:
        """The one right answer as the model is to write it."""
        return json.dumps({self.json_key: case.target}) if self.kind == "json" else case.target

    def render(self, prompt: Prompt, case: Case) -> str:
        """The text to complete: the instruction, each demonstration with its answer, the case itself."""
        head, block = _parted(prompt.instruction, self.block)
        demos = [self.by_id[one] for one in prompt.demos]
        shown = [f"{block.replace('{input}', demo.input)} {self.answer(demo)}" for demo in demos]
        return "\n\n".join([*([head] if head else []), *shown, block.replace("{input}", case.input)])

    def is_right(self, text: str, case: Case) -> bool:
        """Whether a program could use the answer: exactly the label, or exactly the one JSON object, on one line."""
        return self.read(text) == case.target.casefold()

    def read(self, text: str) -> str:
        """The answer without case, and a label without quotes and full stops around it; empty when it is no answer."""
        line = text.strip().partition("\n")[0].strip()
        if self.kind == "label":
            return line.strip(" \t\"'`*.:").casefold()
        try:
            found = json.loads(line)
        except ValueError:
            return ""
        if not isinstance(found, dict) or list(found) != [self.json_key] or not isinstance(found[self.json_key], str):
            return ""
        return re.sub(r"\s+", " ", found[self.json_key]).strip().casefold()


def _parted(instruction: str, default: str) -> tuple[str, str]:
    """What is said once, and what is said for each case: from the line that holds ``{input}`` on."""
    place = instruction.find("{input}")
    if place < 0:
        return instruction.rstrip("\n"), default
    start = instruction.rfind("\n", 0, place) + 1
    return instruction[:start].rstrip("\n"), instruction[start:]


def parse_task(found: Mapping[str, Any]) -> Task:
    """A task from the JSON of its file."""
    return Task(
        name=found["name"],
        kind=found["kind"],
        cases={split: tuple(Case(**case) for case in found["cases"][split]) for split in SPLITS},
        block=found["block"],
        max_tokens=found["max_tokens"],
        seed=found["seed"],
        candidates=tuple((style, text) for style, text in found["candidates"]),
        demo_sets=tuple(tuple(ids) for ids in found["demo_sets"]),
        labels=tuple(found.get("labels", ())),
        json_key=found.get("json_key"),
        source=found["source"],
        licence=found["licence"],
        demo_instructions=tuple(found.get("demo_instructions", ())),
    )


def load_task(name: str) -> Task:
    return parse_task(json.loads((HERE / "tasks" / f"{name}.json").read_text()))


def task_names(*, null: bool = False) -> list[str]:
    """Tasks that have a table; with ``null`` those whose candidates differ by nothing that matters."""
    names = sorted(path.stem for path in (HERE / "tables").glob("*.npz"))
    return [name for name in names if name.startswith("null_") is null]

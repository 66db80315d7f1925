"""The recorded answers of one task: what the model wrote for every prompt and case, and how many tokens that took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.tasks import HERE, SPLITS, Prompt, Task, load_task


@dataclass(frozen=True, eq=False)
class Table:
    """Arrays of (prompt, case): ``answers`` index into ``texts``; tokens of the prompt and of the answer."""

    task: Task
    prompts: tuple[Prompt, ...]
    case_ids: tuple[str, ...]
    texts: tuple[str, ...]
    answers: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    answer_tokens: NDArray[np.int64]
    recorded: dict[str, Any]
    """With which weights, library and settings."""

    @cached_property
    def row(self) -> dict[Prompt, int]:
        return {prompt: number for number, prompt in enumerate(self.prompts)}

    @cached_property
    def column(self) -> dict[str, int]:
        return {case: number for number, case in enumerate(self.case_ids)}

    @cached_property
    def columns(self) -> dict[str, NDArray[np.int64]]:
        """The columns of each split, in the order of its cases."""
        return {split: np.array([self.column[case.id] for case in self.task.cases[split]]) for split in SPLITS}

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right, by the task's own rule."""
        read = np.array([self.task.read(text) for text in self.texts])
        wanted = np.array([self.task.by_id[case].target.casefold() for case in self.case_ids])
        return np.asarray(read[self.answers] == wanted[None, :])

    def accuracy(self, prompt: Prompt, split: str) -> float:
        """Share of right answers, 0…1."""
        return float(self.right[self.row[prompt], self.columns[split]].mean())

    def save(self, folder: Path) -> None:
        about = {
            "prompts": [[prompt.instruction, list(prompt.demos)] for prompt in self.prompts],
            "case_ids": self.case_ids,
            "texts": self.texts,
            "recorded": self.recorded,
        }
        np.savez_compressed(
            folder / f"{self.task.name}.npz",
            about=np.array(json.dumps(about, ensure_ascii=False)),
            answers=self.answers.astype(np.uint16),
            prompt_tokens=self.prompt_tokens.astype(np.uint16),
            answer_tokens=self.answer_tokens.astype(np.uint8),
        )


@cache
def load_table(name: str) -> Table:
    with np.load(HERE / "tables" / f"{name}.npz") as kept:
        about = json.loads(str(kept["about"]))
        return Table(
            task=load_task(name),
            prompts=tuple(Prompt(text, tuple(demos)) for text, demos in about["prompts"]),
            case_ids=tuple(about["case_ids"]),
            texts=tuple(about["texts"]),
            answers=kept["answers"].astype(np.int64),
            prompt_tokens=kept["prompt_tokens"].astype(np.int64),
            answer_tokens=kept["answer_tokens"].astype(np.int64),
            recorded=about["recorded"],
        )

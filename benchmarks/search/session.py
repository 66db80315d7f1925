"""One search on a world: what it may ask, what that costs, and how good what it found is in truth.

An optimizer is ``optimize(task, evaluate, propose, budget, seed)`` and returns a ``Prompt``, or a ``Found`` that tells
what it would use from what it claims to be better than the seed. A lone prompt is claimed when it is not the seed.

- ``task``: a ``View``: the seed prompt, train and dev cases (never the holdout), sets of demonstrations
- ``evaluate(prompt, case_ids)``: a ``Reply`` for each; every (prompt, case) asked is one call, asked again or not.
  Raises ``BudgetExhausted`` before the first call beyond the budget (unless ``hard=False``: tools that cannot be
  stopped between two calls are let finish, and the calls they really used are kept)
- ``propose()``: the next candidate of the bank, in an order that the seed fixes and that is the same for everybody;
  None when there are no more. It costs no call
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from search.tasks import Case, Prompt, Task
from search.worlds import World


class BudgetExhausted(Exception):
    """The next call would be one too many."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whether it is right, and the tokens it took (prompt and answer)."""

    text: str
    correct: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Found:
    """``best``: the prompt the search ends with; ``claimed``: whether it is said to be better than the seed."""

    best: Prompt
    claimed: bool


@dataclass(frozen=True)
class View:
    """What an optimizer may see of a world."""

    name: str
    seed_prompt: Prompt
    train: tuple[Case, ...]
    dev: tuple[Case, ...]
    demo_sets: tuple[tuple[str, ...], ...]
    task: Task


Evaluate = Callable[..., list[Reply]]
Propose = Callable[[], Prompt | None]
Optimizer = Callable[[View, Evaluate, Propose, int, int], Prompt | Found]


class Session:
    """Keeps the account of one search."""

    def __init__(self, world: World, budget: int, seed: int) -> None:
        self.world, self.budget, self.seed = world, budget, seed
        self.calls = self.tokens = self.proposals = 0
        self.asked: set[tuple[Prompt, str]] = set()
        self._order = list(world.candidates)
        random.Random(f"order-{seed}").shuffle(self._order)
        self._lock = threading.Lock()  # some peers ask from several threads
        task = world.task
        self.view = View(world.name, world.seed, world.cases["train"], world.cases["dev"], task.demo_sets, task)

    def evaluate(self, prompt: Prompt, case_ids: Sequence[str], *, hard: bool = True) -> list[Reply]:
        """The recorded replies. Raises ``BudgetExhausted``; ``KeyError`` when the prompt was never recorded."""
        table, right = self.world.table, self.world.right
        row, columns = table.row[prompt], [table.column[one] for one in case_ids]
        with self._lock:
            if hard and self.calls + len(columns) > self.budget:
                raise BudgetExhausted(f"{self.calls} + {len(columns)} > {self.budget}")
            self.calls += len(columns)
            self.asked.update((prompt, one) for one in case_ids)
            used = table.prompt_tokens[row, columns] + table.answer_tokens[row, columns]
            self.tokens += int(used.sum())
        return [
            Reply(self._text(row, column, case), bool(right[row, column]), int(tokens))
            for column, case, tokens in zip(columns, case_ids, used, strict=True)
        ]

    def _text(self, row: int, column: int, case: str) -> str:
        world = self.world
        if world.right is world.table.right:
            return world.table.texts[world.table.answers[row, column]]
        return world.task.answer(world.by_id[case]) if world.right[row, column] else "?"  # outcomes are simulated

    def propose(self) -> Prompt | None:
        with self._lock:
            number = self.proposals
            self.proposals += 1
        return self._order[number] if number < len(self._order) else None

    def outcome(self, found: Prompt | Found) -> dict[str, Any]:
        """What the search is worth, on the holdout it never saw. Accuracies 0…1; of the claim: the seed's if none."""
        world = self.world
        if isinstance(found, Prompt):
            found = Found(found, claimed=found != world.seed)
        best, seed = world.accuracy(found.best), world.accuracy(world.seed)
        return {
            "budget": self.budget, "seed": self.seed, "calls": self.calls, "distinct": len(self.asked),
            "tokens": self.tokens, "best": round(best, 4), "claimed": found.claimed,
            "shipped": round(best if found.claimed else seed, 4), "start_accuracy": round(seed, 4),
            "row": world.table.row[found.best], "changed": found.best != world.seed,
        }  # fmt: skip


def search(optimize: Optimizer, world: World, budget: int, seed: int) -> dict[str, Any]:
    """Run one search to its end; its outcome with the seconds of CPU-bound replay it took."""
    session = Session(world, budget, seed)
    started = time.perf_counter()
    found = optimize(session.view, session.evaluate, session.propose, budget, seed)
    return {**session.outcome(found), "wall_s": round(time.perf_counter() - started, 4)}

"""Where a search starts and what is true there: a recorded task, or one where no candidate is better than another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.table import Table
from search.tasks import SPLITS, Case, Prompt, Task

GROUP = 5
"""Cases in one group of the clustered null."""


@dataclass(frozen=True, eq=False)
class World:
    """``right``: whether each (prompt, case) of the table is answered right; ``null``: nothing can be improved."""

    name: str
    table: Table
    seed: Prompt
    candidates: tuple[Prompt, ...]
    right: NDArray[np.bool_]
    cases: dict[str, tuple[Case, ...]]
    null: bool = False

    @property
    def task(self) -> Task:
        return self.table.task

    @cached_property
    def by_id(self) -> dict[str, Case]:
        return {case.id: case for split in SPLITS for case in self.cases[split]}

    def accuracy(self, prompt: Prompt, split: str = "holdout") -> float:
        """Share of right answers, 0…1."""
        return float(self.right[self.table.row[prompt], self.table.columns[split]].mean())


def recorded(table: Table, *, demos: bool = False) -> World:
    """The careless seed against the bank (with ``demos``: and every recorded set of demonstrations)."""
    task = table.task
    candidates = (*task.instructions[1:], *(task.with_demos if demos else ()))
    name = f"{task.name}/{'demos' if demos else 'weak'}"
    return World(name, table, task.instructions[0], candidates, table.right, dict(task.cases))


def from_the_best(table: Table) -> World:
    """The best instruction there is (on dev and holdout together) is the seed: replacing it can only lose."""
    world = recorded(table)
    every = np.concatenate([table.columns["dev"], table.columns["holdout"]])
    best = max(table.task.instructions, key=lambda prompt: table.right[table.row[prompt], every].mean())
    others = tuple(prompt for prompt in table.task.instructions if prompt != best)
    return replace(world, name=f"{table.task.name}/strong", seed=best, candidates=others)


def null_wording(table: Table) -> World:
    """A task whose candidates say the same in other words, answered by the real model."""
    return replace(recorded(table), name=f"{table.task.name}/null-wording", null=True)


def null_simulated(table: Table, seed: int) -> World:
    """Every prompt answers case j right with the same chance p_j: the mean of the better half of the bank."""
    world = recorded(table)
    rows = [table.row[prompt] for prompt in table.task.instructions]
    overall = table.right[rows].mean(axis=1)
    better = [row for row, rate in zip(rows, overall, strict=True) if rate >= np.median(overall)]
    chance = table.right[better].mean(axis=0)
    drawn = np.random.default_rng(1000 + seed).random(table.right.shape) < chance
    return replace(world, name=f"{table.task.name}/null-sim", right=drawn, null=True)


def null_dealt(table: Table, seed: int, group: int = 1) -> World:
    """The real answers to each case, dealt out among the prompts anew: no prompt is better, whatever is observed.

    With ``group`` > 1 so many neighbouring cases of a split are dealt together and carry a common group key: within a
    group the answers of one prompt hang together as they did in fact, between groups they do not.
    """
    world = recorded(table)
    rng = np.random.default_rng(5000 + seed)
    rows = np.array([table.row[prompt] for prompt in table.task.instructions])
    right, cases = table.right.copy(), dict(world.cases)
    for split in SPLITS:
        columns = table.columns[split]
        for start in range(0, len(columns), group):
            mine = columns[start : start + group]
            right[np.ix_(rows, mine)] = table.right[np.ix_(rng.permutation(rows), mine)]
        if group > 1:
            cases[split] = tuple(
                replace(case, group=f"{split}-{place // group}") for place, case in enumerate(world.cases[split])
            )
    name = f"{table.task.name}/null-{'groups' if group > 1 else 'dealt'}"
    return replace(world, name=name, right=right, cases=cases, null=True)


def make_world(table: Table, start: str, seed: int) -> World:
    """``start``: weak, demos, strong, null-sim, null-dealt, null-groups, null-wording. Raises ``ValueError`` else."""
    if start in ("weak", "demos"):
        return recorded(table, demos=start == "demos")
    if start == "strong":
        return from_the_best(table)
    if start == "null-wording":
        return null_wording(table)
    if start == "null-sim":
        return null_simulated(table, seed)
    if start in ("null-dealt", "null-groups"):
        return null_dealt(table, seed, GROUP if start == "null-groups" else 1)
    raise ValueError(f"no start {start!r}")

"""From single searches to what a table says: means over tasks for each seed, differences with intervals, calls needed.

A mean is taken over tasks for each seed, then over seeds. Intervals are Student's t over those per-seed means: they say
how much the order of the proposals and the draw of the cases matter on these very tasks. What other tasks would do is
told by the bootstrap, which draws tasks and seeds anew.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

DRAWS = 10_000
Line = dict[str, Any]
Measure = Callable[[Line], float]


def best(line: Line) -> float:
    """Holdout accuracy of the prompt the search ends with."""
    return float(line["best"])


def shipped(line: Line) -> float:
    """Holdout accuracy of what is in use afterwards: the prompt if it is claimed to be better, else the seed."""
    return float(line["shipped"])


def claimed(line: Line) -> float:
    """1 when an improvement is claimed."""
    return float(line["claimed"])


def claimed_no_better(line: Line) -> float:
    """1 when an improvement is claimed that the holdout does not show."""
    return float(line["claimed"] and line["best"] <= line["start_accuracy"])


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    seeds: int


class Runs:
    """Searches by method, start and budget."""

    def __init__(self, lines: Iterable[Line], tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._found: dict[tuple[str, str, int], dict[tuple[str, int], Line]] = defaultdict(dict)
        for line in lines:
            if line["task"] in self.tasks:
                self._found[line["method"], line["start"], line["budget"]][line["task"], line["seed"]] = line

    def budgets(self, method: str, start: str) -> list[int]:
        return sorted(budget for one, other, budget in self._found if (one, other) == (method, start))

    def lines(self, method: str, start: str, budget: int) -> list[Line]:
        return list(self._found.get((method, start, budget), {}).values())

    def by_seed(self, method: str, start: str, budget: int, measure: Measure) -> dict[int, float]:
        """The mean over the tasks for each seed that was run on every one of them."""
        found = self._found.get((method, start, budget), {})
        seeds = {seed for _, seed in found if all((task, seed) in found for task in self.tasks)}
        return {seed: mean([measure(found[task, seed]) for task in self.tasks]) for seed in sorted(seeds)}

    def mean(self, method: str, start: str, budget: int, measure: Measure) -> float | None:
        """Over tasks and seeds; None when it was not run."""
        found = self.by_seed(method, start, budget, measure)
        return mean(list(found.values())) if found else None

    def difference(
        self, one: str, other: str, start: str, budget: int, measure: Measure, than: int | None = None
    ) -> Interval | None:
        """``one`` less ``other`` (at the budget ``than``, if that is another one), paired by seed.

        None when they have fewer than two seeds in common.
        """
        ours, theirs = self.by_seed(one, start, budget, measure), self.by_seed(other, start, than or budget, measure)
        common = sorted(ours.keys() & theirs.keys())
        return interval([ours[seed] - theirs[seed] for seed in common]) if len(common) > 1 else None

    def unpaired(
        self, one: str, other: str, start: str, budget: int, measure: Measure, than: int | None = None
    ) -> Interval | None:
        """The same difference of the means over all seeds of each, with Welch's 95 % interval (Biometrika 34, 1947).

        Where one has many more seeds it says more than the pairs do. None when either has fewer than two seeds.
        """
        from scipy.stats import t

        ours = list(self.by_seed(one, start, budget, measure).values())
        theirs = list(self.by_seed(other, start, than or budget, measure).values())
        if min(len(ours), len(theirs)) < 2:
            return None
        parts = [(_variance(values) / len(values), len(values) - 1) for values in (ours, theirs)]
        error, middle = sum(part for part, _ in parts), mean(ours) - mean(theirs)
        freedom = error**2 / sum(part**2 / free for part, free in parts) if error else 1.0
        half = float(t.ppf(0.975, freedom)) * math.sqrt(error)
        return Interval(middle, middle - half, middle + half, min(len(ours), len(theirs)))

    def bootstrap(
        self, one: str, other: str, start: str, budget: int, measure: Measure, than: int | None = None
    ) -> Interval | None:
        """``difference`` with a 95 % percentile interval over tasks and seeds, both drawn anew with replacement.

        The pigeonhole bootstrap of crossed data (Owen 2007, Annals of Applied Statistics 1). None as ``difference``.
        """
        import numpy as np

        ours = self._found.get((one, start, budget), {})
        theirs = self._found.get((other, start, than or budget), {})
        both = ours.keys() & theirs.keys()
        common = sorted({seed for _, seed in both if all((task, seed) in both for task in self.tasks)})
        if len(common) < 2:
            return None
        gaps = np.array(
            [[measure(ours[task, seed]) - measure(theirs[task, seed]) for seed in common] for task in self.tasks]
        )
        rng, (tasks, seeds) = np.random.default_rng(0), gaps.shape
        of_tasks = rng.multinomial(tasks, [1 / tasks] * tasks, DRAWS) / tasks
        of_seeds = rng.multinomial(seeds, [1 / seeds] * seeds, DRAWS) / seeds
        low, high = np.quantile((of_tasks @ gaps * of_seeds).sum(axis=1), (0.025, 0.975))
        return Interval(float(gaps.mean()), float(low), float(high), seeds)

    def calls_to(self, method: str, start: str, target: float, measure: Measure = best) -> int | None:
        """The smallest budget from which on (in all larger ones, too) the mean is at least ``target``."""
        needed = None
        for budget in reversed(self.budgets(method, start)):
            found = self.mean(method, start, budget, measure)
            if found is None or found < target - 1e-9:
                break
            needed = budget
        return needed

    def share(self, method: str, start: str, budget: int, measure: Measure) -> tuple[int, int] | None:
        """How many of the searches, of how many; tasks and seeds alike."""
        lines = self.lines(method, start, budget)
        return (round(sum(measure(line) for line in lines)), len(lines)) if lines else None


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def interval(values: Sequence[float]) -> Interval:
    """Student's t, 95 %, of two or more values."""
    from scipy.stats import t

    middle = mean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * math.sqrt(_variance(values) / len(values))
    return Interval(middle, middle - half, middle + half, len(values))


def _variance(values: Sequence[float]) -> float:
    middle = mean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


def upper_bound(count: int, total: int) -> float:
    """One-sided 95 % upper bound of a proportion (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy.stats import beta

    return 1.0 if count == total else float(beta.ppf(0.95, count + 1, total - count))

"""When a comparison stops: it is won, lost, not worth going on with, or does harm. Pure.

A variant has **won** when the wealth against "no better than the control" has reached 2K / alpha, and **lost** when
that against "no worse" has (K: how many variants are compared with the control; Bonferroni, so that alpha holds for all
of them together, however often one looks). It is **futile** when the wealth against "better by the effect of interest,
or more" has reached 1 / (1 - power): a variant that is that good is given up with probability 1 - power at most. The
interval is the confidence sequence of the level alpha / K, so that it excludes 0 just when the variant has won or lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sharpen.experiments.bets import Differences
from sharpen.experiments.models import Look

State = Literal["open", "win", "loss", "futility"]


@dataclass(frozen=True, slots=True)
class Rule:
    """``alpha``: accepted probability of any false win or loss. ``effect``: the smallest difference of interest.

    ``power``: accepted probability, at least, of not giving up a variant that is better by ``effect``.
    ``comparisons``: variants beside the control.
    """

    alpha: float = 0.05
    power: float = 0.8
    effect: float = 0.05
    comparisons: int = 1

    @property
    def level(self) -> float:
        """Of one comparison, two-sided."""
        return self.alpha / self.comparisons

    @property
    def log_threshold(self) -> float:
        """Log wealth that wins, or loses."""
        return math.log(2 / self.level)

    @property
    def log_futile(self) -> float:
        """Log wealth that ends a comparison as not worth going on with."""
        return -math.log1p(-self.power)


class Sequential:
    """One variant against the control, on differences in [-1, 1] (above 0: the variant is better)."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._seen = Differences(rule.effect)
        self._low, self._high = -1.0, 1.0
        self._best_above = self._best_below = self._best_futile = 0.0
        self.looks: list[Look] = []
        self.state: State = "open"

    def look(self, differences: Iterable[float]) -> State:
        """Add what is new and look. A state that was reached stays."""
        self._seen.add(differences)
        seen, rule = self._seen, self._rule
        if not len(seen):
            return self.state
        self._best_above = max(self._best_above, seen.log_wealth(0.0))
        self._best_below = max(self._best_below, seen.log_wealth(0.0, above=False))
        self._best_futile = max(self._best_futile, seen.log_wealth(rule.effect, above=False))
        low, high = seen.interval(rule.level)
        self._low, self._high = max(self._low, low), min(self._high, high)
        if self._low > self._high:  # so rare that the world must have changed meanwhile: then the past is no guide
            self._low, self._high = low, high
        self.looks.append(Look(samples=len(seen), estimate=seen.mean, low=self._low, high=self._high))
        if self.state == "open":
            self.state = self._judge()
        return self.state

    def _judge(self) -> State:
        if self._best_above >= self._rule.log_threshold:
            return "win"
        if self._best_below >= self._rule.log_threshold:
            return "loss"
        return "futility" if self._best_futile >= self._rule.log_futile else "open"

    @property
    def samples(self) -> int:
        return len(self._seen)

    @property
    def estimate(self) -> float:
        return self._seen.mean

    @property
    def interval(self) -> tuple[float, float]:
        """What no look so far has excluded."""
        return self._low, self._high

    @property
    def e_values(self) -> tuple[float, float]:
        """(for better, for worse): the largest wealth so far; 1 to begin with."""
        return _bounded_exp(self._best_above), _bounded_exp(self._best_below)

    def could_win(self, left: int) -> bool:
        """Whether it would win if the variant were better on each of ``left`` samples to come."""
        return self._seen.log_wealth(0.0, best=left) >= self._rule.log_threshold


def _bounded_exp(log: float) -> float:
    return math.exp(min(log, 600.0))

"""Not worse by more than a margin: a bet on bounded differences that no honest game lets grow. Pure.

Differences minus their hypothesised mean, -margin, are bet on; if the true mean is at or below it, the wealth is a
non-negative supermartingale, and P(it ever reaches 1/level) ≤ level (Ville). Nothing else is assumed, neither symmetry
nor large samples, and one may look after every case. Source: Waudby-Smith & Ramdas (2024), "Estimating means of bounded
random variables by betting", JRSS B 86; the bets are a fixed mixture instead of tuned ones, so that order matters not.
"""

from __future__ import annotations

import math

STAKES = ((1.0, 0.5), (0.8, 0.2), (0.6, 0.1), (0.4, 0.1), (0.2, 0.05), (0.1, 0.05))
"""(share of the largest stake, weight). Half the money is on "nothing changes at all": a smaller prompt often does."""


class MarginBet:
    """Wealth of a bet that the mean difference is above ``-margin``. ``largest``: cases in the largest unit."""

    def __init__(self, margin: float, largest: int = 1) -> None:
        self._margin, self._largest = margin, largest
        self._stakes = [share / (1 - margin) * (1 - 1e-9) for share, _ in STAKES]
        self._logs = [math.log(weight) for _, weight in STAKES]
        self.best = 1.0

    def add(self, difference: float, cases: int = 1) -> None:
        """One unit: the sum of its cases' differences, each in -1..1."""
        gain = (difference + self._margin * cases) / self._largest
        for k, stake in enumerate(self._stakes):
            self._logs[k] += math.log1p(max(-1 + 1e-12, stake * gain))
        self.best = max(self.best, self.wealth)

    @property
    def wealth(self) -> float:
        """What one unit of money has become."""
        return math.fsum(math.exp(min(600.0, log)) for log in self._logs)

    @property
    def p_value(self) -> float:
        """One-sided, valid at any moment: 1 / the largest wealth so far (Ville's inequality)."""
        return min(1.0, 1 / self.best)

    def could_reach(self, p_value: float, units: list[tuple[float, int]]) -> bool:
        """Whether it can get there if each of the ``units`` to come gains as much as given, as (difference, cases)."""
        trial = MarginBet(self._margin, self._largest)
        trial._logs, trial.best = list(self._logs), self.best
        for difference, cases in units:
            trial.add(difference, cases)
        return trial.p_value <= p_value


def least_margin(units: int, level: float) -> float:
    """The smallest margin (0..1) that ``units`` single cases can prove if not one of them changes."""
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(50):
        middle = (low + high) / 2
        if MarginBet(middle).could_reach(level, [(0.0, 1)] * units):
            high = middle
        else:
            low = middle
    return high


def units_for_margin(margin: float, level: float) -> int:
    """The fewest single cases, none of which changes, that prove "not worse by more than ``margin``"."""
    bet, number = MarginBet(margin), 0
    while bet.p_value > level:
        bet.add(0.0)
        number += 1
    return number

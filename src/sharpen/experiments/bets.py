"""Always-valid evidence about a mean of differences in [-1, 1]: a mixture of bets. Pure.

With d the differences and m their hypothesised mean, the wealth ::

    W(m) = sum_k w_k prod_i (1 - c_k + c_k (1 + d_i) / (1 + m))        0 < c_k < 1, sum_k w_k = 1

is a non-negative supermartingale that starts at 1 if the true mean, given the past, is at or below m. So
P(W(m) ever reaches 1 / level) <= level (Ville's inequality): one may look after every observation, and stop whenever
one likes. The means for which it has never reached 1 / level are a confidence sequence's lower end; the upper end is
the same of -d. Nothing is assumed of the differences but their bounds.

Sources: Waudby-Smith, I. & Ramdas, A. (2024), "Estimating means of bounded random variables by betting", JRSS B 86, for
the bets; Robbins, H. (1970), "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist.
41, for mixing them. For differences of -1, 0 and 1 and m = 0 it is the mixture likelihood ratio of McNemar's test: the
n-th power of (1 + c) for a win, of (1 - c) for a loss, and cases on which both agree count for nothing. Bets are fixed
beforehand, so that neither the order of observations matters nor how they came in batches.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAKES = 32
LARGEST_STAKE = 0.99
TYPICAL_STAKE = 0.4
"""Weights fall as exp(-c / 0.4), from half the effect of interest on: no bet is worth more when nothing smaller counts.
Chosen by power in simulations (``benchmarks/ab.py`` compares it with others)."""
FINEST = 2048
"""Above so many distinct differences they are rounded to as many steps, against the claim."""


@lru_cache(maxsize=32)
def stakes(effect: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(stakes c_k, log weights) for an effect of interest in (0, 1)."""
    import numpy as np

    smallest = min(0.25, max(5e-4, effect / 2))
    stake = np.geomspace(smallest, LARGEST_STAKE, STAKES)
    weight = np.exp(-stake / TYPICAL_STAKE) * stake  # a density, on points whose distances grow as they do
    return stake, np.log(weight / weight.sum())


class Differences:
    """Differences seen so far, each in [-1, 1], above 0 where the variant is better; looked at as often as one likes.

    ``effect``: the smallest mean difference of interest, which only chooses the bets.
    """

    def __init__(self, effect: float) -> None:
        self._effect = effect
        self._seen: Counter[float] | None = Counter()
        self._steps: dict[bool, NDArray[np.float64]] = {}  # instead, once there are too many distinct ones
        self._tables: dict[bool, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._total = 0.0
        self._number = 0

    def add(self, differences: Iterable[float]) -> None:
        """Raises ``ValueError`` for one outside of [-1, 1]."""
        new = list(differences)
        for difference in new:
            if not -1 <= difference <= 1:
                raise ValueError(f"difference {difference!r} is not between -1 and 1")
        self._total += math.fsum(new)
        self._number += len(new)
        self._tables = {}
        if self._seen is None:
            self._round(Counter(new))
            return
        self._seen.update(new)
        if len(self._seen) > FINEST:
            self._round(self._seen)
            self._seen = None

    def _round(self, seen: Mapping[float, int]) -> None:
        """Count in steps, each difference rounded down for a claim that it is high, up for one that it is low."""
        import numpy as np

        for above in (True, False):
            values, counts = _values(seen, above)
            steps = np.bincount((values * FINEST).astype(int), weights=counts, minlength=FINEST + 1).astype(float)
            self._steps[above] = self._steps[above] + steps if above in self._steps else steps

    def __len__(self) -> int:
        return self._number

    @property
    def mean(self) -> float:
        """0 when nothing was seen."""
        return self._total / self._number if self._number else 0.0

    def log_wealth(self, mean: float, *, above: bool = True, best: int = 0) -> float:
        """Log of the wealth against "the mean is at or below ``mean``" (not ``above``: "at or above").

        ``best``: as if so many more had been seen that speak against it as clearly as one can.
        """
        import numpy as np

        values, counts = self._table(above)
        if best:
            values, counts = np.append(values, 1.0), np.append(counts, best)
        sign = 1 if above else -1
        return _log_wealth(values, counts, (1 + sign * mean) / 2, self._effect)

    def interval(self, level: float) -> tuple[float, float]:
        """The means that a bet of wealth 2 / ``level`` has not excluded: (-1, 1) at first. Two-sided."""
        threshold = math.log(2 / level)
        return self._bound(True, threshold), -self._bound(False, threshold)

    def _bound(self, above: bool, threshold: float) -> float:
        """The largest excluded mean of the differences (of their negatives), for the wealth falls in the mean."""
        table = self._table(above)
        low, high = 0.0, 1.0  # means of (1 + d) / 2
        if not self._number or _log_wealth(*table, 1e-9, self._effect) < threshold:
            return -1.0
        for _ in range(24):
            middle = (low + high) / 2
            if _log_wealth(*table, middle, self._effect) >= threshold:
                low = middle
            else:
                high = middle
        return 2 * low - 1

    def _table(self, above: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distinct values of (1 ± d) / 2 and how often each was seen."""
        import numpy as np

        if above not in self._tables:
            rounded = np.arange(FINEST + 1) / FINEST
            self._tables[above] = (rounded, self._steps[above]) if self._seen is None else _values(self._seen, above)
        return self._tables[above]


def _values(seen: Mapping[float, int], above: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    sign = 1.0 if above else -1.0
    values = (1 + sign * np.fromiter(seen.keys(), float, len(seen))) / 2
    return values, np.fromiter(seen.values(), float, len(seen))


def _log_wealth(values: NDArray[np.float64], counts: NDArray[np.float64], mean: float, effect: float) -> float:
    import numpy as np

    stake, weight = stakes(effect)
    mean = min(1.0, max(1e-9, mean))
    logs = np.log1p(stake[:, None] * (values[None, :] / mean - 1)) @ counts + weight
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).sum()))

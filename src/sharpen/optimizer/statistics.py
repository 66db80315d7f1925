"""Numbers only: percentiles, the exact paired test and the interval that goes with it, correction for many tests.

Sources:
    McNemar, Q. (1947), Psychometrika 12; its exact form is the binomial test on the discordant pairs.
    Newcombe, R. G. (1998), "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17, method 10.
    Wilson, E. B. (1927), JASA 22 (the score interval of one proportion).
    Holm, S. (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    Liang, K.-Y. & Zeger, S. L. (1986), Biometrika 73 (the cluster-robust variance), for the ratio of two sums as in
    Cochran, W. G. (1977), *Sampling Techniques*, section 9A; Student's t with clusters - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from mmap import mmap

SUMMED = 2_000
"""Up to so many discordant pairs the test is summed up in integers: of a hundred thousand that would take hours."""

SORTED = 20_000
"""Up to so many values are put in order to find the one at a rank."""
SAMPLED = 10_000
MARGIN = 200
"""Of a random sample so many places are four standard deviations of the median's."""

SPARE = 1_000
"""So many observations are held in any case."""


def nearest_rank(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile: always an observed value. None for no values. ``percent`` in (0, 100]."""
    if not values:
        return None
    return _of_rank(values, _rank(len(values), percent))


def _rank(number: int, percent: float) -> int:
    return max(1, math.ceil(percent / 100 * number))


class Observations:
    """Numbers of which percentiles from the ``lowest`` up are asked. At most so many as ``expected`` come: of more, the
    lowest percentile may be told too high.

    Only the largest are held, as no other can be such a percentile; of a million a twentieth where 95 is the lowest.
    Their room comes from the system and goes back to it when they are dropped; an array would stay with the allocator
    of the thread that filled it.
    """

    def __init__(self, expected: int, lowest: float) -> None:
        self._needed = max(1, expected - _rank(expected, lowest) + 1)
        self._room = memoryview(mmap(-1, 8 * (self._needed + expected // 8 + SPARE))).cast("d")
        self._number = self._held = 0
        self._floor = -math.inf

    def __len__(self) -> int:
        return self._number

    def add(self, value: float) -> None:
        self._number += 1
        if value > self._floor:
            self._room[self._held] = value
            self._held += 1
            if self._held == len(self._room):
                self._drop()

    def percentile(self, percent: float) -> float | None:
        """By nearest rank, as ``nearest_rank`` of all of them."""
        if not self._number:
            return None
        from_top = self._number - _rank(self._number, percent)
        return _of_rank(self._room[: self._held], max(1, self._held - from_top))

    def _drop(self) -> None:
        """Hold no more than are needed, in the same room."""
        self._floor = floor = _of_rank(self._room, self._held - self._needed + 1)
        self._held = 0
        for value in self._room:
            if value > floor:
                self._room[self._held] = value  # behind those that were looked at
                self._held += 1
        while self._held < self._needed:  # those that are equal to it
            self._room[self._held] = floor
            self._held += 1


def _of_rank(values: Sequence[float], rank: int) -> float:
    """The value at a rank, from 1. Of many values only those near it are put in order: a second list of them all, in
    objects of their own, would be four times an array of them.

    Where it must lie an even sample tells (as in Floyd & Rivest, 1975, CACM 18, "Expected time bounds for selection").
    """
    if len(values) > SORTED:
        sample = sorted(values[:: len(values) // SAMPLED])
        at = len(sample) * rank // len(values)
        low = sample[at - MARGIN] if at >= MARGIN else -math.inf
        high = sample[at + MARGIN] if at + MARGIN < len(sample) else math.inf
        below = sum(value < low for value in values)
        near = sorted(value for value in values if low <= value <= high)
        if below < rank <= below + len(near):
            return near[rank - below - 1]
    return sorted(values)[rank - 1]  # the sample was not like the rest, or there are few


def mcnemar_exact(fixed: int, broken: int) -> float:
    """Two-sided exact p value of ``fixed`` against ``broken`` discordant pairs; 1.0 when there is none.

    Of many pairs the binomial sum is the regularised incomplete beta function (Abramowitz & Stegun, 26.5.24).
    """
    discordant = fixed + broken
    if discordant == 0:
        return 1.0
    fewer = min(fixed, broken)
    if discordant > SUMMED:
        from scipy.special import betainc

        return min(1.0, 2 * float(betainc(discordant - fewer, fewer + 1, 0.5)))
    tail = sum(math.comb(discordant, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**discordant))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the same order: those at most alpha are significant with a family-wise error of alpha."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def smallest_provable_sample(alpha: float) -> int:
    """Fewest pairs whose unanimous change reaches ``alpha`` in the exact test: the least n with 2 · 0.5ⁿ ≤ alpha."""
    return max(1, math.ceil(math.log2(2 / alpha) - 1e-12))


def wilson(successes: float, n: int, z: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion. (0, 1) when ``n`` is 0."""
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def normal_quantile(alpha: float) -> float:
    """The two-sided standard normal quantile z(1 − alpha / 2)."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha / 2)


def paired_interval(both: int, fixed: int, broken: int, neither: int, alpha: float) -> tuple[float, float]:
    """Newcombe's method 10 for (second − first) of two paired proportions; (-1, 1) when there is no pair.

    ``both``: passes under both; ``fixed``: only under the second; ``broken``: only under the first.
    """
    n = both + fixed + broken + neither
    if n == 0:
        return -1.0, 1.0
    z = normal_quantile(alpha)
    second, first = (both + fixed) / n, (both + broken) / n
    low2, high2 = wilson(both + fixed, n, z)
    low1, high1 = wilson(both + broken, n, z)
    margins = (both + fixed) * (broken + neither) * (both + broken) * (fixed + neither)
    phi = 0.0
    if margins:
        association = float(both * neither - fixed * broken)
        if association > 0:  # Newcombe's continuity correction, for positive association only
            association = max(association - n / 2, 0)
        phi = association / math.sqrt(margins)
    down2, up2, down1, up1 = second - low2, high2 - second, first - low1, high1 - first
    delta = math.sqrt(max(0.0, down2**2 - 2 * phi * down2 * up1 + up1**2))
    epsilon = math.sqrt(max(0.0, up2**2 - 2 * phi * up2 * down1 + down1**2))
    effect = second - first
    return max(-1.0, effect - delta), min(1.0, effect + epsilon)


def mean_interval(differences: Sequence[float], alpha: float) -> tuple[float, float]:
    """Student's t interval of a mean of paired differences in [-1, 1]; (-1, 1) below two values.

    Used when cases were repeated, so that a case's outcome is a rate and no longer a yes or no.
    """
    n = len(differences)
    if n < 2:
        return -1.0, 1.0
    from scipy import stats

    mean = math.fsum(differences) / n
    variance = math.fsum((d - mean) ** 2 for d in differences) / (n - 1)
    half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * math.sqrt(variance / n)
    return max(-1.0, mean - half), min(1.0, mean + half)


def cluster_interval(clusters: Sequence[tuple[float, int]], alpha: float) -> tuple[float, float]:
    """Interval of the mean difference of a case, from (sum of differences, cases) of each cluster; in [-1, 1].

    Only clusters are taken as independent; (-1, 1) below two of them.
    """
    n = len(clusters)
    if n < 2:
        return -1.0, 1.0
    from scipy import stats

    cases = sum(size for _, size in clusters)
    mean = math.fsum(total for total, _ in clusters) / cases
    squares = math.fsum((total - mean * size) ** 2 for total, size in clusters)
    half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * math.sqrt(squares * n / (n - 1)) / cases
    return max(-1.0, mean - half), min(1.0, mean + half)

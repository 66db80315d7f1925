"""The difference between a high quantile of two paired samples: permutation test and bootstrap interval. Numbers only.

Quantiles are nearest-rank ones, as everywhere in sharpen. If nothing differs, a unit's two measurements may be swapped:
the test counts in how many seeded swaps the quantiles differ as much. The interval resamples whole units.

Sources:
    Efron, B. & Tibshirani, R. J. (1993), *An Introduction to the Bootstrap*, chapters 13 (percentile interval) and 15
    (permutation tests); Davison, A. C. & Hinkley, D. V. (1997), *Bootstrap Methods*, section 3.8 (clusters).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sharpen.history.paired_mean import Shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS, DRAWS_OF_MANY, MANY = 2_000, 1_000, 20_000
"""So many draws, and so many above so many cases."""
CELLS = 4_000_000
"""Swapped values looked at at once."""


def quantile_shift(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    unit: NDArray[np.int64],
    share: float,
    alpha: float,
    seed: int = 0,
) -> Shift:
    """The difference of the ``share`` quantiles (0..1), after − before, of paired values."""
    draws = DRAWS if len(before) <= MANY else DRAWS_OF_MANY
    change = float(_quantile(after, share) - _quantile(before, share))
    if np.array_equal(before, after):
        return Shift(0.0, 0.0, 0.0, 1.0, "paired permutation")
    rng = np.random.default_rng(seed)
    p_value = _swap_p(before, after, unit, share, abs(change), draws, rng)
    low, high = _bootstrap(before, after, unit, share, alpha, draws, rng)
    return Shift(change, min(low, change), max(high, change), p_value, f"paired permutation ({draws:,} draws)")


def _rank(number: int, share: float) -> int:
    return max(1, math.ceil(share * number - 1e-9))


def _quantile(values: NDArray[np.float64], share: float) -> float:
    at = _rank(len(values), share) - 1
    return float(np.partition(values, at)[at])


def _swap_p(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    unit: NDArray[np.int64],
    share: float,
    observed: float,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """Only the top of both samples, sorted together, decides where a high quantile lies: mostly that is looked at."""
    number = len(before)
    from_top = number - _rank(number, share) + 1
    pooled = np.concatenate([before, after])
    order = np.argsort(-pooled, kind="stable")
    units = int(unit.max()) + 1
    extreme = 0
    left = draws
    top = min(2 * number, 4 * from_top + 200)
    while left:
        some = min(left, max(1, CELLS // max(top, units)))
        swapped = rng.integers(0, 2, (some, units), dtype=np.int8).astype(bool)
        for rows in (order[:top], order):
            second = (rows >= number) ^ swapped[:, unit[rows % number]]
            counts = np.cumsum(second, axis=1, dtype=np.int32)
            others = np.arange(1, len(rows) + 1, dtype=np.int32) - counts
            if len(rows) == 2 * number or bool((np.minimum(counts[:, -1], others[:, -1]) >= from_top).all()):
                break
        values = pooled[rows]
        quantile2 = values[np.argmax(counts >= from_top, axis=1)]
        quantile1 = values[np.argmax(others >= from_top, axis=1)]
        extreme += int(np.count_nonzero(np.abs(quantile2 - quantile1) >= observed * (1 - 1e-12)))
        left -= some
    return (1 + extreme) / (1 + draws)


def _bootstrap(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    unit: NDArray[np.int64],
    share: float,
    alpha: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """The percentile interval; a unit that is drawn twice weighs twice. The top decides here, too."""
    number, units = len(before), int(unit.max()) + 1
    sizes = np.bincount(unit)
    top = min(number, 2 * (number - _rank(number, share)) + 200)
    sides = [(values[order], unit[order]) for values in (before, after) for order in [np.argsort(-values)]]
    found = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(0, units, units), minlength=units)
        drawn = int(times @ sizes)
        from_top = drawn - _rank(drawn, share) + 1
        at = []
        for values, unit_of in sides:
            for some in (top, number):
                weight = np.cumsum(times[unit_of[:some]])
                if weight[-1] >= from_top:
                    break
            at.append(values[np.searchsorted(weight, from_top)])
        found[draw] = at[1] - at[0]
    low, high = np.quantile(found, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)

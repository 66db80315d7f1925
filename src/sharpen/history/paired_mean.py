"""The mean difference of pairs: its interval and its test, by case or by group of cases. Numbers only.

Sources:
    Cochran, W. G. (1977), *Sampling Techniques*, section 9A, and Liang, K.-Y. & Zeger, S. L. (1986), Biometrika 73: the
    variance of a ratio of two sums over clusters. With one case a cluster it is that of Student's paired t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sharpen.history.sign_flips import sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shift:
    """A paired difference, second − first. ``low`` and ``high`` are None where there are too few pairs to say."""

    change: float
    low: float | None
    high: float | None
    p_value: float
    test: str


def mean_shift(differences: NDArray[np.float64], unit: NDArray[np.int64], alpha: float, seed: int = 0) -> Shift:
    """The mean of ``differences``; ``unit`` numbers (from 0, without gaps) the unit of each."""
    low, high = mean_interval(differences, unit, alpha)
    p_value, how = sign_flip_p(unit_sums(differences, unit), seed)
    return Shift(float(differences.mean()), low, high, p_value, f"paired permutation of signs ({how})")


def unit_sums(differences: NDArray[np.float64], unit: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of each unit's differences."""
    return np.bincount(unit, weights=differences).astype(np.float64, copy=False)


def mean_interval(
    differences: NDArray[np.float64], unit: NDArray[np.int64], alpha: float
) -> tuple[float | None, float | None]:
    """Student's t, robust to clusters, with units - 1 degrees of freedom; (None, None) below two units."""
    from scipy.special import stdtrit

    sizes = np.bincount(unit)
    units = len(sizes)
    if units < 2:
        return None, None
    mean = float(differences.mean())
    residuals = unit_sums(differences, unit) - mean * sizes
    spread = math.sqrt(float(residuals @ residuals) * units / (units - 1)) / len(differences)
    half = float(stdtrit(units - 1, 1 - alpha / 2)) * spread
    return mean - half, mean + half

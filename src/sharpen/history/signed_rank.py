"""Wilcoxon's signed-rank test of paired differences, the shift that goes with it and its interval. Numbers only.

The shift is the one that, taken off every difference, leaves no tendency: the median of all means of two differences
(Hodges & Lehmann). The interval holds every shift that the test would not reject. In a large sample neither needs the
n² means themselves: both are where the test's statistic crosses a level.

Sources:
    Wilcoxon, F. (1945), Biometrics Bulletin 1. Hodges, J. L. & Lehmann, E. L. (1963), Annals of Mathematical
    Statistics 34. Hollander, M. & Wolfe, D. A. (1999), *Nonparametric Statistical Methods*, section 3.3.
    Rosner, B., Glynn, R. J. & Lee, M.-L. T. (2006), Biometrics 62: signed ranks summed over each cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sharpen.history.paired_mean import Shift, unit_sums
from sharpen.history.sign_flips import sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRECISION = 1e-4
"""Of the range that is searched."""
PAIRWISE = 500
"""Of so many differences all pairs are looked at."""


def rank_shift(differences: NDArray[np.float64], unit: NDArray[np.int64], alpha: float, seed: int = 0) -> Shift:
    """The typical difference of a pair. ``unit`` numbers (from 0, without gaps) the unit of each."""
    from scipy.special import ndtri

    units = int(unit.max()) + 1
    clustered = units < len(differences)
    if not differences.any():
        return Shift(0.0, 0.0, 0.0, 1.0, "Wilcoxon signed rank" + (" on groups" if clustered else ""))
    critical = float(ndtri(1 - alpha / 2))
    middle = _middle(differences, unit)
    low, high = _crossing(differences, unit, critical), _crossing(differences, unit, -critical)
    p_value, name = _clustered_p(differences, unit, seed) if clustered else _wilcoxon_p(differences)
    return Shift(middle, low, high, p_value, name)


def _middle(differences: NDArray[np.float64], unit: NDArray[np.int64]) -> float:
    """The median of the means of any two differences (and of each with itself)."""
    if len(differences) <= PAIRWISE:
        return float(np.median(np.add.outer(differences, differences)[np.tril_indices(len(differences))]) / 2)
    crossing = _crossing(differences, unit, 0.0)
    assert crossing is not None  # below the least difference all are positive, above the greatest all negative
    return crossing


def _wilcoxon_p(differences: NDArray[np.float64]) -> tuple[float, str]:
    from scipy.stats import wilcoxon

    found = differences[differences != 0]
    if len(found) <= 12 and len(np.unique(np.abs(found))) < len(found):  # ties: the exact distribution given them
        ranks = _signed_ranks(found)
        return sign_flip_p(ranks)[0], "Wilcoxon signed rank (exact)"
    exact = len(found) <= 50 and len(np.unique(np.abs(found))) == len(found)
    tested = wilcoxon(found, method="exact" if exact else "approx", correction=not exact)
    return float(tested.pvalue), f"Wilcoxon signed rank{' (exact)' if exact else ''}"


def _clustered_p(differences: NDArray[np.float64], unit: NDArray[np.int64], seed: int) -> tuple[float, str]:
    p_value, how = sign_flip_p(unit_sums(_signed_ranks(differences), unit), seed)
    return p_value, f"Wilcoxon signed rank on groups ({how})"


def _signed_ranks(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of the sizes, ties averaged, with the differences' signs; 0 for no difference, which takes no rank."""
    from scipy.stats import rankdata

    signed = np.zeros(len(differences))
    some = differences != 0
    signed[some] = np.sign(differences[some]) * rankdata(np.abs(differences[some]))
    return signed


def _crossing(differences: NDArray[np.float64], unit: NDArray[np.int64], level: float) -> float | None:
    """The shift at which the standardized statistic falls to ``level``; None when no shift brings it so far."""
    from scipy.optimize import brentq

    def above(shift: float) -> float:
        return _standardized(differences - shift, unit) - level

    least, most = float(differences.min()), float(differences.max())
    pad = max(most - least, abs(most), abs(least)) * 1e-3
    if above(least - pad) <= 0 or above(most + pad) >= 0:
        return None
    left, right = (float(value) for value in np.quantile(differences, [0.25, 0.75]))  # where it mostly is
    if above(left) <= 0:
        left = least - pad
    if above(right) >= 0:
        right = most + pad
    return float(brentq(above, left, right, xtol=PRECISION * (right - left), rtol=1e-12, maxiter=200))


def _standardized(differences: NDArray[np.float64], unit: NDArray[np.int64]) -> float:
    sums = unit_sums(_signed_ranks(differences), unit)
    spread = float(np.sqrt(sums @ sums))
    return float(sums.sum()) / spread if spread else 0.0

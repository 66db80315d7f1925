"""Sign-flip tests of paired differences: if nothing differs, the sign of each unit's difference is a fair coin.

A unit is a case, or all cases of a group: its differences are summed first, so that cases which succeed and fail
together count once. Numbers only.

Sources:
    Fisher, R. A. (1935), *The Design of Experiments*, section 21 (the test).
    Phipson, B. & Smyth, G. K. (2010), "Permutation p-values should never be zero", Statistical Applications in
    Genetics and Molecular Biology 9 (the 1 that is added above and below).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sharpen.optimizer.proof.sign_flip import SignFlipSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENUMERATED = 14
"""Up to so many units that differ, all sign patterns are looked at."""
SUMMED = 200_000
"""Whole differences are convolved while the sum of their sizes stays below that."""
SIZES = 64
MOST_DRAWS, FEWEST_DRAWS = 20_000, 2_000
WORK = 200_000_000
"""Signs drawn at most, unless the fewest draws take more."""
CELLS = 4_000_000
"""Numbers in memory at once."""
TIE = 1e-9
"""Relative: sums that differ by less are equal but for rounding."""


def sign_flip_p(sums: NDArray[np.float64], seed: int = 0) -> tuple[float, str]:
    """Two-sided p value of the units' summed differences, and how it was found ("exact", "20,000 draws")."""
    sums = sums[sums != 0]
    if not len(sums):
        return 1.0, "exact"
    observed = abs(float(sums.sum())) - TIE * float(np.abs(sums).sum())
    if len(sums) <= ENUMERATED:
        patterns = (np.arange(1 << len(sums))[:, None] >> np.arange(len(sums))) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ sums) >= observed)), "exact"
    draws = draws_for(len(sums))
    rng = np.random.default_rng(seed)
    table, total, extreme, left = _byte_sums(sums), float(sums.sum()), 0, draws
    rows = np.arange(len(table)) * 256
    while left:
        some = min(left, max(1, CELLS // len(table)))
        signs = rng.integers(0, 256, (some, len(table)), dtype=np.uint8)
        flipped = 2 * table.ravel()[rows + signs].sum(axis=1) - total
        extreme += int(np.count_nonzero(np.abs(flipped) >= observed))
        left -= some
    return (1 + extreme) / (1 + draws), f"{draws:,} draws"


def _byte_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each eight units the sum of any selection, by the byte that selects them: eight signs in one look-up."""
    padded = np.zeros(-(-len(sums) // 8) * 8)
    padded[: len(sums)] = sums
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return padded.reshape(-1, 8) @ bits.T.astype(np.float64)


def whole_sign_flip_p(sums: NDArray[np.int64], seed: int = 0) -> tuple[float, str]:
    """The same for whole numbers, exact whenever that is cheap."""
    sums = sums[sums != 0]
    sizes = np.abs(sums)
    if int(sizes.sum()) > SUMMED or len(np.unique(sizes)) > SIZES:
        return sign_flip_p(sums.astype(np.float64), seed)
    towards = sums if sums.sum() >= 0 else -sums
    tail = SignFlipSequence(0.5).look(towards.tolist(), 1.0).tail
    return min(1.0, 2 * tail), "exact"


def draws_for(units: int) -> int:
    """As many draws as the work allows: 20,000, and at least 2,000 for very many units."""
    return max(FEWEST_DRAWS, min(MOST_DRAWS, WORK // max(1, units) // 1000 * 1000))

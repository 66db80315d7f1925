"""What a proof can show: the smallest effect that so many cases can prove, and the cases that an effect takes. Pure.

A unit is a case, or a group of cases. The power is that of the exact one-sided sign test on the units that change, at
the end of the holdout; the proof's is up to three points lower, for giving up early (``benchmarks/proof.py``). Source:
Miettinen, O. S. (1968), "The matched pairs design in the case of all-or-none responses", Biometrics 24.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_POWER = 0.8
MOST_UNITS = 1_000_000
FEW_UNITS = 100
"""Up to here the sums are as quick as the import of the library that makes them quick."""


def least_provable(units: int, level: float) -> float:
    """The least gain (0..1) that any outcome on ``units`` units can prove at one-sided ``level``: all changes for good.

    1.0 or more, as infinity, when not even a change of every unit does.
    """
    unanimous = unanimous_units(level)
    return unanimous / units if units >= unanimous else math.inf


def unanimous_units(level: float) -> int:
    """The fewest units whose unanimous change proves something: the least n with 0.5ⁿ ≤ ``level``."""
    return max(1, math.ceil(math.log2(1 / level) - 1e-12))


def power_of(effect: float, units: int, level: float, discordance: float | None = None) -> float:
    """The probability of proving a true gain of ``effect`` (0..1).

    ``discordance``: the share of units that change at all (None: only for the better, the most favourable case).
    """
    changing = min(1.0, max(effect, discordance or 0.0))
    if effect <= 0 or changing <= 0 or units < 1:
        return 0.0
    better = min(1.0, (changing + effect) / (2 * changing))
    if units <= FEW_UNITS:
        return _power_of_few(changing, better, units, level)
    import numpy as np
    from scipy.special import bdtrc

    spread = math.sqrt(units * changing * (1 - changing))
    first = max(0, math.floor(units * changing - 9 * spread - 9))
    last = min(units, math.ceil(units * changing + 9 * spread + 9))
    changed = np.arange(first, last + 1)
    needed = _needed(changed, level)
    probability = _binomial(changed, units, changing)
    wins = np.where(needed > changed, 0.0, np.where(better >= 1.0, 1.0, bdtrc(needed - 1.0, changed, better)))
    return float(np.sum(probability * wins))


def smallest_effect(
    units: int, level: float, discordance: float | None = None, power: float = USUAL_POWER
) -> float | None:
    """The smallest true gain (0..1) that is proved with probability ``power``. None: not even a gain of 1 is.

    ``discordance`` as in ``power_of``.
    """
    if power_of(1.0, units, level) < power:
        return None
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if power_of(middle, units, level, discordance) >= power:
            high = middle
        else:
            low = middle
    return high


def cases_needed(
    effect: float, level: float, discordance: float | None = None, power: float = USUAL_POWER
) -> int | None:
    """The fewest units that prove a true gain of ``effect`` (0..1) with probability ``power``.

    None: more than a million. The power is a saw-tooth: a few units more may do a little worse.
    """
    if power_of(effect, MOST_UNITS, level, discordance) < power:
        return None
    low, high = 0, 1
    while power_of(effect, high, level, discordance) < power:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(effect, middle, level, discordance) >= power:
            high = middle
        else:
            low = middle
    return high


def _power_of_few(changing: float, better: float, units: int, level: float) -> float:
    """The same sum without a library. Its thousands of terms share two rows of powers."""
    good_to, bad_to = [better**n for n in range(units + 1)], [(1 - better) ** n for n in range(units + 1)]
    return math.fsum(
        _mass(changed, units, changing)
        * math.fsum(math.comb(changed, n) * good_to[n] * bad_to[changed - n] for n in range(needed, changed + 1))
        for changed, needed in enumerate(_needed_of_few(units, level))
    )


def _mass(count: int, units: int, probability: float) -> float:
    """The binomial probability of ``count``."""
    return float(math.comb(units, count) * probability**count * (1 - probability) ** (units - count))


@lru_cache(maxsize=8)
def _needed_of_few(units: int, level: float) -> tuple[int, ...]:
    """As ``_needed``, for 0 to ``units`` changed ones."""
    found = [1]
    for changed in range(1, units + 1):
        needed, tail = changed + 1, 0
        while needed and tail + math.comb(changed, needed - 1) <= level * (1 + 1e-12) * 2**changed:
            needed -= 1
            tail += math.comb(changed, needed)
        found.append(needed)
    return tuple(found)


def _needed(changed: NDArray[Any], level: float) -> NDArray[Any]:
    """For each number of changed units the least number of good ones that is significant; above it: none is."""
    import numpy as np
    from scipy.special import bdtrc

    guess = np.maximum(0, np.floor(changed / 2)).astype(int)
    low, high = guess, changed + 1
    while np.any(low < high):
        middle = (low + high) // 2
        tail = np.where(middle <= 0, 1.0, bdtrc(middle - 1.0, np.maximum(changed, 1), 0.5))
        tail = np.where(middle > changed, 0.0, tail)
        good = tail <= level * (1 + 1e-12)
        high, low = np.where(good, middle, high), np.where(good, low, middle + 1)
    needed: NDArray[Any] = np.where(changed == 0, 1, low)
    return needed


def _binomial(counts: NDArray[Any], units: int, probability: float) -> NDArray[Any]:
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    logs = gammaln(units + 1) - gammaln(counts + 1) - gammaln(units - counts + 1)
    found: NDArray[Any] = np.exp(logs + xlogy(counts, probability) + xlog1py(units - counts, -probability))
    return found

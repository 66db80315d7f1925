"""The exact group-sequential sign-flip test: is the sum of paired differences above what fair coins give? Pure.

Each unit (a case, or a group of cases) has a difference. If nothing differs, its sign is a fair coin whatever its size,
so the distribution of the sum, given the sizes, is known exactly (Fisher 1935, *The Design of Experiments*, section 21;
for differences of -1, 0 and 1 it is McNemar's exact test). At each look the probability of having won already plus that
of winning now may not exceed what is spent by then (Lan & DeMets 1983, *Biometrika* 70). What has been spent depends on
the share of cases seen, which is known beforehand, and the boundaries on the sizes alone, never on the signs: so the
error of all looks together is at most the level, wherever one stops. With more losses than gains to be expected it is
smaller still, for the test is monotone in every sign.

The spending function is level · share² (Kim & DeMets 1987, *Biometrika* 74): about as powerful as one look at the end,
and earlier over than O'Brien and Fleming's (``benchmarks/proof.py`` compares them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPENDING_POWER = 2.0
ROUNDING = 1e-12
"""Relative slack when probabilities are compared: above their rounding, far below any that matters."""
_DIRECT = 4096  # shorter distributions are convolved by summing, longer ones by FFT


def spent_by(level: float, share: float) -> float:
    """How much of ``level`` may be spent when ``share`` (0..1) of the cases have been seen."""
    return float(level * min(1.0, share) ** SPENDING_POWER)


@dataclass(frozen=True, slots=True)
class Boundary:
    """One look. ``total``: the sum so far; ``needed``: the least that wins, None when no outcome could win here.

    ``tail``: the exact one-sided p value of the sum at this look alone; ``nominal``: its threshold here, for intervals;
    ``p_value``: of the whole procedure, should it end here (stagewise ordering: an earlier win is more extreme).
    """

    total: int
    needed: int | None
    tail: float
    nominal: float
    p_value: float

    @property
    def won(self) -> bool:
        return self.needed is not None and self.total >= self.needed


class SignFlipSequence:
    """Looks at one growing sample. ``level`` is one-sided: for "the sum is above zero".

    ``spending``: (level, share of cases seen) → what may be spent by then; rising to ``level`` at 1.
    """

    def __init__(self, level: float, spending: Callable[[float, float], float] = spent_by) -> None:
        import numpy

        self._np = numpy
        self._level, self._spending = level, spending
        self._going: NDArray[np.float64] = numpy.ones(1)  # P(sum = s and not won so far), s from -_reach to _reach
        self._all: NDArray[np.float64] = numpy.ones(1)  # P(sum = s)
        self._reach = 0
        self._total = 0
        self._spent = 0.0

    def look(self, differences: Sequence[int], share: float) -> Boundary:
        """Add the units that are new since the last look; ``share`` of all cases have now been seen."""
        np = self._np
        sizes = Counter(abs(difference) for difference in differences if difference)
        for size, count in sorted(sizes.items()):
            step = _coins(count, size)
            self._going, self._all = _convolve(self._going, step), _convolve(self._all, step)
            self._reach += size * count
        self._total += sum(differences)
        at = self._total + self._reach
        tails = np.cumsum(self._going[::-1])  # tails[j]: P(not won so far, sum >= reach - j)
        whole = np.cumsum(self._all[::-1])
        top = len(tails) - 1 - at
        room = max(0.0, self._spending(self._level, share) - self._spent)
        allowed = int(np.searchsorted(tails, room * (1 + ROUNDING), side="right")) - 1
        # cells that cannot be reached cost nothing: the boundary is the least sum that has a probability
        while allowed >= 0 and self._all[len(tails) - 1 - allowed] <= ROUNDING * room:
            allowed -= 1
        needed, nominal = None, room
        p_value = min(1.0, self._spent + float(tails[top]))
        if allowed >= 0:
            needed = self._reach - allowed
            nominal = max(room, float(whole[allowed]))
            self._spent += float(tails[allowed])
            self._going = self._going.copy()
            self._going[len(tails) - 1 - allowed :] = 0.0
        return Boundary(self._total, needed, min(1.0, float(whole[top])), nominal, p_value)

    def could_win(self, gains: Sequence[int]) -> bool:
        """Whether the test can still be won at the end, if every unit to come gains as much as it can (``gains``)."""
        trial = SignFlipSequence(self._level, self._spending)
        trial._going, trial._all, trial._reach = self._going, self._all, self._reach
        trial._total, trial._spent = self._total, self._spent
        return trial.look([gain for gain in gains if gain > 0], 1.0).won


@lru_cache(maxsize=512)
def _coins(count: int, size: int) -> NDArray[np.float64]:
    """The distribution of the sum of ``count`` fair signs times ``size``, on the integers -count·size … count·size."""
    import numpy as np

    sums = np.zeros(2 * count * size + 1)
    sums[:: 2 * size] = _binomial(count)
    return sums


def _binomial(count: int) -> NDArray[np.float64]:
    import math

    import numpy as np

    if count <= 1000:
        return np.array([math.comb(count, k) / (1 << count) for k in range(count + 1)])
    log_half = count * math.log(0.5)
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(count + 1)]
    return np.exp(np.array(logs) + log_half)


def _convolve(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    if min(len(left), len(right)) <= 64 or len(left) + len(right) <= _DIRECT:
        return np.convolve(left, right)
    size = len(left) + len(right) - 1
    padded = 1 << (size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(left, padded) * np.fft.rfft(right, padded), padded)[:size]
    return np.clip(product, 0.0, None)

"""When to give a proof up: it can no longer succeed, or hardly. Pure, and without any say in what is accepted.

Giving up early only ever takes acceptances away, so the rule costs power, never validity ("non-binding"). It is the
conditional power of Lan, Simon & Halperin (1982, *Communications in Statistics C* 1), by the normal approximation,
under an optimistic reading of what was seen: the mean gain plus one standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

GIVE_UP_BELOW = 0.10
_NORMAL = NormalDist()


def hopeless(gains: Sequence[float], units_left: int, level: float) -> bool:
    """Whether ``units_left`` more units would turn the sum of ``gains`` (one a unit) into a win with less than 10 %."""
    seen = len(gains)
    if units_left <= 0 or seen < 2:
        return False
    mean = math.fsum(gains) / seen
    # one more change than was seen, half a gain and half a loss: a few equal units do not prove that all are equal
    power_sum = math.fsum(gain * gain for gain in gains) + max(map(abs, gains), default=0.0) ** 2
    if power_sum == 0.0:
        power_sum = 1.0
    each = power_sum / (seen + 1)
    drift = mean + math.sqrt(each / seen)
    needed = _NORMAL.inv_cdf(1 - level) * math.sqrt(each * (seen + units_left))
    expected = mean * seen + drift * units_left
    return _NORMAL.cdf((expected - needed) / math.sqrt(each * units_left)) < GIVE_UP_BELOW

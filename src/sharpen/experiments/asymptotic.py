"""Confidence sequences for means without bounds (latency, tokens, cost): asymptotic, and said so. Pure.

Source: Waudby-Smith, I., Arbour, D., Sinha, R., Kennedy, E. H. & Ramdas, A. (2024), "Time-uniform central limit theory
and asymptotic confidence sequences", Annals of Statistics 52, equation (8): with the running variance s², ::

    mean ± s sqrt( 2 (n rho² + 1) / (n² rho²) · log( sqrt(n rho² + 1) / level ) )

rho is chosen so that it is about narrowest at ``TIGHTEST`` samples (their section B.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

FEWEST = 30
"""Below so many samples nothing is said: the limit theorem has not begun."""
TIGHTEST = 200


class RunningMean:
    """Mean and interval of any numbers with a variance (Welford's update)."""

    def __init__(self) -> None:
        self.number = 0
        self.mean = 0.0
        self._squares = 0.0
        self._low, self._high = -math.inf, math.inf

    def add(self, values: Iterable[float]) -> None:
        for value in values:
            self.number += 1
            step = value - self.mean
            self.mean += step / self.number
            self._squares += step * (value - self.mean)

    def interval(self, level: float) -> tuple[float, float] | None:
        """Two-sided; None below ``FEWEST`` samples."""
        n = self.number
        if n < FEWEST:
            return None
        deviation = math.sqrt(self._squares / (n - 1))
        rho = math.sqrt((-2 * math.log(level) + math.log(1 - 2 * math.log(level))) / TIGHTEST)
        scale = n * rho * rho + 1
        half = deviation * math.sqrt(2 * scale / (n * rho) ** 2 * math.log(math.sqrt(scale) / level))
        return self.mean - half, self.mean + half

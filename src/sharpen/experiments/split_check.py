"""Are units split as they were assigned? A sequential multinomial test. Pure.

Under the assigned shares p the mixture likelihood ratio ::

    E_n = Gamma(a) / Gamma(a + n) · prod_v Gamma(a p_v + n_v) / Gamma(a p_v) / p_v^n_v

is a martingale that starts at 1 (a Dirichlet mixture around p, of concentration a), so that P(it ever reaches
1 / level) <= level, however often one looks. Source: Lindon, M. & Malek, A. (2022), "Anytime-valid inference for
multinomial count data", NeurIPS 35.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CONCENTRATION = 100.0
"""How near to the assigned shares the alternatives are: a split that is off by a few points is what bugs make."""
LEVEL = 0.001


class SplitTest:
    """Counts units as they come in, and keeps the largest e-value that it has seen. ``shares`` add up to 1."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = tuple(shares)
        self.counts = [0] * len(shares)
        self.log_e = 0.0  # the largest so far
        self._log = 0.0

    def add(self, variant: int) -> None:
        """One unit fell to this variant."""
        prior, total = CONCENTRATION * self._shares[variant], sum(self.counts)
        self._log += math.log((prior + self.counts[variant]) / (CONCENTRATION + total) / self._shares[variant])
        self.counts[variant] += 1
        self.log_e = max(self.log_e, self._log)

    def mismatch(self, level: float = LEVEL) -> bool:
        return self.log_e >= -math.log(level)

"""What earlier searches let one expect of a strategy: a Gaussian process with named parts of variance.

The gain of strategy s in search i is taken to be a sum of parts that are drawn independently, with mean zero:

    gain(s, i) = any strategy anywhere + s anywhere + any strategy on such prompts + s on such prompts
                 + all strategies in search i + what s happened to propose in search i

so that two gains covary by

    EVERYWHERE² + STRATEGY² [s = s'] + k(i, i') (ALIKE² + STRATEGY_ALIKE² [s = s'])
                + [i = i'] (SEARCH² + [s = s'] LUCK²)

where k is the similarity of two searches. What was observed adds the variance of its sampling of cases. Mean and
variance of a new gain given the observed ones: Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, eq.
2.23 and 2.24; the same as the best linear unbiased prediction of a mixed model (Robinson 1991). Searches that look the
same share their parts: ten of one prompt do not count as ten of ten prompts. The parts are constants and never fitted:
with few searches a fit would be a guess, and more evidence could make an answer less sure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sharpen.optimizer.recommending.evidence import Observation, SearchEvidence
from sharpen.optimizer.recommending.features import similarities
from sharpen.optimizer.recommending.models import Features

EVERYWHERE, STRATEGY, ALIKE, STRATEGY_ALIKE, SEARCH, LUCK = 0.15, 0.1, 0.15, 0.15, 0.15, 0.1
"""Standard deviations, in pass rate."""

Z_80 = 1.2815515655446004
"""Half an 80 % interval of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Mean and standard deviation of a gain."""

    mean: float
    deviation: float

    @property
    def low(self) -> float:
        return self.mean - Z_80 * self.deviation

    @property
    def high(self) -> float:
        return self.mean + Z_80 * self.deviation


PRIOR = Belief(0.0, math.sqrt(sum(part**2 for part in (EVERYWHERE, STRATEGY, ALIKE, STRATEGY_ALIKE, SEARCH, LUCK))))
"""What is believed of any strategy before anything was observed."""


class Posterior:
    """Beliefs given ``history`` (each search once, see ``distinct``)."""

    def __init__(self, history: Sequence[SearchEvidence]) -> None:
        self.history = tuple(history)
        self._rows: list[tuple[int, Observation]] = [
            (number, seen) for number, search in enumerate(self.history) for seen in search.observations
        ]
        self._search = np.array([number for number, _ in self._rows], dtype=int)
        names = {name: code for code, name in enumerate(dict.fromkeys(seen.strategy for _, seen in self._rows))}
        self._names: Mapping[str, int] = names
        self._strategy = np.array([names[seen.strategy] for _, seen in self._rows], dtype=int)
        self._gains = np.array([seen.gain for _, seen in self._rows])

    def expect(self, features: Features, strategies: Sequence[str]) -> dict[str, Belief]:
        """The gain of each strategy in a search with these features, other than those observed."""
        if not self._rows:
            return dict.fromkeys(strategies, PRIOR)
        alike = self.similar(features)[self._search]
        found = {}
        for name in strategies:
            same = self._strategy == self._names.get(name, -1)
            shared = EVERYWHERE**2 + same * STRATEGY**2 + alike * (ALIKE**2 + same * STRATEGY_ALIKE**2)
            mean = float(shared @ self._weights)
            variance = PRIOR.deviation**2 - float(shared @ self._precision @ shared)
            found[name] = Belief(mean, math.sqrt(max(variance, SEARCH**2 + LUCK**2)))
        return found

    def without(self, searches: Sequence[int]) -> dict[tuple[int, str], Belief]:
        """What would be expected of the observations in ``searches`` (places in ``history``) had they not been made.

        As they would be observed: their sampling of cases included. From the inverse of all, without computing one
        anew: Rasmussen & Williams, eq. 5.12, for a block of rows.
        """
        rows = np.flatnonzero(np.isin(self._search, list(searches)))
        variance = np.linalg.inv(self._precision[np.ix_(rows, rows)])
        mean = self._gains[rows] - variance @ self._weights[rows]
        return {
            (self._rows[row][0], self._rows[row][1].strategy): Belief(float(mean[k]), math.sqrt(variance[k, k]))
            for k, row in enumerate(rows)
        }

    def similar(self, features: Features) -> NDArray[np.float64]:
        """The similarity of every search of the history."""
        if not self.history:
            return np.zeros(0)
        return np.asarray(similarities([features], [search.features for search in self.history])[0])

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """By which what is shared with every observation makes the mean."""
        return np.asarray(self._precision @ self._gains)

    @cached_property
    def _precision(self) -> NDArray[np.float64]:
        """The inverse of the covariance of all that was observed."""
        known = [search.features for search in self.history]
        alike = similarities(known, known)[np.ix_(self._search, self._search)]
        same = self._strategy[:, None] == self._strategy[None, :]
        here = self._search[:, None] == self._search[None, :]
        covariance = EVERYWHERE**2 + same * STRATEGY**2 + alike * (ALIKE**2 + same * STRATEGY_ALIKE**2)
        covariance = covariance + here * (SEARCH**2 + same * LUCK**2)
        noise = np.array([seen.variance for _, seen in self._rows])
        return np.asarray(np.linalg.inv(covariance + np.diag(noise)))

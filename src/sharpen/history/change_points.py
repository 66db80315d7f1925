"""When a series of runs changed, with a bound on how often that is said of one that did not. Pure.

Nothing is known beforehand: neither the level before a change, nor the level after it, nor how many there are. Runs are
looked at one after the other, as they came. For every run τ that could be the first one after a change an *e-process*
weighs the evidence that it is, and their sum is an e-detector (Shin, Ramdas & Rinaldo 2023, "E-detectors: a
nonparametric framework for sequential change detection", the Shiryaev–Roberts form): where it reaches ``threshold`` a
change is noted at the τ with most evidence, and the watch starts again from there.

- **Counts** (passed of so many): the two levels' Beta(½, ½) mixtures against the best single level (universal
  inference, Wasserman, Ramdas & Balakrishnan 2020, PNAS 117). Cases that differ in difficulty make it more careful, not
  less (Hoeffding 1956: a sum of unlike Bernoulli trials varies less than a binomial one).
- **Values** (latency, tokens, cost): bets that runs from τ on are higher, or lower, than those before it, at odds that
  are fair for ranks alone (a conformal test martingale, Vovk et al. 2021, "Retrain or not retrain"). No distribution
  is assumed, only that runs without a change could have come in any order.

In either case, without a change, P(any false alarm within m runs) ≤ m / threshold, by Ville's inequality: a false alarm
is on average at least threshold / 2 runs away.
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import betaln, xlogy

THRESHOLD = 1_000.0
"""For one series; of four watched side by side, as of a workflow, a false alarm is on average 125 runs away or more.

Measured (``docs/history.md``) it is farther: the bound counts each kind of series at its worst."""
PLAUSIBLE = 0.05
"""A run with at least this share of the best one's evidence may as well be the first one after the change."""
_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # marks: the lowest, the quartiles and the highest of the points before
_STAKES = (0.5, 0.9)
_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Shift:
    """A change in a series: ``at`` is the first run after it, between ``earliest`` and ``latest``, by place from 0.

    ``noticed`` is the run with which there was evidence enough; ``evidence``, an e-value, is of the best place.
    """

    at: int
    earliest: int
    latest: int
    noticed: int
    evidence: float


class Watch(Protocol):
    """Evidence about a series that is still growing: log e-values of a change before each of its points."""

    def add(self, point: tuple[float, float]) -> np.ndarray:
        """Take the next point in; ``[j]`` of the answer is of a change right before point j (0: that is none)."""


def count_shifts(passed: Sequence[int], of: Sequence[int], threshold: float = THRESHOLD) -> tuple[Shift, ...]:
    """Changes of a rate: ``passed[i]`` of ``of[i]`` in run i. A run of no case says nothing."""
    return _shifts([(float(k), float(n)) for k, n in zip(passed, of, strict=True)], CountWatch, threshold)


def value_shifts(values: Sequence[float], threshold: float = THRESHOLD, seed: int = 0) -> tuple[Shift, ...]:
    """Changes of a figure, by ranks alone. ``seed``: for equal values, whose order is drawn."""
    rng = random.Random(seed)
    return _shifts([(value, rng.random()) for value in values], RankWatch, threshold)


def _shifts(points: Sequence[tuple[float, float]], watch: Callable[[], Watch], threshold: float) -> tuple[Shift, ...]:
    found: list[Shift] = []
    start = 0
    while start < len(points):
        watching, next_start = watch(), len(points)
        for place in range(start, len(points)):
            evidence = watching.add(points[place])[1:]
            if len(evidence) and _log_sum(evidence) >= np.log(threshold):
                best = float(evidence.max())
                plausible = np.flatnonzero(evidence >= best + np.log(PLAUSIBLE)) + start + 1
                at = int(evidence.argmax()) + start + 1
                found.append(Shift(at, int(plausible[0]), int(plausible[-1]), place, float(np.exp(min(best, 700.0)))))
                next_start = at
                break
        start = next_start
    return tuple(found)


class CountWatch:
    """Evidence that a rate changed; a point is (passed, of)."""

    def __init__(self) -> None:
        self._passed = np.zeros(1)  # before point j
        self._failed = np.zeros(1)

    def add(self, point: tuple[float, float]) -> np.ndarray:
        """See ``Watch``."""
        passed, of = point
        k, f = self._passed, self._failed
        all_passed, all_failed = k[-1] + passed, f[-1] + of - passed
        best_single = xlogy(all_passed, all_passed / max(1.0, all_passed + all_failed)) + xlogy(
            all_failed, all_failed / max(1.0, all_passed + all_failed)
        )
        evidence = _mixture(k, f) + _mixture(all_passed - k, all_failed - f) - best_single
        self._passed, self._failed = np.append(k, all_passed), np.append(f, all_failed)
        return np.asarray(evidence)


class RankWatch:
    """Evidence that values went up or down; a point is (value, a number that orders equal ones).

    For every place where a change may have been, the points before it set marks (their middle, …, their highest). If
    nothing changed, the next point is above a mark with probability (points seen above it + 1) / (points seen + 1),
    whatever their distribution; each bet stakes a part of its wealth on "above", or on "below".
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        self._marks = np.zeros((0, len(_LEVELS), 2))  # by place of the change: values, and what orders equal ones
        self._above = np.zeros((0, len(_LEVELS)))  # how many seen points are above the mark
        self._wealth = np.zeros((0, 2, len(_STAKES), len(_LEVELS)))  # logs, by direction, stake and mark

    def add(self, point: tuple[float, float]) -> np.ndarray:
        """See ``Watch``."""
        seen = len(self._seen)
        self._begin(seen)
        marks, order = self._marks[..., 0], self._marks[..., 1]
        is_above = (point[0] > marks) | ((point[0] == marks) & (point[1] > order))
        chance = (self._above + 1) / (seen + 1)
        for direction, (hit, of) in enumerate(((is_above, chance), (~is_above, 1 - chance))):
            for stake, part in enumerate(_STAKES):
                won = 1 - part + part / np.maximum(of, 1e-12)
                self._wealth[:, direction, stake] += np.log(np.where(hit, won, 1 - part))
        self._above += is_above
        insort(self._seen, point)
        bets = self._wealth.reshape(len(self._wealth), -1)
        highest = bets.max(axis=1, keepdims=True)
        return np.asarray(highest[:, 0] + np.log(np.exp(bets - highest).mean(axis=1)))

    def _begin(self, seen: int) -> None:
        """A change may be right here: marks by all points so far (before the first there is none, and no change)."""
        places = [min(seen - 1, int(level * seen)) for level in _LEVELS] if seen else []
        marks = np.array([self._seen[place] for place in places] or np.zeros((len(_LEVELS), 2)))
        above = np.array([seen - 1 - place for place in places] or np.zeros(len(_LEVELS)))
        self._marks = np.concatenate([self._marks, marks[None]])
        self._above = np.concatenate([self._above, above[None]])
        self._wealth = np.concatenate([self._wealth, np.zeros((1, *self._wealth.shape[1:]))])


def _mixture(passed: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Log likelihood of so many, over all rates by Beta(½, ½)."""
    return np.asarray(betaln(passed + _PRIOR, failed + _PRIOR) - betaln(_PRIOR, _PRIOR))


def _log_sum(logs: np.ndarray) -> float:
    highest = float(logs.max())
    return highest + float(np.log(np.exp(logs - highest).sum()))

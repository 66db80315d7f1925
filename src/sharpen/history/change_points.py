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
        self._points = 0
        self._before = np.zeros((3, 1))  # before point j: passed, failed, and how likely that is, as a log

    def add(self, point: tuple[float, float]) -> np.ndarray:
        """See ``Watch``."""
        passed, of = point
        self._points += 1
        k, f, likely = self._before[:, : self._points]
        all_passed, all_failed = k[-1] + passed, f[-1] + of - passed
        best_single = xlogy(all_passed, all_passed / max(1.0, all_passed + all_failed)) + xlogy(
            all_failed, all_failed / max(1.0, all_passed + all_failed)
        )
        evidence = likely + _mixture(all_passed - k, all_failed - f) - best_single
        self._before = _with_room(self._before, self._points)
        self._before[:, self._points] = all_passed, all_failed, _mixture(all_passed, all_failed)
        return np.asarray(evidence)


class RankWatch:
    """Evidence that values went up or down; a point is (value, a number that orders equal ones).

    For every place where a change may have been, the points before it set marks (their middle, …, their highest). If
    nothing changed, the next point is above a mark with probability (points seen above it + 1) / (points seen + 1),
    whatever their distribution; each bet stakes a part of its wealth on "above", or on "below".
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        # The last axis is the place of the change: NumPy is many times faster along a long axis than a short one.
        self._marks = np.zeros((2, len(_LEVELS), 0))  # values, and what orders equal ones
        self._above = np.zeros((len(_LEVELS), 0))  # how many seen points are above the mark
        self._wealth = np.zeros((2, len(_STAKES), len(_LEVELS), 0))  # logs, by direction, stake and mark

    def add(self, point: tuple[float, float]) -> np.ndarray:
        """See ``Watch``."""
        seen = len(self._seen)
        self._begin(seen)
        (marks, order), above, wealth = (rows[..., : seen + 1] for rows in (self._marks, self._above, self._wealth))
        is_above = (point[0] > marks) | ((point[0] == marks) & (point[1] > order))
        chance = (above + 1) / (seen + 1)
        chance = np.maximum(np.where(is_above, chance, 1 - chance), 1e-12)  # of what came
        for stake, part in enumerate(_STAKES):
            won, lost = np.log(1 - part + part / chance), np.log(1 - part)
            wealth[0, stake] += np.where(is_above, won, lost)
            wealth[1, stake] += np.where(is_above, lost, won)
        above += is_above
        insort(self._seen, point)
        highest = wealth.max(axis=(0, 1, 2))
        return np.asarray(highest + np.log(np.exp(wealth - highest).mean(axis=(0, 1, 2))))

    def _begin(self, seen: int) -> None:
        """A change may be right here: marks by all points so far (before the first there is none, and no change)."""
        self._marks, self._above, self._wealth = (
            _with_room(rows, seen) for rows in (self._marks, self._above, self._wealth)
        )
        if seen:
            places = [min(seen - 1, int(level * seen)) for level in _LEVELS]
            self._marks[..., seen] = np.transpose([self._seen[place] for place in places])
            self._above[:, seen] = [seen - 1 - place for place in places]


def _with_room(columns: np.ndarray, used: int) -> np.ndarray:
    """With zeros after the ``used`` columns: twice as many when all are, so that not every point copies them all."""
    if used < columns.shape[-1]:
        return columns
    return np.concatenate([columns, np.zeros((*columns.shape[:-1], used or 1))], axis=-1)


def _mixture(passed: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Log likelihood of so many, over all rates by Beta(½, ½)."""
    return np.asarray(betaln(passed + _PRIOR, failed + _PRIOR) - betaln(_PRIOR, _PRIOR))


def _log_sum(logs: np.ndarray) -> float:
    highest = float(logs.max())
    return highest + float(np.log(np.exp(logs - highest).sum()))

"""Train proposes, dev selects, holdout proves: a seeded, stratified split. Pure.

Holdout never falls back to train: a data set that is too small is an error that says how many cases are needed.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sharpen.config.models import SplitConfig
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.statistics import smallest_provable_sample

MIN_TRAIN = 2  # one demonstration and one more to choose from
MIN_DEV = 4  # below this a selection is a coin toss
MAX_STRATA = 20  # more distinct answers than this are free text, not classes


@dataclass(frozen=True, slots=True)
class Split:
    """Case ids of the three parts, each in data-set order; together all cases, none twice."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    holdout: tuple[str, ...]


def split_cases(cases: Sequence[tuple[str, Any]], config: SplitConfig, alpha: float) -> Split:
    """Split ``(case id, expected)`` pairs. Raises ``TooFewCasesError`` when a part cannot do its work.

    Cases with the same expected answer are spread over the parts in proportion, as long as the answers form at most
    20 classes and at most one class for every two cases; otherwise the split is random.
    """
    minimum = (MIN_TRAIN, MIN_DEV, smallest_provable_sample(alpha))
    sizes = _sizes(len(cases), config)
    if any(size < least for size, least in zip(sizes, minimum, strict=True)):
        raise TooFewCasesError(_too_few(len(cases), config, alpha, minimum))
    rng = random.Random(config.seed)
    position = {case_id: index for index, (case_id, _) in enumerate(cases)}
    parts: tuple[list[str], ...] = ([], [], [])
    wanted = (config.train, config.dev, config.holdout)
    for case_id in _interleaved(cases, rng):
        # the part that is furthest behind its share takes the next case, so every stretch of the order is in proportion
        taken = sum(map(len, parts)) + 1
        behind = [wanted[k] * taken - len(parts[k]) if len(parts[k]) < sizes[k] else float("-inf") for k in range(3)]
        parts[behind.index(max(behind))].append(case_id)
    return Split(*(tuple(sorted(part, key=position.__getitem__)) for part in parts))


def _sizes(total: int, config: SplitConfig) -> tuple[int, int, int]:
    """Whole sizes by largest remainder; they add up to ``total``."""
    shares = [config.train * total, config.dev * total, config.holdout * total]
    sizes = [int(share + 1e-9) for share in shares]
    order = sorted(range(3), key=lambda k: (sizes[k] - shares[k], -k))
    for k in order[: total - sum(sizes)]:
        sizes[k] += 1
    return sizes[0], sizes[1], sizes[2]


def _interleaved(cases: Sequence[tuple[str, Any]], rng: random.Random) -> list[str]:
    """All ids, class after class, shuffled within and among classes."""
    strata: dict[str, list[str]] = defaultdict(list)
    for case_id, expected in cases:
        strata[json.dumps(expected, sort_keys=True, default=str)].append(case_id)
    if len(strata) > min(MAX_STRATA, len(cases) // 2):
        strata = {"": [case_id for case_id, _ in cases]}
    order = sorted(strata)
    rng.shuffle(order)
    for name in order:
        rng.shuffle(strata[name])
    return [case_id for name in order for case_id in strata[name]]


def _too_few(total: int, config: SplitConfig, alpha: float, minimum: tuple[int, int, int]) -> str:
    needed = total
    while any(size < least for size, least in zip(_sizes(needed, config), minimum, strict=True)):
        needed += 1
    train, dev, holdout = _sizes(total, config)
    return (
        f"{total} cases are too few to prove an improvement: they split into {train} train, {dev} dev and {holdout} "
        f"holdout, and at alpha {alpha:g} it takes at least {minimum[0]}, {minimum[1]} and {minimum[2]}; "
        f"{needed} cases are needed with this split (optimize.split {config.train:g}/{config.dev:g}/{config.holdout:g})"
    )

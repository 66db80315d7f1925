"""Train proposes, dev selects, holdout proves: a seeded, stratified split that keeps groups whole. Pure.

Holdout never falls back to train: a data set that is too small is an error that says how many cases are needed. Cases
that an earlier search has seen outside its holdout, or that an accepted claim was proved on, are ``barred`` from it.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sharpen.config.models import SplitConfig
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.proof.power import cases_needed, least_provable, unanimous_units
from sharpen.optimizer.statistics import smallest_provable_sample

MIN_TRAIN = 2  # one demonstration and one more to choose from
MIN_DEV = 4  # below this a selection is a coin toss
MAX_STRATA = 20  # more distinct answers than this are free text, not classes
WORTH_PROVING = 0.1
"""When fresh cases are due, it is also said how many would prove a gain of ten points."""

Unit = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Case ids of the three parts, each in data-set order; together all cases, none twice."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    holdout: tuple[str, ...]


def split_cases(
    cases: Sequence[tuple[str, Any]],
    config: SplitConfig,
    alpha: float,
    groups: Mapping[str, str] | None = None,
    barred: Collection[str] = (),
) -> Split:
    """Split ``(case id, expected)`` pairs. Raises ``TooFewCasesError`` when a part cannot do its work.

    Cases with the same expected answer are spread over the parts in proportion, as long as the answers form at most
    20 classes and at most one class for every two cases; otherwise the split is random. Cases of one group (by case id
    in ``groups``) stay together, in proportion of their commonest answer; the parts are then as near to their shares as
    whole groups allow. No case of ``barred``, nor any of its group, comes into the holdout.
    """
    groups = groups or {}
    needed = smallest_provable_sample(alpha)
    plain = _deal(cases, config, groups, frozenset())
    hit = set(barred)
    if barred and not hit.isdisjoint(plain.holdout):
        plain = _deal(cases, config, groups, _with_their_groups(cases, groups, hit))
    counted = _units_in(plain.holdout, groups)
    if len(plain.train) >= MIN_TRAIN and len(plain.dev) >= MIN_DEV and counted >= needed:
        return plain
    raise TooFewCasesError(_too_few(cases, config, alpha, groups, hit, plain))


def _deal(
    cases: Sequence[tuple[str, Any]], config: SplitConfig, groups: Mapping[str, str], barred: frozenset[str]
) -> Split:
    """Unit after unit to the part that is furthest behind its share, so every stretch of the order is in proportion."""
    position = {case_id: index for index, (case_id, _) in enumerate(cases)}
    sizes = _sizes(len(cases), config)
    shares = {True: (0.0, 0.0, 0.0), False: (config.train, config.dev, config.holdout)}
    if barred:
        free = len(cases) - len(barred)
        holdout = min(sizes[2], free)
        train = round((len(cases) - holdout) * config.train / (config.train + config.dev))
        sizes = (train, len(cases) - holdout - train, holdout)
        shares = {True: _shares(config, 0.0), False: _shares(config, holdout / free if free else 0.0)}
    parts: tuple[list[str], ...] = ([], [], [])
    taken = {True: 0, False: 0}
    for unit in _interleaved(cases, groups, random.Random(config.seed)):
        kind = unit[0] in barred
        taken[kind] += len(unit)
        behind = [
            shares[True][k] * taken[True] + shares[False][k] * taken[False] - len(parts[k])
            if shares[kind][k] and len(parts[k]) < sizes[k]
            else float("-inf")
            for k in range(3)
        ]
        parts[behind.index(max(behind))].extend(unit)
    return Split(*(tuple(sorted(part, key=position.__getitem__)) for part in parts))


def _shares(config: SplitConfig, holdout: float) -> tuple[float, float, float]:
    """Train and dev in their own proportion, with that share for the holdout."""
    both = config.train + config.dev
    return (1 - holdout) * config.train / both, (1 - holdout) * config.dev / both, holdout


def _sizes(total: int, config: SplitConfig) -> tuple[int, int, int]:
    """Whole sizes by largest remainder; they add up to ``total``."""
    shares = [config.train * total, config.dev * total, config.holdout * total]
    sizes = [int(share + 1e-9) for share in shares]
    order = sorted(range(3), key=lambda k: (sizes[k] - shares[k], -k))
    for k in order[: total - sum(sizes)]:
        sizes[k] += 1
    return sizes[0], sizes[1], sizes[2]


def _interleaved(cases: Sequence[tuple[str, Any]], groups: Mapping[str, str], rng: random.Random) -> list[Unit]:
    """All units, class after class, shuffled within and among classes."""
    labels = {case_id: json.dumps(expected, sort_keys=True, default=str) for case_id, expected in cases}
    strata: dict[str, list[Unit]] = defaultdict(list)
    for unit in _units(cases, groups):
        counts = Counter(labels[case_id] for case_id in unit)
        strata[min(counts, key=lambda label: (-counts[label], label))].append(unit)
    if len(strata) > min(MAX_STRATA, len(cases) // 2):
        strata = {"": _units(cases, groups)}
    order = sorted(strata)
    rng.shuffle(order)
    for name in order:
        rng.shuffle(strata[name])
        strata[name].sort(key=len, reverse=True)  # large ones first: small ones then fill what they leave
    return [unit for name in order for unit in strata[name]]


def _units(cases: Sequence[tuple[str, Any]], groups: Mapping[str, str]) -> list[Unit]:
    """Groups, and cases that stand alone, by their first case."""
    members: dict[tuple[bool, str], list[str]] = {}
    for case_id, _ in cases:
        group = groups.get(case_id)
        members.setdefault((group is not None, case_id if group is None else group), []).append(case_id)
    return [tuple(ids) for ids in members.values()]


def _units_in(case_ids: Iterable[str], groups: Mapping[str, str]) -> int:
    return len(_units([(case_id, None) for case_id in case_ids], groups))


def _with_their_groups(
    cases: Sequence[tuple[str, Any]], groups: Mapping[str, str], barred: Collection[str]
) -> frozenset[str]:
    hit = set(barred)
    return frozenset(
        case_id for unit in _units(cases, groups) if not hit.isdisjoint(unit) for case_id in unit
    )  # what a case's group mates have told is told of the case, too


def _too_few(
    cases: Sequence[tuple[str, Any]],
    config: SplitConfig,
    alpha: float,
    groups: Mapping[str, str],
    barred: Collection[str],
    split: Split,
) -> str:
    total, least = len(cases), smallest_provable_sample(alpha)
    train, dev, holdout = len(split.train), len(split.dev), len(split.holdout)
    shares = f"optimize.split {config.train:g}/{config.dev:g}/{config.holdout:g}"
    if barred:
        used = len(_with_their_groups(cases, groups, barred))
        units = _units_in(split.holdout, groups)
        return due_message(
            f"{used} of {total} cases served earlier searches for this workflow, which leaves {units} to prove on",
            units,
            alpha / 2,
        )
    needed = _units_in((case_id for case_id, _ in cases), groups)
    minimum = (MIN_TRAIN, MIN_DEV, least)
    while any(size < low for size, low in zip(_sizes(needed, config), minimum, strict=True)):
        needed += 1
    if groups:
        units = _units_in((case_id for case_id, _ in cases), groups)
        return (
            f"{units} groups of {total} cases are too few to prove an improvement: a group stays whole and counts "
            f"once, and they split into {train} train, {dev} dev and {holdout} holdout cases, the last in "
            f"{_units_in(split.holdout, groups)} groups; at alpha {alpha:g} it takes at least {minimum[0]}, "
            f"{minimum[1]} and {least} groups; about {max(needed, units + 1)} groups are needed ({shares})"
            f"{_even_then(max(needed, units + 1), config, alpha, 'groups')}"
        )
    return (
        f"{total} cases are too few to prove an improvement: they split into {train} train, {dev} dev and {holdout} "
        f"holdout, and at alpha {alpha:g} it takes at least {minimum[0]}, {minimum[1]} and {minimum[2]}; "
        f"{needed} cases are needed with this split ({shares}){_even_then(needed, config, alpha, 'cases')}"
    )


def _even_then(total: int, config: SplitConfig, alpha: float, noun: str) -> str:
    """``, and even their 12 holdout cases cannot prove anything below +50 points``."""
    holdout = _sizes(total, config)[2]
    least = least_provable(holdout, alpha / 2)
    return f", and even their {holdout} holdout {noun} cannot prove anything below +{100 * least:.0f} points"


def due_message(why: str, units: int, level: float) -> str:
    """``why``, and how many fresh cases are due to prove anything, and ten points, at one-sided ``level``."""
    least = unanimous_units(level)
    worth = cases_needed(WORTH_PROVING, level)
    more = f", {max(1, worth - units)} to prove +{100 * WORTH_PROVING:.0f} points" if worth else ""
    due = max(1, least - units)
    noun = "fresh case is" if due == 1 else "fresh cases are"
    return f"{why}: at least {due} {noun} due{more}; add cases that no search has seen"

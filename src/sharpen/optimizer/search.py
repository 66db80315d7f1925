"""Which candidate is tried next, on which cases: successive halving on paired cases. Pure.

Every candidate still in the race has seen the same cases, in the same order, so that means are comparable; half of
them leave at each rung and the last rung is the whole dev split. Sources: Karnin, Koren & Somekh (2013), "Almost
optimal exploration in multi-armed bandits"; Jamieson & Talwalkar (2016), "Non-stochastic best arm identification".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.strategies.base import Candidate

FIRST_RUNG = 8  # fewer cases than this tell candidates apart no better than chance


@dataclass(slots=True)
class Contender:
    """A candidate in the race and what is known of it so far."""

    id: str
    candidate: Candidate
    parent_id: str | None = None
    lineage: frozenset[str] = frozenset()
    outcomes: dict[str, CaseOutcome] = field(default_factory=dict)
    calls: int = 0

    def rank_key(self, case_ids: Sequence[str]) -> tuple[float, float, float]:
        """Better is smaller: pass rate, then score, then fewer tokens, over ``case_ids``."""
        return rank_key(self.outcomes, case_ids)


def rank_key(outcomes: Mapping[str, CaseOutcome], case_ids: Sequence[str]) -> tuple[float, float, float]:
    """Better is smaller. A case that did not run counts as failed: no evidence is no merit."""
    known = [outcomes[case_id] for case_id in case_ids if case_id in outcomes and outcomes[case_id].ran]
    total = max(1, len(case_ids))
    return (
        -math.fsum(outcome.pass_rate for outcome in known) / total,
        -math.fsum(outcome.score for outcome in known) / total,
        math.fsum(outcome.tokens for outcome in known) / max(1, len(known)),
    )


@dataclass(frozen=True, slots=True)
class Rung:
    """The best ``contenders`` go on until each has seen the first ``cases`` dev cases."""

    contenders: int
    cases: int


def rungs(contenders: int, dev_cases: int) -> tuple[Rung, ...]:
    """The race's rungs: contenders halve while cases double; the last rung sees the whole dev split."""
    if contenders == 0 or dev_cases == 0:
        return ()
    halvings = math.ceil(math.log2(contenders)) if contenders > 1 else 0
    doublings = max(0, int(math.log2(dev_cases / FIRST_RUNG))) if dev_cases >= FIRST_RUNG else 0
    last = min(halvings, doublings)
    return tuple(Rung(math.ceil(contenders / 2**k), math.ceil(dev_cases / 2 ** (last - k))) for k in range(last + 1))


def race_cost(contenders: int, dev_cases: int) -> int:
    """Case runs that a race of new contenders takes."""
    cost, seen = 0, 0
    for rung in rungs(contenders, dev_cases):
        cost += rung.contenders * (rung.cases - seen)
        seen = rung.cases
    return cost


def affordable(contenders: int, dev_cases: int, runs_left: int | None) -> int:
    """How many of ``contenders`` a race can hold within ``runs_left`` case runs (None: no limit)."""
    if runs_left is None:
        return contenders
    while contenders and race_cost(contenders, dev_cases) > runs_left:
        contenders -= 1
    return contenders


def interleave(groups: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """The first of every strategy, then the second of every one …: a cut anywhere keeps every strategy in the race."""
    longest = max(map(len, groups), default=0)
    return [group[k] for k in range(longest) for group in groups if k < len(group)]

"""A candidate in the race, what is known of it, and how two are compared. Pure. The race itself: ``racing``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.strategies.base import Candidate


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
class Complement:
    """Two contenders, the better one first: of ``cases`` dev cases that both saw, one or both pass ``union``."""

    first: Contender
    second: Contender
    cases: int
    union: int
    best: int

    def __str__(self) -> str:
        return f"one or the other passes {self.union} of {self.cases} dev cases, the better one alone {self.best}"


SHARED = 0.25
"""Pairs count that share this much of the dev cases that the best-measured contender has seen."""


def complement(contenders: Sequence[Contender], case_ids: Sequence[str]) -> Complement | None:
    """The pair that passes most of ``case_ids`` together, by paired outcomes; None when no pair adds to its better one.

    Rates are compared over the cases that both have seen, by Laplace's rule of succession, (passed + 1) / (cases + 2):
    a pair that was soon dropped has few, and all of three is less than 19 of 20. Of equal pairs the first counts.
    """
    seen = {
        each.id: {case_id for case_id in case_ids if case_id in each.outcomes and each.outcomes[case_id].ran}
        for each in contenders
    }
    passed = {each.id: {case_id for case_id in seen[each.id] if each.outcomes[case_id].passed} for each in contenders}
    most = max(map(len, seen.values()), default=0)
    found: list[Complement] = []
    for place, one in enumerate(contenders):
        for other in contenders[place + 1 :]:
            both = seen[one.id] & seen[other.id]
            mine, theirs = passed[one.id] & both, passed[other.id] & both
            if not both or len(both) < SHARED * most or mine <= theirs or theirs <= mine:
                continue
            first, second = (one, other) if len(mine) >= len(theirs) else (other, one)
            best = max(len(mine), len(theirs))
            found.append(Complement(first, second, len(both), len(mine | theirs), best))
    return max(found, key=lambda pair: (pair.union + 1) / (pair.cases + 2), default=None)


def interleave(groups: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """The first of every strategy, then the second of every one …: a cut anywhere keeps every strategy in the race."""
    longest = max(map(len, groups), default=0)
    return [group[k] for k in range(longest) for group in groups if k < len(group)]

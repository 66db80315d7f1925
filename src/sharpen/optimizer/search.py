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


def interleave(groups: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """The first of every strategy, then the second of every one …: a cut anywhere keeps every strategy in the race."""
    longest = max(map(len, groups), default=0)
    return [group[k] for k in range(longest) for group in groups if k < len(group)]

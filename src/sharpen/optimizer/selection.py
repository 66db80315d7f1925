"""Which contender a search goes on with, which one it proves in the end, and what is to be proved of it. Pure.

The limits of the rules come first: who newly breaks one on the dev cases that it saw is not chosen. Then passes decide,
or the plan's weights among those on the Pareto front. A proof knows two claims only: a higher pass rate, and one
that is at most a margin lower, for fewer tokens. So who saves nothing but time or money is never chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sharpen.config.rules import Thresholds
from sharpen.config.weights import Weights
from sharpen.optimizer.measures import broken_limits, metrics_of
from sharpen.optimizer.objective import Objective
from sharpen.optimizer.pareto import front_of
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.proof.plan import Claim
from sharpen.optimizer.search import Contender, rank_key

WORTH_SAVING = 0.95  # of the seed's tokens, at most, is a saving
_ROUNDING = 1e-9  # one case of twenty is five points, whatever the last bits say


@dataclass(frozen=True, slots=True)
class Choice:
    """A contender and what to prove of it."""

    winner: Contender | None = None
    claim: Claim = "better"


class Selector:
    """Compares contenders on ``dev`` with the seed, whose outcomes are ``baseline``, and with each other."""

    def __init__(
        self,
        dev: Sequence[str],
        baseline: Mapping[str, CaseOutcome],
        rules: Thresholds,
        weights: Weights | None = None,
        margin: float = 0.05,
    ) -> None:
        self._dev, self._baseline, self._rules = dev, baseline, rules
        self._weights, self._margin = weights, margin + _ROUNDING
        self.objective = Objective(weights, {case_id: baseline[case_id] for case_id in dev if case_id in baseline})

    def score(self, contender: Contender) -> float | None:
        """The weighted sum over the dev cases it saw; None without weights or cases."""
        seen = self._seen(contender)
        return self.objective.score(contender.outcomes, seen) if self._weights and seen else None

    def breaks(self, contender: Contender) -> tuple[str, ...]:
        """Limits of the rules that it breaks, and the seed does not, on the dev cases it saw."""
        seen = self._seen(contender)
        mine = metrics_of(contender.outcomes[case_id] for case_id in seen)
        seeds = metrics_of(self._baseline[case_id] for case_id in seen)
        if not mine.cases or not seeds.cases:
            return ()
        return tuple(sorted(broken_limits(mine, self._rules) - broken_limits(seeds, self._rules)))

    def better(self, ranked: Iterable[Contender], best: Contender | None = None) -> Contender | None:
        """The first of ``ranked`` that breaks no limit, if it beats the seed and ``best``; else ``best``."""
        challenger = next((each for each in ranked if self._seen(each) and not self.breaks(each)), None)
        if challenger is None or challenger is best or not self._beats_seed(challenger):
            return best
        if best is not None:
            both = [case_id for case_id in self._seen(challenger) if case_id in best.outcomes]
            if self._key(challenger, both) >= self._key(best, both):
                return best
        return challenger

    def weighted(self, contenders: Sequence[Contender]) -> Choice:
        """By the weights: the highest score among those on the front that a proof has a claim for, and above 0.

        Two are held against each other on the cases that both have seen; who saw few may have seen the easy ones.
        """
        allowed = [each for each in contenders if self._seen(each) and not self.breaks(each)]
        measured = [(each, metrics_of(each.outcomes[case_id] for case_id in self._seen(each))) for each in allowed]
        worthy = [each for each in front_of(measured) if (self.score(each) or 0.0) > 0 and self._claim(each)]
        winner: Contender | None = None
        for each in sorted(worthy, key=lambda each: (-len(self._seen(each)), -(self.score(each) or 0.0))):
            if winner is None:
                winner = each
                continue
            both = [case_id for case_id in self._seen(each) if case_id in winner.outcomes]
            if self._key(each, both) < self._key(winner, both):
                winner = each
        return Choice(winner, self._claim(winner) or "better") if winner else Choice()

    def cheaper(self, standing: Iterable[Contender]) -> Choice:
        """Of those still ``standing`` the one that saves most tokens and passed, within the margin, as much."""
        worthy = [
            (self._tokens(each), each)
            for each in standing
            if self._seen(each) and self._gain(each) >= -self._margin and not self.breaks(each)
        ]
        share, cheapest = min(worthy, key=lambda pair: pair[0], default=(1.0, None))
        return Choice(cheapest, "non_inferior") if cheapest is not None and share < WORTH_SAVING else Choice()

    def _claim(self, contender: Contender) -> Claim | None:
        """A gain above the margin is claimed as such; a smaller one of a cheaper prompt as no loss for fewer tokens."""
        gain, saves = self._gain(contender), self._tokens(contender) < WORTH_SAVING
        if saves and -self._margin <= gain <= self._margin:
            return "non_inferior"
        return "better" if gain > 0 else None

    def _gain(self, contender: Contender) -> float:
        seen = self._seen(contender)
        return rank_key(self._baseline, seen)[0] - contender.rank_key(seen)[0]

    def _tokens(self, contender: Contender) -> float:
        """Tokens, as a share of the seed's on the same cases."""
        seen = self._seen(contender)
        before = rank_key(self._baseline, seen)[2]
        return contender.rank_key(seen)[2] / before if before else 1.0

    def _beats_seed(self, contender: Contender) -> bool:
        if self._weights:
            return self._claim(contender) is not None and (self.score(contender) or 0.0) > 0
        return self._gain(contender) > 0

    def _key(self, contender: Contender, case_ids: Sequence[str]) -> tuple[float, ...]:
        if self._weights:
            return (-self.objective.score(contender.outcomes, case_ids),)
        return contender.rank_key(case_ids)

    def _seen(self, contender: Contender) -> list[str]:
        return [case_id for case_id in self._dev if case_id in contender.outcomes and case_id in self._baseline]

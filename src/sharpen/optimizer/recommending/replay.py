"""Would earlier searches have been ordered better by the recommender than by the rules? What it may do rests on this.

For every search the recommender is asked as if no search of the same workflow had ever been made (leave one workflow
out); what it would have tried first is compared with what the rules would have, by the gains that were observed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.optimizer.recommending.evidence import Observation
from sharpen.optimizer.recommending.models import Replay
from sharpen.optimizer.recommending.ordering import reorder
from sharpen.optimizer.recommending.posterior import Posterior

ALPHA = 0.05
"""Accepted probability that a history in which the order makes no difference is ever trusted, however long it grows."""

MIN_SEARCHES, MIN_WORKFLOWS = 12, 5
"""Searches with two strategies to choose from, and workflows, below which nothing is trusted whatever they show."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One search, replayed: what was tried in it, in the order of each."""

    search_id: str
    workflow_id: str
    recommended: tuple[Observation, ...]
    rules: tuple[Observation, ...]
    covered: tuple[bool, ...]

    @property
    def advantage(self) -> float:
        return self.recommended[0].gain - self.rules[0].gain

    @property
    def advantage_of_two(self) -> float | None:
        if len(self.rules) < 3:
            return None
        return max(seen.gain for seen in self.recommended[:2]) - max(seen.gain for seen in self.rules[:2])

    @property
    def variance(self) -> float:
        """Of the advantage, from the sampling of cases."""
        first, ruled = self.recommended[0], self.rules[0]
        return 0.0 if first is ruled else first.variance + ruled.variance


def replay(posterior: Posterior) -> Replay:
    """The recommender on the history that it has learned from; deterministic.

    Workflows count alike, however often they were searched. The interval is Student's over their means, at ``level_of``
    the searches; its standard error is never below what the sampling of cases alone leaves open, so that a few equal
    numbers are no certainty.
    """
    choices = choices_of(posterior)
    by_workflow: dict[str, list[Choice]] = defaultdict(list)
    for choice in choices:
        by_workflow[choice.workflow_id].append(choice)
    groups = list(by_workflow.values())
    if not groups:
        return Replay(searches=0, workflows=0, level=level_of(0))
    means = [_mean([choice.advantage for choice in group]) for group in groups]
    sampling = [math.fsum(choice.variance for choice in group) / len(group) ** 2 for group in groups]
    level = level_of(len(choices))
    low, high = _interval(means, math.fsum(sampling) / len(groups) ** 2, level)
    of_two = [
        _mean(found)
        for group in groups
        if (found := [choice.advantage_of_two for choice in group if choice.advantage_of_two is not None])
    ]
    covered = [inside for choice in choices for inside in choice.covered]
    return Replay(
        searches=len(choices),
        workflows=len(groups),
        changed=sum(choice.recommended[0] is not choice.rules[0] for choice in choices),
        recommended=_mean([_mean([choice.recommended[0].gain for choice in group]) for group in groups]),
        rules=_mean([_mean([choice.rules[0].gain for choice in group]) for group in groups]),
        best=_mean([_mean([max(seen.gain for seen in choice.rules) for choice in group]) for group in groups]),
        advantage=_mean(means),
        low=low,
        high=high,
        level=level,
        advantage_of_two=_mean(of_two) if of_two else None,
        covered=sum(covered) / len(covered),
    )


def level_of(searches: int) -> float:
    """Of the two-sided interval after so many searches.

    It is asked anew after every search, and at 97.5 % each time one history in four without any difference would be
    trusted sooner or later (docs/recommend.md). So the n-th look spends ALPHA · m / (n (n + 1)) alone, m being the
    searches of the first look: over all looks that adds up to ALPHA (a union bound).
    """
    looks = max(searches, MIN_SEARCHES)
    return 1 - 2 * ALPHA * MIN_SEARCHES / (looks * (looks + 1))


def enough(found: Replay) -> bool:
    """Whether there is enough to judge by."""
    return found.searches >= MIN_SEARCHES and found.workflows >= MIN_WORKFLOWS


def trusted(found: Replay) -> bool:
    """Whether the replay excludes harm: enough searches, and the whole interval above zero."""
    return enough(found) and found.low > 0.0


def choices_of(posterior: Posterior) -> list[Choice]:
    """One for every search in which at least two strategies were tried."""
    history = posterior.history
    places: dict[str, list[int]] = defaultdict(list)
    for place, search in enumerate(history):
        places[search.workflow_id].append(place)
    choices = []
    for workflow, mine in places.items():
        if not any(len(history[place].observations) > 1 for place in mine):
            continue
        beliefs = posterior.without(mine)
        others = {
            seen.strategy
            for place, search in enumerate(history)
            if place not in set(mine)
            for seen in search.observations
        }
        for place in mine:
            seen = {one.strategy: one for one in history[place].observations}
            if len(seen) < 2:
                continue
            ruled = [name for name in history[place].rules if name in seen]
            ruled += [name for name in seen if name not in ruled]
            expected = {name: beliefs[place, name] for name in ruled}
            order = reorder(ruled, expected, others)
            choices.append(
                Choice(
                    search_id=history[place].search_id,
                    workflow_id=workflow,
                    recommended=tuple(seen[name] for name in order),
                    rules=tuple(seen[name] for name in ruled),
                    covered=tuple(expected[name].low <= seen[name].gain <= expected[name].high for name in ruled),
                )
            )
    return choices


def _interval(means: Sequence[float], least_variance: float, level: float) -> tuple[float, float]:
    if len(means) < 2:
        return -1.0, 1.0  # one workflow says nothing about others
    from scipy.special import stdtrit  # the quantile of Student's distribution; its own module loads ten times as much

    centre = _mean(means)
    spread = math.fsum((mean - centre) ** 2 for mean in means) / (len(means) - 1) / len(means)
    half = float(stdtrit(len(means) - 1, (1 + level) / 2)) * math.sqrt(max(spread, least_variance))
    return max(-1.0, centre - half), min(1.0, centre + half)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)

"""From what is expected to an order of strategies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sharpen.optimizer.recommending.posterior import Belief
from sharpen.optimizer.strategies.registry import SAVES


def reorder(rules: Sequence[str], expected: Mapping[str, Belief], known: Collection[str]) -> tuple[str, ...]:
    """The strategies of ``rules``, those that are known by what is expected of them, the most first.

    A strategy of which nothing is known keeps its place. The first place neither goes to ``efficiency_focus`` nor is
    taken from it: whether tokens are to be saved is for the rules to say, gains in quality do not show it.
    """
    if not rules:
        return ()
    kept = 1 if rules[0] == SAVES else 0
    movable = [place for place, name in enumerate(rules) if place >= kept and name in known]
    ranked = sorted((rules[place] for place in movable), key=lambda name: -expected[name].mean)  # stable: ties as ruled
    order = list(rules)
    for place, name in zip(movable, ranked, strict=True):
        order[place] = name
    if order[0] == SAVES and not kept and len(movable) > 1:
        order[movable[0]], order[movable[1]] = order[movable[1]], order[movable[0]]
    return tuple(order)

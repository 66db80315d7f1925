"""Features and earlier searches → in which order to try the strategies, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharpen.optimizer.recommending.evidence import SearchEvidence, distinct
from sharpen.optimizer.recommending.models import Expectation, Features, Recommendation, Replay, SimilarSearch
from sharpen.optimizer.recommending.ordering import reorder
from sharpen.optimizer.recommending.posterior import Belief, Posterior
from sharpen.optimizer.recommending.replay import MIN_SEARCHES, MIN_WORKFLOWS, enough, replay, trusted

SHOWN_SIMILAR = 3


def recommend(features: Features, rules: Sequence[str], history: Iterable[SearchEvidence]) -> Recommendation:
    """The order for a search with these features; ``rules``: the order in which it would be tried otherwise.

    ``history``: earlier searches, in any order. Deterministic; a search counts once, however often it is given.
    """
    known_searches = tuple(sorted(distinct(history), key=lambda search: search.search_id))
    posterior = Posterior(known_searches)
    tried = {seen.strategy for search in known_searches for seen in search.observations}
    expected, alike = posterior.expect(features, rules), posterior.similar(features)
    found = replay(posterior)
    order = reorder(rules, expected, tried)
    workflows = len({search.workflow_id for search in known_searches})
    trust = trusted(found)
    measured: Literal["measured", "static"] = "static" if features.failure_rate is None else "measured"
    return Recommendation(
        features=features,
        rules=tuple(rules),
        order=order if trust else tuple(rules),
        trusted=trust,
        reason=_reason(found, len(known_searches), trust, changed=order != tuple(rules)),
        searches=len(known_searches),
        workflows=workflows,
        expectations=tuple(
            _expectation(name, expected[name], posterior, alike, features) for name in (order if trust else rules)
        ),
        replay=found if found.searches else None,
        basis=measured,
    )


def by_the_rules(features: Features, rules: Sequence[str], reason: str) -> Recommendation:
    """What is noted of a search that is not ordered by others: later ones learn from it all the same."""
    return Recommendation(features=features, rules=tuple(rules), order=tuple(rules), reason=reason)


def _expectation(
    name: str, belief: Belief, posterior: Posterior, alike: NDArray[np.float64], features: Features
) -> Expectation:
    trials = [
        (float(alike[place]), search, seen)
        for place, search in enumerate(posterior.history)
        for seen in search.observations
        if seen.strategy == name
    ]
    trials.sort(key=lambda trial: -trial[0])
    least, most = -1.0, 1.0
    if features.failure_rate is not None:  # nothing can be gained beyond all cases, nor lost beyond none
        least, most = features.failure_rate - 1, features.failure_rate
    return Expectation(
        strategy=name,
        gain=float(np.clip(belief.mean, least, most)),
        low=float(np.clip(belief.low, least, most)),
        high=float(np.clip(belief.high, least, most)),
        known=bool(trials),
        searches=len(trials),
        worth=sum(weight for weight, _, _ in trials),
        won=sum(seen.won for _, _, seen in trials),
        proved=sum(seen.proved for _, _, seen in trials),
        similar=tuple(
            SimilarSearch(search_id=search.search_id, workflow_id=search.workflow_id, similarity=weight, gain=seen.gain)
            for weight, search, seen in trials[:SHOWN_SIMILAR]
        ),
    )


def _reason(found: Replay, searches: int, trust: bool, changed: bool) -> str:
    every = f"{searches} earlier {'search' if searches == 1 else 'searches'}"
    if not searches:
        return "no earlier search to learn from: order by the rules"
    if not enough(found):
        workflows = f"{found.workflows} {'workflow' if found.workflows == 1 else 'workflows'}"
        return (
            f"knows too little: {every}; {found.searches} of them, of {workflows}, tried several strategies "
            f"({MIN_SEARCHES} of {MIN_WORKFLOWS} workflows are needed): order by the rules"
        )
    replayed = (
        f"replayed, the first choice gained {100 * found.advantage:+.1f} points over that of the rules "
        f"({100 * found.level:.3g}% interval {100 * found.low:+.1f} to {100 * found.high:+.1f})"
    )
    if not trust:
        return f"not trusted by {every}: {replayed}, which does not exclude harm: order by the rules"
    kept = "" if changed else "; here it agrees with the rules"
    return f"strategies ordered by {every}: {replayed}{kept}"

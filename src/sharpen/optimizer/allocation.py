"""How many candidates each strategy may enter when there are more than a race should hold. Pure.

Every strategy that offers something gets one place. What is left goes by Thompson sampling: for each place a rate is
drawn from every strategy's posterior, and the highest draw takes it, so that a strategy gets places as often as it is
likely to be the best one, and who is little known is still tried (Thompson 1933, Biometrika 25; Chapelle & Li 2011, "An
empirical evaluation of Thompson sampling"). While nothing is known of any of them the places go by turns, in the order
given.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.search import Contender


@dataclass(frozen=True, slots=True)
class Record:
    """What a strategy's candidates did on the cases that they or the prompt they are compared with failed.

    ``mended``: failed before and passed now; ``missed``: failed now. Means over its candidates, summed over cases.
    """

    mended: float = 0.0
    missed: float = 0.0

    @property
    def rate(self) -> float:
        """The mean of the posterior, from a uniform prior."""
        return (1 + self.mended) / (2 + self.mended + self.missed)

    def __bool__(self) -> bool:
        return self.mended + self.missed > 0


@dataclass(frozen=True, slots=True)
class Share:
    """How many candidates a strategy offered, how many it may enter, and why so many."""

    strategy: str
    offered: int
    places: int
    reason: str


def allocate(
    offers: Mapping[str, int], places: int, rng: random.Random, records: Mapping[str, Record] | None = None
) -> list[Share]:
    """Divide ``places`` among strategies that ``offers`` so many candidates each, in order of preference.

    Nobody gets more than he offers, everybody who offers something at least one place (also when there are fewer places
    than strategies), and no place stays empty that somebody could take.
    """
    known = {name: record for name, record in (records or {}).items() if record and name in offers}
    granted = {name: min(1, offered) for name, offered in offers.items()}
    left = places - sum(granted.values())
    while left > 0 and (open_ := [name for name, offered in offers.items() if granted[name] < offered]):
        taker = _drawn(open_, known, rng) if known else min(open_, key=lambda name: granted[name])
        granted[taker] += 1
        left -= 1
    return [
        Share(name, offered, granted[name], _reason(offered, granted[name], known.get(name), bool(known)))
        for name, offered in offers.items()
    ]


def records_of(
    contenders: Sequence[Contender], reference: Mapping[str, CaseOutcome], case_ids: Sequence[str]
) -> dict[str, Record]:
    """What the candidates of each strategy did beside ``reference`` on those of ``case_ids`` that both have seen.

    Cases that both pass say nothing. Each case counts once for a strategy, by the mean over its candidates: they saw
    the same cases, so that two candidates are not twice the evidence.
    """
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for contender in contenders:
        for case_id in case_ids:
            before, after = reference.get(case_id), contender.outcomes.get(case_id)
            if before is None or after is None or not (before.ran and after.ran):
                continue
            mended = (1 - before.pass_rate) * after.pass_rate
            missed = 1 - after.pass_rate
            found[contender.candidate.strategy][case_id].append((mended, missed))
    return {
        strategy: Record(
            mended=sum(sum(mended for mended, _ in seen) / len(seen) for seen in cases.values()),
            missed=sum(sum(missed for _, missed in seen) / len(seen) for seen in cases.values()),
        )
        for strategy, cases in found.items()
    }


def _drawn(names: Sequence[str], records: Mapping[str, Record], rng: random.Random) -> str:
    """Whose rate, drawn from its posterior (Beta, uniform prior), is the highest."""
    draws = {}
    for name in names:
        record = records.get(name, Record())
        draws[name] = rng.betavariate(1 + record.mended, 1 + record.missed)
    return max(draws, key=lambda name: draws[name])


def _reason(offered: int, places: int, record: Record | None, learned: bool) -> str:
    if not offered:
        return "nothing to offer"
    if places == offered:
        return "all it offered"
    if not learned:
        return "by turns: nothing is known of any yet"
    if record is None:
        return "not tried before"
    cases = record.mended + record.missed
    return f"mended {record.mended:.1f} of {cases:.1f} cases: {record.rate:.0%} expected"

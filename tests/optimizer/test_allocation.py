"""Places in a race, divided among strategies."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.optimizer.allocation import Record, Share, allocate, records_of
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.search import Contender
from sharpen.optimizer.strategies.base import Candidate

offers_ = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 12), max_size=7)
records_ = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Record, mended=st.floats(0, 40), missed=st.floats(0, 40)), max_size=8
)


@settings(max_examples=100)
@given(offers_, st.integers(0, 40), records_, st.integers(0, 5))
def test_everybody_gets_one_nobody_more_than_he_offers_and_no_place_is_lost(
    offers: dict[str, int], places: int, records: dict[str, Record], seed: int
) -> None:
    shares = allocate(offers, places, random.Random(seed), records)
    assert [share.strategy for share in shares] == list(offers)
    for share in shares:
        assert min(1, share.offered) <= share.places <= share.offered == offers[share.strategy]
        assert share.reason
    floor = sum(offered > 0 for offered in offers.values())
    assert sum(share.places for share in shares) == max(floor, min(places, sum(offers.values())))
    assert allocate(offers, places, random.Random(seed), records) == shares


@given(offers_, st.integers(0, 40))
def test_while_nothing_is_known_the_places_go_by_turns(offers: dict[str, int], places: int) -> None:
    shares = allocate(offers, places, random.Random(0))
    cut = [share.places for share in shares if share.places < share.offered]
    assert not cut or max(share.places for share in shares) - min(cut) <= 1


def test_who_mends_more_gets_more_and_the_unknown_is_tried() -> None:
    records = {"good": Record(12, 4), "poor": Record(0, 20)}
    total: Counter[str] = Counter()
    for seed in range(50):
        for share in allocate({"poor": 8, "good": 8, "new": 8}, 10, random.Random(seed), records):
            total[share.strategy] += share.places
            assert share.places >= 1
    assert total["good"] > total["new"] > total["poor"]
    assert total["poor"] < 1.05 * 50  # hardly more than its floor


def test_each_share_says_why() -> None:
    records = {"a": Record(3, 1.5), "c": Record(0, 0)}
    shares = allocate({"a": 9, "b": 9, "c": 1, "d": 0}, 6, random.Random(1), records)
    assert [share.reason for share in shares] == [
        "mended 3.0 of 4.5 cases: 62% expected",
        "not tried before",
        "all it offered",
        "nothing to offer",
    ]
    (share,) = allocate({"a": 5}, 2, random.Random(1))
    assert share == Share("a", 5, 2, "by turns: nothing is known of any yet")


def _outcomes(passes: str, ran: bool = True) -> dict[str, CaseOutcome]:
    return {f"c{n}": CaseOutcome(f"c{n}", float(mark), float(mark), ran=ran) for n, mark in enumerate(passes)}


def _contender(strategy: str, passes: str, ran: bool = True) -> Contender:
    prompt = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": strategy}]})
    return Contender("c", Candidate(prompt, strategy, ()), outcomes=_outcomes(passes, ran))


def test_a_record_counts_the_cases_that_one_of_both_failed_each_once() -> None:
    ids = [f"c{n}" for n in range(4)]
    found = records_of([_contender("a", "1110"), _contender("a", "1010"), _contender("b", "0")], _outcomes("1001"), ids)
    # c0: both pass; c1 mended by one of two; c2 mended by both; c3 broken by both
    assert (found["a"].mended, found["a"].missed) == pytest.approx((1.5, 1.5))
    assert (found["b"].mended, found["b"].missed) == (0, 1)
    assert records_of([_contender("a", "1", ran=False)], _outcomes("0"), ids) == {}
    assert records_of([], {}, ids) == {}


def test_what_was_learned_finds_better_candidates_than_turns() -> None:
    """Simulated: five strategies that mend different shares of 20 cases; eight candidates of each, ten may enter."""
    gains = []
    for seed in range(300):
        world = random.Random(seed)
        rates = {name: world.betavariate(1, 3) for name in "abcde"}
        records = {}
        for name, rate in rates.items():
            mended = sum(world.random() < rate for _ in range(20))
            records[name] = Record(mended, 20 - mended)
        candidates = {
            name: [min(1.0, max(0.0, world.gauss(rate, 0.1))) for _ in range(8)] for name, rate in rates.items()
        }

        def entered(shares: list[Share], found: dict[str, list[float]] = candidates) -> list[float]:
            return [rate for share in shares for rate in found[share.strategy][: share.places]]

        offers = dict.fromkeys(rates, 8)
        learned = entered(allocate(offers, 10, random.Random(seed), records))
        turns = entered(allocate(offers, 10, random.Random(seed)))
        gains.append((max(learned) - max(turns), sum(learned) - sum(turns)))
    best = sum(gain for gain, _ in gains) / len(gains)
    whole = sum(gain for _, gain in gains) / len(gains)
    assert best > 0.02  # the best one that entered mends 3.8 ± 0.4 points more (over 1,000 worlds)
    assert whole / 10 > 0.08  # and the ten of them 10.1 ± 0.4 points more on average

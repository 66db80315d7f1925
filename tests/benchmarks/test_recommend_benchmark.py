"""The replay of recommendations is fed what it says it is fed."""

import importlib
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("numpy")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """The benchmark's modules by name, imported for this file alone."""
    sys.path.insert(0, str(BENCHMARKS))
    names = ("recommend", "recommending.histories", "recommending.record", "search.table")
    yield SimpleNamespace(**{name.split(".")[-1]: importlib.import_module(name) for name in names})
    sys.path.remove(str(BENCHMARKS))
    for name in [name for name in sys.modules if name.split(".")[0] in ("search", "recommend", "recommending")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def reviews(bench):
    return bench.histories.bank(["reviews"])


def test_the_recorded_searches(bench) -> None:
    lines = list(bench.record.history())
    assert lines
    for line in lines:
        table = bench.table.load_table(line["task"])
        row = table.row[bench.record.Prompt(line["instruction"])]
        right = [bool(table.right[row, table.column[case]]) for case in line["dev"]]
        assert line["answers"] == "".join(str(int(one)) for one in right)
        assert line["candidates"]
        for candidate in line["candidates"]:
            assert candidate["strategy"] in bench.record.STRATEGIES
            assert len(candidate["answers"]) == len(line["dev"])
            assert "input }}" in str(candidate["messages"])


def test_gains_are_those_of_the_tables(bench, reviews) -> None:
    assert len(reviews.searches) == 13
    table = bench.table.load_table("reviews")
    search = reviews.searches[0]
    start = table.task.instructions[0]
    before = table.accuracy(start, "holdout")
    for seen in search.observations:
        after = {table.accuracy(prompt, "holdout") for prompt in table.task.instructions}
        assert any(abs(before + reviews.truth[search.search_id, seen.strategy] - one) < 1e-9 for one in after)
    assert search.features.failure_rate == 1.0
    assert set(search.rules) <= {*bench.histories.FAMILIES, "other"}


def test_shuffling_moves_gains_and_nothing_else(bench, reviews) -> None:
    dealt = bench.histories.shuffled_gains(reviews, 1)
    assert dealt.searches != reviews.searches
    for old, new in zip(reviews.searches, dealt.searches, strict=True):
        assert Counter(seen.gain for seen in old.observations) == Counter(seen.gain for seen in new.observations)
        assert [seen.strategy for seen in old.observations] == [seen.strategy for seen in new.observations]
    other = bench.histories.shuffled_features(reviews, 1)
    assert [one.observations for one in other.searches] == [one.observations for one in reviews.searches]
    assert Counter(one.features.words for one in other.searches) == Counter(
        one.features.words for one in reviews.searches
    )


def test_simulated_worlds_are_what_they_are_called(bench) -> None:
    found = bench.recommend.first_choice(bench.histories.simulated(40, bench.histories.by_kind, 0))
    assert found["gate"]
    assert found["advantage"] > 5
    nothing = [bench.histories.simulated(30, bench.histories.nothing, seed) for seed in range(10)]
    assert sum(bench.recommend.first_choice(one)["gate"] for one in nothing) <= 2


def test_a_race_ends_with_one_that_entered(bench, reviews) -> None:
    table = bench.table.load_table("reviews")
    start = table.task.instructions[0]
    won = bench.recommend._race(table, start, reviews.searches[0].rules, 100)
    assert table.accuracy(won, "dev") > table.accuracy(start, "dev")

"""Who enters a race: everybody's first, the user's all, and nobody of whom the rewriter was asked in vain."""

from __future__ import annotations

from typing import Any

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.allocation import Record
from sharpen.optimizer.models import Change, Prompt, PromptAnalysis
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.proposals import MAX_CONTENDERS, Measurement, Proposals
from sharpen.optimizer.search import Complement, Contender
from sharpen.optimizer.splits import Split
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.optimizer.strategies.crossover import Crossover
from sharpen.optimizer.strategies.supplied import Supplied

SEED = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "seed {{ x }}"}]})
ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)
CASES = [LabelledCase(f"t{n}", {"x": str(n)}, "a") for n in range(6)]
SPLIT = Split(train=("t0", "t1", "t2"), dev=("t3", "t4", "t5"), holdout=())


def text(words: str) -> Prompt:
    return SEED.with_messages((PromptMessage(role="user", content=f"{words} {{{{ x }}}}"),))


class Many(Strategy):
    """Offers so many candidates of its own, and keeps what it was shown."""

    def __init__(self, name: str, number: int, asks: int = 0, repeatable: bool = False) -> None:
        self.name = name  # type: ignore[misc] # one class stands for many strategies
        self.asks = asks  # type: ignore[misc]
        self.repeatable = repeatable  # type: ignore[misc]
        self.number = number
        self.seen: list[StrategyContext] = []

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        self.seen.append(context)
        number = min(self.number, context.max_candidates)
        change = (Change(rule_id="many", reason="x"),)
        start = context.prompt.text.split(" ")[0]
        return [Candidate(text(f"{start}/{self.name}{n}"), self.name, change) for n in range(number)]


async def never(*_: Any) -> Any:
    raise AssertionError("nobody asked for this")


def outcomes(passes: str, first: int = 0) -> dict[str, CaseOutcome]:
    return {f"t{n}": CaseOutcome(f"t{n}", float(mark), 0.0) for n, mark in enumerate(passes, first)}


def proposals(*strategies: Strategy, rewriter: bool = False) -> Proposals:
    given = Measurement(CASES, outcomes("000000"), SPLIT, never, None, rewrite=never if rewriter else None)  # type: ignore[arg-type]
    return Proposals(given, strategies, 0)


def entered(contenders: list[Contender]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in contenders:
        found[each.candidate.strategy] = found.get(each.candidate.strategy, 0) + 1
    return found


async def test_a_cut_is_by_turns_at_first_and_is_told() -> None:
    every = proposals(Many("a", 8), Many("b", 8), Many("c", 3), Many("d", 0))
    found = await every.from_parent(SEED, ANALYSIS)
    assert entered(found) == {"a": 7, "b": 6, "c": 3}
    assert [each.candidate.strategy for each in found[:4]] == ["a", "b", "c", "a"]
    assert [(share.strategy, share.offered, share.entered) for share in every.shares] == [
        ("a", 8, 7), ("b", 8, 6), ("c", 3, 3),
    ]  # fmt: skip
    assert [share.reason for share in every.shares] == [
        "by turns: nothing is known of any yet",
        "by turns: nothing is known of any yet",
        "all it offered",
    ]


async def test_the_users_own_prompts_are_never_cut_and_leave_every_strategy_its_one() -> None:
    mine = Supplied([text(f"mine{n}") for n in range(25)])
    every = proposals(mine, Many("a", 8), Many("b", 8))
    found = await every.from_parent(SEED, ANALYSIS)
    assert entered(found) == {"supplied": 25, "a": 1, "b": 1}
    assert found[0].candidate.strategy == "supplied"
    assert every.shares[0].reason == "the plan's own prompts all enter"


async def test_later_places_go_to_who_mended_more() -> None:
    parent = Contender("c01", Candidate(text("best"), "z", ()), lineage=frozenset({"z"}))
    records = {"a": Record(30, 2), "b": Record(0, 30)}
    every = proposals(Many("z", 5), Many("a", 8), Many("b", 8), Many("c", 8))
    found = entered(await every.from_parent(SEED, ANALYSIS, parent, records=records))
    assert sum(found.values()) == MAX_CONTENDERS
    assert "z" not in found
    assert found["a"] == 8
    assert found["b"] >= 1
    assert (
        next(share for share in every.shares if share.strategy == "b").reason == "mended 0.0 of 30.0 cases: 3% expected"
    )


async def test_the_rewriter_is_asked_for_no_more_than_may_enter_and_empty_places_go_to_others() -> None:
    asking = Many("asks", 3, asks=3)
    every = proposals(*(Many(name, 8) for name in "abcdefg"), asking, rewriter=True)
    found = await every.from_parent(SEED, ANALYSIS)
    assert asking.seen[0].max_candidates == entered(found)["asks"] == 2
    silent = Many("asks", 0, asks=3)
    every = proposals(Many("a", 30), silent, rewriter=True)
    every.strategies[0].number = 30  # type: ignore[attr-defined]
    assert entered(await every.from_parent(SEED, ANALYSIS)) == {"a": 8}
    every = proposals(*(Many(name, 8) for name in "ab"), silent, rewriter=True)
    assert sum(entered(await every.from_parent(SEED, ANALYSIS)).values()) == MAX_CONTENDERS


async def test_nothing_is_tried_twice_and_a_strategy_meets_its_own_work_only_if_it_may() -> None:
    once, again = Many("once", 2), Many("again", 2, repeatable=True)
    every = proposals(once, again)
    first = await every.from_parent(SEED, ANALYSIS)
    assert entered(first) == {"once": 2, "again": 2}
    assert entered(await every.from_parent(SEED, ANALYSIS)) == {}
    parent = Contender("c01", first[0].candidate, lineage=frozenset({"once", "again"}))
    assert entered(await every.from_parent(SEED, ANALYSIS, parent)) == {"again": 2}


async def test_who_asks_the_rewriter_sees_what_the_parent_failed_and_others_what_the_prompt_failed() -> None:
    asking, other = Many("asks", 1, asks=1), Many("other", 1)
    parent = Contender("c01", Candidate(text("best"), "z", ()), outcomes=outcomes("10") | outcomes("01", 3))
    await proposals(asking, other, rewriter=True).from_parent(SEED, ANALYSIS, parent)
    (shown,) = asking.seen
    assert {key: found.pass_rate for key, found in shown.train_outcomes.items()} == {"t0": 1.0, "t1": 0.0}
    assert shown.patterns is not None
    assert (shown.patterns.cases, shown.patterns.failures) == (2, 1)
    (seeds,) = other.seen
    assert {key: found.pass_rate for key, found in seeds.train_outcomes.items()} == {"t0": 0.0, "t1": 0.0, "t2": 0.0}
    asking.seen.clear()
    unseen = Contender("c02", Candidate(text("quick"), "z", ()), outcomes=outcomes("01", 3))  # never run on train
    await proposals(asking, rewriter=True).from_parent(SEED, ANALYSIS, unseen)
    assert len(asking.seen[0].train_outcomes) == 3


async def test_a_crossing_is_the_better_ones_child_and_is_shown_train_alone() -> None:
    class Crossing(Crossover):
        seen: StrategyContext

        async def propose(self, context: StrategyContext) -> list[Candidate]:
            Crossing.seen = context
            return [Candidate(text("both"), self.name, (Change(rule_id="crossover/rules", reason="x"),))]

    maker, other_maker = Many("a", 0), Many("c", 0)
    one = Contender("c01", Candidate(text("one"), "a", ()), lineage=frozenset("a"), outcomes=outcomes("101111"))
    other = Contender("c02", Candidate(text("other"), "b", ()), lineage=frozenset("b"), outcomes=outcomes("010111"))
    every = proposals(maker, other_maker, Crossing())
    (found,) = await every.from_parent(SEED, ANALYSIS, one, Complement(other, one, 3, 3, 2))
    assert (found.parent_id, found.lineage) == ("c02", {"a", "b", "crossover"})
    assert found.candidate.strategy == "crossover"
    pair = Crossing.seen.pair
    assert pair is not None
    assert (pair.first.id, pair.second.id) == ("c02", "c01")
    assert pair.second.strategy is maker
    assert pair.first.strategy is None
    assert set(pair.first.train_outcomes) == set(SPLIT.train)
    assert pair.told == "one or the other passes 3 of 3 dev cases, the better one alone 2"
    assert other_maker.seen[0].pair is None

"""Whole searches with several goals, limits, crossings and a rewriter, against a simulated world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharpen.config.models import SplitConfig
from sharpen.config.prompts import PromptMessage
from sharpen.config.rules import Thresholds
from sharpen.config.weights import Weights
from sharpen.optimizer.engine import Engine, SearchOutcome
from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.models import Change, OptimizationConfig, Prompt, PromptAnalysis
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, SpendMeter
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.splits import split_cases
from sharpen.optimizer.strategies import registry
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.targets.base import Message

ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)
SEED = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "seed {{ x }}"}]})
CASES = [LabelledCase(f"c{n:03d}", {"x": str(n)}, "ab"[n % 2]) for n in range(150)]


class Words(Strategy):
    """Adds a word to the prompt."""

    word = ""

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        content = f"{context.prompt.messages[0].content} {self.word}"
        new = context.prompt.with_messages((PromptMessage(role="user", content=content),))
        return [Candidate(new, self.name, (Change(rule_id=self.word, reason="x"),))]


class Odd(Words):
    name, word = "odd", "odd"


class Even(Words):
    name, word = "even", "even"


class Lean(Words):
    name, word = "lean", "lean"


class World(SpendMeter):
    """``passes(text, number)`` is the truth; ``tokens`` and ``latency`` by word."""

    def __init__(self, passes: Any, max_calls: int | None = None, **figures: dict[str, float]) -> None:
        self.passes, self.max_calls, self.figures = passes, max_calls, figures
        self.calls = 0
        self.asked: list[tuple[str, str, str]] = []
        self.questions: list[str] = []

    def calls_made(self) -> int:
        return self.calls

    def calls_left(self) -> int | None:
        return None if self.max_calls is None else self.max_calls - self.calls

    def outcome(self, prompt: Prompt, case_id: str) -> CaseOutcome:
        rate = float(self.passes(prompt.text, int(case_id[1:])))
        figures = {"tokens": 100.0}
        for name, table in self.figures.items():
            figures[name] = [value for word, value in table.items() if word in prompt.text.split()][-1]
        return CaseOutcome(case_id, rate, rate, calls=1, output=f"said {case_id}", **figures)

    async def evaluate(self, prompt: Prompt, case_ids: Any, purpose: str) -> tuple[CaseOutcome, ...]:
        self.asked += [(purpose, prompt.text, case_id) for case_id in case_ids]
        self.calls += len(case_ids)
        return tuple(self.outcome(prompt, case_id) for case_id in case_ids)

    async def rewrite(self, messages: tuple[Message, ...]) -> str:
        self.calls += 1
        self.questions.append("\n".join(message.content for message in messages))
        return "no idea"


async def search(world: World, names: Any, rewriter: bool = False, rules: Any = None, **config: Any) -> SearchOutcome:
    split = split_cases([(case.case_id, case.expected) for case in CASES], SplitConfig(), 0.05)
    baseline = {case.case_id: world.outcome(SEED, case.case_id) for case in CASES}
    measurement = Measurement(CASES, baseline, split, world.evaluate, world)
    if rewriter:
        measurement = replace(measurement, rewrite=world.rewrite)
    settings = OptimizationConfig(**config)
    world.split = split  # type: ignore[attr-defined]
    return await Engine(measurement, names, settings, rules or Thresholds(min_success_rate=0.1)).run(SEED, ANALYSIS)


@pytest.fixture(autouse=True)
def strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {name.lower(): f"{__name__}:{name}" for name in ("Odd", "Even", "Lean")}
    monkeypatch.setattr(registry, "STRATEGIES", registry.STRATEGIES | table)


def halves(text: str, number: int) -> bool:
    """Each word mends one half of the cases but a few."""
    return number % 10 == 0 or ("odd" in text and number % 2 == 1) or ("even" in text and number % 4 == 0)


async def test_two_that_pass_different_cases_are_crossed_by_their_rules() -> None:
    found = await search(World(halves), ["odd", "even", "crossover"])
    crossed = [report for report in found.candidates if report.strategy == "crossover"]
    assert [report.prompt.text for report in crossed] == ["seed {{ x }} odd even"]
    assert crossed[0].changes[0].reason.startswith("the changes of c02 (even) made to c01: one or the other passes ")
    assert found.winner is not None
    assert found.winner.candidate.prompt.text == "seed {{ x }} odd even"
    assert found.verification is not None
    assert found.verification.accepted
    assert {(share.generation, share.strategy) for share in found.shares} >= {(1, "odd"), (1, "even"), (2, "crossover")}


async def test_in_the_second_generation_the_rewriter_sees_what_the_parent_fails_on_train() -> None:
    world = World(halves, max_calls=900)
    found = await search(world, ["odd", "rewrite"], rewriter=True)
    first, *later = [question for question in world.questions if "State the task" in question]
    assert "seed {{ x }}\n</message>" in first
    (second,) = later
    assert "seed {{ x }} odd" in second
    looked = {case_id for _, text, case_id in world.asked if text == "seed {{ x }} odd"} & set(world.split.train)  # type: ignore[attr-defined]
    assert len(looked) == 20
    failed = {case_id for case_id in looked if not halves("seed {{ x }} odd", int(case_id[1:]))}
    shown = {case_id for case_id in (case.case_id for case in CASES) if f"said {case_id}" in second}
    assert shown
    assert shown <= failed
    counted = sum(report.calls for report in found.candidates)
    assert counted == len(world.asked)  # the look at train is paid for like all else
    assert world.calls <= 900


async def test_without_a_rewriter_nobody_is_run_on_train() -> None:
    world = World(halves)
    await search(world, ["odd", "even", "crossover", "lean"])
    assert not {case_id for _, _, case_id in world.asked} & set(world.split.train)  # type: ignore[attr-defined]


async def test_a_small_budget_looks_at_fewer_train_cases_or_none() -> None:
    world = World(halves, max_calls=240)
    await search(world, ["odd", "rewrite"], rewriter=True)
    assert world.calls <= 240
    assert len({case_id for _, _, case_id in world.asked} & set(world.split.train)) < 20  # type: ignore[attr-defined]


def mostly(text: str, number: int) -> bool:
    """Seed and ``lean`` pass the same 70 %, ``odd`` 76 %."""
    return number % 10 < 7 or ("odd" in text and number % 17 == 0)


TOKENS = {"seed": 100.0, "lean": 40.0, "odd": 130.0}


async def test_weights_choose_the_cheaper_prompt_and_prove_that_it_is_no_worse() -> None:
    found = await search(World(mostly, tokens=TOKENS), ["odd", "lean"], weights=Weights(tokens=0.5), margin=0.15)
    assert found.winner is not None
    assert found.winner.candidate.prompt.text == "seed {{ x }} lean"
    assert found.claim == "non_inferior"
    assert found.verification is not None
    assert found.verification.accepted
    scores = {report.prompt.text: report.score for report in found.candidates}
    assert scores["seed {{ x }} lean"] == pytest.approx(0.3)
    assert scores["seed {{ x }} odd"] < 0
    notes = [report.note for report in found.candidates if report.status == "dropped"]
    assert notes
    assert all(note.endswith("; ranked by the plan's weights") for note in notes)
    assert found.notes == (f"the winner, {found.winner.id}, was chosen by the plan's weights (quality 1, tokens 0.5)",)


async def test_without_weights_the_same_search_asks_for_passes_alone() -> None:
    found = await search(World(mostly, tokens=TOKENS), ["odd", "lean"])
    assert found.winner is not None
    assert "odd" in found.winner.candidate.prompt.text
    assert found.claim == "better"
    assert {report.score for report in found.candidates} == {None}
    assert found.notes == ()


async def test_time_has_a_say_and_is_said_not_to_be_proved() -> None:
    latency = {"seed": 100.0, "lean": 99.0, "odd": 20.0}
    world = World(halves, tokens=TOKENS, latency_ms=latency)
    found = await search(world, ["odd", "lean"], weights=Weights(latency=0.1, cost=1))
    assert found.winner is not None
    assert "odd" in found.winner.candidate.prompt.text
    assert found.claim == "better"
    assert found.notes[0] == "weights.cost counts for nothing: it is not known, or 0 for the prompt"
    assert found.notes[1].endswith("; cost and latency counted, but nothing is proved of them")


class Idle(SearchEngine):
    """Finds nothing."""

    name = "idle"

    async def search(self, context: SearchContext) -> Found:
        return Found()


async def test_an_engine_that_does_not_weigh_says_so() -> None:
    found = await search(World(halves), ["odd"], weights=Weights(tokens=1), engine=f"{__name__}:Idle")
    assert found.notes == ("optimize.weights counted for nothing: the engine 'idle' goes by passes",)
    assert (await search(World(halves), ["odd"], engine=f"{__name__}:Idle")).notes == ()


async def test_what_breaks_a_limit_is_not_chosen_and_says_so() -> None:
    world = World(halves, latency_ms={"seed": 100.0, "odd": 9000.0})
    found = await search(world, ["odd", "even"])
    assert found.winner is not None
    assert found.winner.candidate.prompt.text == "seed {{ x }} even"
    slow = next(report for report in found.candidates if report.prompt.text == "seed {{ x }} odd")
    assert (slow.status, slow.note) == ("dropped", "newly breaks max_acceptable_latency_ms on the dev cases it saw")
    assert slow.broken_limits == ("max_acceptable_latency_ms",)

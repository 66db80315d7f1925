"""The engine against a simulated world: every candidate text has a true pass probability."""

import random
import zlib
from dataclasses import replace

import pytest

from sharpen.config.models import SplitConfig
from sharpen.config.prompts import PromptMessage
from sharpen.config.rules import Thresholds
from sharpen.errors import BudgetExhausted, UnknownNameError, UserError
from sharpen.optimizer.engine import Engine
from sharpen.optimizer.models import Change, OptimizationConfig, Prompt, PromptAnalysis
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, SpendMeter
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.splits import split_cases
from sharpen.optimizer.strategies.base import Candidate, Strategy
from sharpen.optimizer.strategies.registry import build_strategy, expand

ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)
SEED = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "seed {{ x }}"}]})
CASES = [LabelledCase(f"c{n:03d}", {"x": str(n)}, "ab"[n % 2]) for n in range(150)]


class Suffixes(Strategy):
    """Appends words; how good each is, only the world knows."""

    name = "suffixes"
    words = ("bad", "fair", "good", "poor")

    async def propose(self, context):
        found = []
        for word in self.words:
            message = context.prompt.messages[0]
            new = context.prompt.with_messages((message.model_copy(update={"content": f"{message.content} {word}"}),))
            found.append(Candidate(new, self.name, (Change(rule_id="word", reason=word),)))
        return found


class MoreSuffixes(Suffixes):
    name = "more_suffixes"
    words = ("great", "worse")


class Shorter(Strategy):
    """Takes words away."""

    name = "efficiency_focus"

    async def propose(self, context):
        short = PromptMessage(role="user", content="{{ x }}")
        return [
            Candidate(context.prompt.with_messages((short,)), self.name, (Change(rule_id="short", reason="short"),))
        ]


class World(SpendMeter):
    """Answers by the truth; counts and bounds calls as the executor does."""

    def __init__(self, truth, max_calls=None, seed=0):
        self.truth, self.max_calls, self.seed = truth, max_calls, seed
        self.calls = 0
        self.asked = []

    def calls_made(self):
        return self.calls

    def calls_left(self):
        return None if self.max_calls is None else self.max_calls - self.calls

    def outcome(self, prompt, case_id):
        chance = max((value for word, value in self.truth.items() if word in prompt.text), default=self.truth["seed"])
        luck = random.Random(zlib.crc32(f"{self.seed}{prompt.text}{case_id}".encode())).random()
        rate = float(luck < chance)
        return CaseOutcome(case_id, rate, rate, calls=1, tokens=len(prompt.text))

    async def evaluate(self, prompt, case_ids, purpose):
        found = []
        for case_id in case_ids:
            self.asked.append((purpose, case_id))
            if self.max_calls is not None and self.calls >= self.max_calls:
                found.append(CaseOutcome(case_id, 0.0, 0.0, ran=False))
            else:
                self.calls += 1
                found.append(self.outcome(prompt, case_id))
        return tuple(found)


def engine(world, names=("here:Suffixes",), monkeypatch=None, observer=None, supplied=(), margin=0.05):
    split = split_cases([(case.case_id, case.expected) for case in CASES], SplitConfig(), 0.05)
    baseline = {case.case_id: world.outcome(SEED, case.case_id) for case in CASES}
    world.calls += len(CASES)
    measurement = Measurement(CASES, baseline, split, world.evaluate, world, supplied=supplied)
    return Engine(measurement, names, OptimizationConfig(margin=margin), Thresholds(), observer), split


@pytest.fixture(autouse=True)
def strategies(monkeypatch):
    from sharpen.optimizer.strategies import registry

    table = {"suffixes": f"{__name__}:Suffixes", "more_suffixes": f"{__name__}:MoreSuffixes"}
    table["efficiency_focus"] = f"{__name__}:Shorter"
    monkeypatch.setattr(registry, "STRATEGIES", table)


TRUTH = {"seed": 0.3, "bad": 0.2, "poor": 0.3, "fair": 0.5, "good": 0.85}


async def test_the_best_candidate_wins_and_is_proved_on_holdout_alone():
    world = World(TRUTH)
    searching, split = engine(world, ["suffixes"])
    found = await searching.run(SEED, ANALYSIS)
    assert "good" in found.winner.candidate.prompt.text
    assert found.verification.accepted
    assert found.verification.holdout_cases < found.verification.planned_cases == len(split.holdout)
    assert {case_id for purpose, case_id in world.asked if purpose == "candidate"} == set(split.dev)
    assert {case_id for purpose, case_id in world.asked if purpose == "holdout"} < set(split.holdout)
    assert sum(purpose == "holdout" for purpose, _ in world.asked) == found.verification.holdout_cases
    assert [report.status for report in found.candidates].count("winner") == 1
    assert sum(report.calls for report in found.candidates) == len(world.asked)


async def test_racing_costs_less_than_trying_everything():
    world = World(TRUTH)
    searching, split = engine(world, ["suffixes"])
    await searching.run(SEED, ANALYSIS)
    assert sum(purpose == "candidate" for purpose, _ in world.asked) < 4 * len(split.dev)


async def test_a_second_generation_builds_on_the_first_winner():
    searching, _ = engine(World(TRUTH | {"great": 0.99}), ["suffixes", "more_suffixes"])
    found = await searching.run(SEED, ANALYSIS)
    assert "great" in found.winner.candidate.prompt.text
    assert max(len(contender.lineage) for contender in found.contenders) == 2
    assert any(report.parent_id for report in found.candidates)


async def test_nothing_better_on_dev_spends_no_holdout():
    world = World({"seed": 0.9, "bad": 0.1, "poor": 0.1, "fair": 0.1, "good": 0.1})
    searching, _ = engine(world, ["suffixes"])
    found = await searching.run(SEED, ANALYSIS)
    assert found.winner is None
    assert found.verification is None
    assert not any(purpose == "holdout" for purpose, _ in world.asked)


@pytest.mark.parametrize("max_calls", [150, 180, 215, 260, 300, 400])
async def test_a_budget_is_never_overrun_and_keeps_room_for_the_proof(max_calls):
    world = World(TRUTH, max_calls)
    searching, _ = engine(world, ["suffixes", "more_suffixes"])
    found = await searching.run(SEED, ANALYSIS)
    assert world.calls <= max_calls
    if found.winner is not None:
        assert found.verification.planned_cases == 60
        assert found.verification.stopped != "incomplete"
    else:
        assert found.stop_reason or max_calls >= 260


async def test_prompts_of_the_user_race_beside_the_strategies():
    mine = SEED.with_messages((PromptMessage(role="user", content="excellent {{ x }}"),))
    searching, _ = engine(World(TRUTH | {"excellent": 0.99}), ["suffixes"], supplied=(mine,))
    found = await searching.run(SEED, ANALYSIS)
    assert found.contenders[0].candidate.strategy == "supplied"
    assert "excellent" in found.winner.candidate.prompt.text
    assert found.verification.accepted


async def test_a_cheaper_prompt_is_proved_no_worse_only_where_saving_was_asked_for_first():
    truth = {"seed": 1.0}
    searching, _ = engine(World(truth), ["efficiency_focus", "suffixes"], margin=0.15)
    found = await searching.run(SEED, ANALYSIS)
    assert found.claim == found.verification.claim == "non_inferior"
    assert found.winner.candidate.prompt.text == "{{ x }}"
    assert found.verification.token_change < -0.2
    searching, _ = engine(World(truth), ["suffixes", "efficiency_focus"])
    assert (await searching.run(SEED, ANALYSIS)).winner is None


async def test_every_dropped_candidate_says_when_and_against_whom():
    searching, _ = engine(World(TRUTH), ["suffixes"])
    found = await searching.run(SEED, ANALYSIS)
    dropped = [report for report in found.candidates if report.status == "dropped"]
    assert dropped
    assert all(report.note.startswith(f"after {report.dev.cases} cases: passed ") for report in dropped)


async def test_running_dry_in_the_middle_claims_nothing():
    world = World(TRUTH, max_calls=400)
    searching, _ = engine(world, ["suffixes"])
    world.max_calls = world.calls + 60  # as if retries had eaten the rest
    world.calls_left = lambda: 500
    found = await searching.run(SEED, ANALYSIS)
    assert found.stop_reason
    assert found.verification is None or not found.verification.accepted


async def test_a_search_that_is_cut_off_begins_no_proof_even_with_a_leader():
    phases = []

    class Watch:
        def phase(self, name, detail):
            phases.append(name)

        def candidate(self, *told):
            pass

    world = World(TRUTH)
    searching, _ = engine(world, ["suffixes"], observer=Watch())
    world.max_calls = world.calls + 100  # as Ctrl-C does it: nothing runs any more
    world.calls_left = lambda: None
    found = await searching.run(SEED, ANALYSIS)
    assert found.stop_reason
    assert found.winner is not None
    assert found.verification is None  # a proof that is opened counts as a look at the held-out cases
    assert "prove" not in phases
    assert not any(purpose == "holdout" for purpose, _ in world.asked)


async def test_who_was_cut_off_before_its_first_answer_is_not_measured():
    world = World(TRUTH)
    searching, _ = engine(world, ["suffixes"])
    world.max_calls = world.calls + 3
    world.calls_left = lambda: None
    found = await searching.run(SEED, ANALYSIS)
    measured = [report for report in found.candidates if report.dev is not None]
    others = [report for report in found.candidates if report.dev is None]
    assert 1 <= len(measured) <= 3
    assert sum(report.dev.cases for report in measured) == 3
    assert {(report.status, report.note) for report in others} == {
        ("unevaluated", "not measured: the search was stopped")
    }


async def test_a_budget_that_nobody_can_watch_is_told():
    class Silent(World):
        def outcome(self, prompt, case_id):
            return replace(super().outcome(prompt, case_id), cost=None, tokens=0.0)

        def cost_left(self):
            return 1.0

        def tokens_left(self):
            return 1e9

    searching, _ = engine(Silent(TRUTH, max_calls=400), ["suffixes"])
    notes = (await searching.run(SEED, ANALYSIS)).notes
    assert [note.partition(":")[0] for note in notes] == [
        "max_cost_usd could not be kept",
        "max_tokens could not be kept",
    ]
    searching, _ = engine(World(TRUTH, max_calls=400), ["suffixes"])
    assert not (await searching.run(SEED, ANALYSIS)).notes


async def test_a_rewriter_that_runs_out_of_budget_ends_the_search_not_the_program(monkeypatch):
    async def propose(self, context):
        raise BudgetExhausted("max_calls 600 spent")

    monkeypatch.setattr(Suffixes, "propose", propose)
    searching, _ = engine(World(TRUTH), ["suffixes"])
    assert (await searching.run(SEED, ANALYSIS)).stop_reason == "max_calls 600 spent"


async def test_who_watches_hears_of_phases_and_candidates():
    heard = []

    class Observer:
        def phase(self, name, detail=""):
            heard.append(name)

        def candidate(self, candidate_id, strategy, success_rate, cases, status):
            heard.append(candidate_id)

    searching, _ = engine(World(TRUTH), ["suffixes"], observer=Observer())
    await searching.run(SEED, ANALYSIS)
    assert {"propose", "race", "prove", "c01"} <= set(heard)


def test_names_expand_and_unknown_ones_say_what_there_is(monkeypatch):
    monkeypatch.undo()
    order = expand(["auto"], "structure_focus", has_rewriter=False)
    assert order[0] == "structure_focus"
    assert "rewrite" not in order
    assert len(set(order)) == len(order)
    assert "rewrite" in expand(["auto"], "clarity_focus", has_rewriter=True)
    assert expand(["demonstrations"], "clarity_focus", has_rewriter=False) == ("demonstrations",)
    with pytest.raises(UserError, match=r"optimize\.rewriter"):
        expand(["rewrite"], "clarity_focus", has_rewriter=False)
    with pytest.raises(UnknownNameError, match="did you mean 'demonstrations'"):
        build_strategy("demonstration")

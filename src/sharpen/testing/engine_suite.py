"""Contract suite for search engines: what the run around them relies on.

Inherit it, give the engine, and pytest does the rest::

    class TestMyEngine(EngineContract):
        @pytest.fixture
        def engine(self) -> SearchEngine:
            return MyEngine()

Override ``reply`` when your engine asks the rewriter for another form than a whole prompt, ``names`` when it works by
strategies, and ``finds_by_the_rewriter`` when it asks no rewriter. Needs pytest.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from sharpen.config.models import SplitConfig
from sharpen.config.prompts import PromptMessage
from sharpen.errors import BudgetExhausted, ErrorKind, RunAborted, SharpenError
from sharpen.optimizer.engine import context_for
from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.models import OptimizationConfig, Prompt, PromptAnalysis
from sharpen.optimizer.ports import CaseOutcome, LabelledCase, Purpose, SpendMeter
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.splits import split_cases
from sharpen.optimizer.strategies.edits import keeps_placeholders
from sharpen.targets.base import Failure, Message, TargetError

PROMPT = Prompt(
    id="suite", messages=(PromptMessage(role="user", content="Say which queue the message {{ message }} goes to."),)
)
ANALYSIS = PromptAnalysis(prompt_id="suite", overall_score=50, clarity_score=50, efficiency_score=50)
CASES = tuple(LabelledCase(f"c{n:03d}", {"message": f"message {n}"}, "ab"[n % 2]) for n in range(120))
SPLIT = split_cases([(case.case_id, case.expected) for case in CASES], SplitConfig(), 0.05)
TRUTH = {"terribly": 0.05, "hastily": 0.3, "carefully": 0.6, "perfectly": 0.97}
"""How often a prompt with this word passes; any other passes three cases of ten."""


@dataclass(slots=True)
class World(SpendMeter):
    """A model whose answers are settled beforehand, and who counts what is asked of it.

    ``pause_s`` is how long an evaluation takes, ``answers`` how often it answers before it raises ``fails_with`` (None:
    does not answer any more).
    """

    truth: dict[str, float] = field(default_factory=lambda: dict(TRUTH))
    max_calls: int | None = None
    answers: int | None = None
    fails_with: SharpenError | None = None
    rewriter_fails: bool = False
    pause_s: float = 0.0
    calls: int = 0
    asked: list[tuple[str, str, Purpose]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def calls_made(self) -> int:
        """Of both models."""
        return self.calls

    def calls_left(self) -> int | None:
        """Of both models."""
        return None if self.max_calls is None else self.max_calls - self.calls

    def outcome(self, prompt: Prompt, case_id: str) -> CaseOutcome:
        """Passed or not, by luck that prompt and case decide."""
        chance = next((chance for word, chance in self.truth.items() if word in prompt.text), 0.3)
        luck = zlib.crc32(f"{prompt.text} {case_id}".encode()) % 1000 / 1000
        passed = float(luck < chance)
        return CaseOutcome(case_id, passed, passed, output="a", calls=1, tokens=float(len(prompt.text)))

    async def evaluate(self, prompt: Prompt, case_ids: Sequence[str], purpose: Purpose) -> tuple[CaseOutcome, ...]:
        """``EvaluatePrompt``."""
        await asyncio.sleep(self.pause_s)
        found = []
        for case_id in case_ids:
            self.asked.append((prompt.content_hash, case_id, purpose))
            if self.answers is not None and self.calls >= self.answers:
                if self.fails_with is not None:
                    raise self.fails_with
                found.append(CaseOutcome(case_id, 0.0, 0.0, ran=False))
            else:
                self.calls += 1
                found.append(self.outcome(prompt, case_id))
        return tuple(found)


class EngineContract:
    """Tests every engine has to pass."""

    names: Sequence[str] = ("rewrite",)
    """The plan's strategies, in order."""
    finds_by_the_rewriter = True
    """Whether a good answer of the rewriter is enough for it to find something better."""

    @pytest.fixture
    def engine(self) -> SearchEngine:
        """Override: the engine under test."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'engine': return the engine under test")

    def reply(self, question: str, number: int) -> str:  # noqa: ARG002 - for engines whose answer depends on it
        """What the rewriter answers to its question number ``number`` (from 1): a prompt with a word of ``TRUTH``."""
        return PROMPT.text.replace("Say", f"Say {list(TRUTH)[number % len(TRUTH)]}, attempt {number},")

    def context(self, world: World) -> SearchContext:
        """A fresh search in a world."""

        async def rewrite(messages: tuple[Message, ...]) -> str:
            await asyncio.sleep(0)
            if world.max_calls is not None and world.calls >= world.max_calls:
                raise BudgetExhausted(f"max_calls {world.max_calls} spent")
            world.calls += 1
            world.questions.append("\n".join(message.content for message in messages))
            if world.rewriter_fails:
                raise TargetError(Failure(ErrorKind.SERVER, "the rewriter is down"))
            return self.reply(world.questions[-1], len(world.questions))

        baseline = {case.case_id: world.outcome(PROMPT, case.case_id) for case in CASES}
        given = Measurement(CASES, baseline, SPLIT, world.evaluate, world, rewrite=rewrite)
        return context_for(given, PROMPT, ANALYSIS, OptimizationConfig(), self.names)

    def search(self, engine: SearchEngine, world: World) -> tuple[SearchContext, Found]:
        """Let it search, in an event loop of its own."""
        context = self.context(world)
        return context, asyncio.run(asyncio.wait_for(engine.search(context), 60))

    def test_it_has_a_name(self, engine: SearchEngine) -> None:
        assert isinstance(engine.name, str)
        assert re.fullmatch(r"\S+", engine.name)

    def test_it_finds_a_better_prompt_and_shows_paired_outcomes(self, engine: SearchEngine) -> None:
        context, found = self.search(engine, World(max_calls=900))
        if found.winner is None:
            assert not self.finds_by_the_rewriter
            return
        assert found.winner in context.contenders
        paired = context.seen_by(found.winner)
        assert len(paired) >= 4
        assert all(case_id in context.given.baseline for case_id in paired)
        assert context.beats_seed(found.winner)

    def test_it_claims_nothing_where_nothing_is_better(self, engine: SearchEngine) -> None:
        _, found = self.search(engine, World(truth=dict.fromkeys(TRUTH, 0.0), max_calls=600))
        assert found.winner is None or found.claim == "non_inferior"

    def test_it_never_sees_a_held_out_case(self, engine: SearchEngine) -> None:
        world = World(max_calls=700)
        context, _ = self.search(engine, world)
        assert world.asked
        assert not {case_id for _, case_id, _ in world.asked} & {*SPLIT.holdout}
        assert {purpose for *_, purpose in world.asked} == {"candidate"}
        held_out = {str(case.variables["message"]) for case in CASES if case.case_id in SPLIT.holdout}
        shown = " ".join(world.questions) + " ".join(each.candidate.prompt.text for each in context.contenders)
        assert not held_out & set(re.findall(r"message \d+", shown))

    def test_the_rewriter_is_shown_no_dev_case(self, engine: SearchEngine) -> None:
        world = World(max_calls=700)
        self.search(engine, world)
        dev = {str(case.variables["message"]) for case in CASES if case.case_id in SPLIT.dev}
        assert not dev & set(re.findall(r"message \d+", " ".join(world.questions)))

    @pytest.mark.parametrize("room", [0, 1, 7, 40, 90, 200])
    def test_what_the_proof_takes_is_never_spent(self, engine: SearchEngine, room: int) -> None:
        world = World(max_calls=len(SPLIT.holdout) + room)
        self.search(engine, world)
        assert world.calls <= room

    def test_it_ends_without_a_budget(self, engine: SearchEngine) -> None:
        world = World()
        self.search(engine, world)
        assert world.calls < 50 * len(CASES)

    def test_the_same_search_twice_is_the_same(self, engine: SearchEngine) -> None:
        """What is stored of a search that was cut off is found again only if it asks for the same, in order."""
        first, second = World(max_calls=500), World(max_calls=500)
        context, found = self.search(engine, first)
        again, refound = self.search(engine, second)
        assert first.asked == second.asked
        assert first.questions == second.questions
        assert [each.id for each in context.contenders] == [each.id for each in again.contenders]
        assert (found.winner and found.winner.id) == (refound.winner and refound.winner.id)

    def test_every_prompt_that_is_tried_is_a_contender_and_can_be_rendered(self, engine: SearchEngine) -> None:
        world = World(max_calls=600)
        context, _ = self.search(engine, world)
        known = {each.candidate.prompt.content_hash: each for each in context.contenders}
        assert len({each.id for each in context.contenders}) == len(known) == len(context.contenders)
        assert {prompt for prompt, *_ in world.asked} <= known.keys()
        assert PROMPT.content_hash not in known
        for each in known.values():
            assert keeps_placeholders(PROMPT, each.candidate.prompt)
            assert each.candidate.prompt.variables == PROMPT.variables
            assert each.candidate.changes
            assert each.calls == sum(prompt == each.candidate.prompt.content_hash for prompt, *_ in world.asked)

    def test_whoever_leaves_leaves_for_a_reason(self, engine: SearchEngine) -> None:
        context, found = self.search(engine, World(max_calls=600))
        assert context.drops.keys() <= {each.id for each in context.contenders}
        assert all(reason.strip() for reason in context.drops.values())
        assert found.winner is None or found.winner.id not in context.drops

    @pytest.mark.parametrize("error", [BudgetExhausted("max_calls spent"), RunAborted("the server is gone")])
    def test_what_ends_a_run_ends_the_search(self, engine: SearchEngine, error: RunAborted) -> None:
        world = World(max_calls=900, answers=20, fails_with=error)
        with pytest.raises(type(error), match=str(error)):
            self.search(engine, world)
        assert world.calls <= 21

    def test_it_ends_when_cases_are_not_run_any_more(self, engine: SearchEngine) -> None:
        """A Ctrl-C, or a budget that something else has spent."""
        world = World(max_calls=900, answers=20)
        context, _ = self.search(engine, world)
        assert context.stop_reason
        assert len(world.asked) < 900
        assert world.calls <= 21

    def test_a_rewriter_that_fails_costs_candidates_not_the_search(self, engine: SearchEngine) -> None:
        self.search(engine, World(max_calls=400, rewriter_fails=True))

    def test_a_search_that_is_cancelled_asks_for_nothing_more(self, engine: SearchEngine) -> None:
        world = World(max_calls=900, pause_s=0.05)

        async def cancelled() -> int:
            task = asyncio.create_task(engine.search(self.context(world)))
            while not world.asked and not task.done():  # noqa: ASYNC110 - the world is no event
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            asked = len(world.asked)
            await asyncio.sleep(0.1)
            return asked

        assert asyncio.run(cancelled()) == len(world.asked)

    def test_it_says_nothing_by_itself(self, engine: SearchEngine, capfd: pytest.CaptureFixture[str]) -> None:
        self.search(engine, World(max_calls=300))
        assert capfd.readouterr() == ("", "")

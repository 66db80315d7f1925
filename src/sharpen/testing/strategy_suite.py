"""Contract suite for strategies: what the search relies on.

Inherit it, give the strategy, and pytest does the rest::

    class TestMyStrategy(StrategyContract):
        @pytest.fixture
        def strategy(self) -> Strategy:
            return MyStrategy()

Override ``contexts`` to add situations of your own (keep ours: ``[*super().contexts(), …]``), and
``offers_something`` when the strategy has nothing to say to a plain classification prompt. Needs pytest.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import cache

import pytest

from sharpen.config.assertions import AssertionPart, JsonAssertion, TextAssertion
from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.analyzer import LintContext, analyze
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.optimizer.strategies.edits import placeholders
from sharpen.targets.base import Message
from sharpen.templating import compile_template

LABELS = ("billing", "shipping", "technical")
FOREIGN = "zebra-of-the-holdout"
"""The output of a case outside the train split: a candidate that holds it looked at what it must not see."""

_SINGLE = (
    "Check this message.\n\n{{ message }}",
    "Please read it. Please read it. Say which queue it belongs to.\n\nMessage: {{ message }}\nQueue:",
    "{% if message %}{{ message }}{% endif %}",
    "{% raw %}{{ not a tag }}{% endraw %} Sort {{ message | trim }} in {{ '}}' }} one word!!!  ",
    "{% set short = message[:20] %}\nBe brief. Explain {{ short }} in great detail.\n\n\n\n{{ message }}",
    '{# sharpen: ignore SP303 #}Please sort the message.\n\n"""\n{{ message }}\n"""\n',
    "Sortiere die Nachricht ein.\n\n{{ message }}",
    "",
)
_WITH_TURNS = (
    PromptMessage(role="system", content="Sort messages into queues."),
    PromptMessage(role="user", content="My card was charged twice."),
    PromptMessage(role="assistant", content="billing"),
    PromptMessage(role="user", content="{{ message }}"),
)


class StrategyContract:
    """Tests every strategy has to pass."""

    offers_something = True

    @pytest.fixture
    def strategy(self) -> Strategy:
        """Override: the strategy under test."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'strategy': return the strategy under test")

    def contexts(self) -> list[StrategyContext]:
        """Situations a strategy meets: prompts of all kinds, chat and raw, with and without assertions and cases."""
        return list(_situations())

    def test_it_has_a_name(self, strategy: Strategy) -> None:
        assert isinstance(strategy.name, str)
        assert strategy.name

    def test_it_has_something_to_offer(self, strategy: Strategy) -> None:
        found = propose(strategy, self.contexts()[0])
        assert bool(found) == self.offers_something

    def test_candidates_differ_from_the_prompt_and_from_each_other(self, strategy: Strategy) -> None:
        for context in self.contexts():
            hashes = [candidate.prompt.content_hash for candidate in propose(strategy, context)]
            assert context.prompt.content_hash not in hashes
            assert len(set(hashes)) == len(hashes)

    def test_placeholders_survive(self, strategy: Strategy) -> None:
        for context in self.contexts():
            before = placeholders(context.prompt)
            for candidate in propose(strategy, context):
                lost = before - placeholders(candidate.prompt)
                assert not lost, f"{strategy.name} lost {sorted(lost)} of {context.prompt.text!r}"

    def test_candidates_can_be_rendered(self, strategy: Strategy) -> None:
        for context in self.contexts():
            for candidate in propose(strategy, context):
                for message in candidate.prompt.messages:
                    compile_template(message.content)
                assert candidate.prompt.variables <= context.prompt.variables

    def test_the_number_of_candidates_is_bounded(self, strategy: Strategy) -> None:
        for context in self.contexts():
            for limit in (0, 1, 2):
                assert len(propose(strategy, replace(context, max_candidates=limit))) <= limit

    def test_every_change_names_its_rule_and_reason(self, strategy: Strategy) -> None:
        for context in self.contexts():
            for candidate in propose(strategy, context):
                assert candidate.strategy == strategy.name
                assert candidate.changes
                assert all(change.rule_id.strip() and change.reason.strip() for change in candidate.changes)

    def test_the_same_context_gives_the_same_candidates(self, strategy: Strategy) -> None:
        for context in self.contexts():
            assert propose(strategy, context) == propose(strategy, context)

    def test_it_keeps_to_the_train_split(self, strategy: Strategy) -> None:
        for context in self.contexts():
            for candidate in propose(strategy, context):
                assert FOREIGN not in candidate.prompt.text

    def test_the_context_stays_as_it_was(self, strategy: Strategy) -> None:
        for context in self.contexts():
            before = (context.prompt.content_hash, list(context.train), dict(context.train_outcomes))
            propose(strategy, context)
            assert before == (context.prompt.content_hash, list(context.train), dict(context.train_outcomes))


def propose(strategy: Strategy, context: StrategyContext) -> list[Candidate]:
    """Ask once, with a generator seeded anew: asking again must give the same answer."""
    return asyncio.run(strategy.propose(replace(context, rng=random.Random(7))))


def context_for(
    messages: tuple[PromptMessage, ...], assertions: tuple[AssertionPart, ...] = (), api: str = "chat"
) -> StrategyContext:
    """A routing problem: nine train cases of three labels, a third of which fail."""
    prompt = Prompt(id="suite", workflow_id="suite", messages=messages)
    train = tuple(
        LabelledCase(
            f"t{number}", {"message": f"Message number {number} about {LABELS[number % 3]}"}, LABELS[number % 3]
        )
        for number in range(9)
    )
    outcomes = {
        case.case_id: CaseOutcome(case.case_id, float(index % 3 > 0), float(index % 3 > 0), output=str(case.expected))
        for index, case in enumerate(train)
    }
    outcomes["h0"] = CaseOutcome("h0", 1.0, 1.0, output=FOREIGN)
    return StrategyContext(
        prompt=prompt,
        analysis=analyze(prompt, LintContext(assertions=assertions, cases=train, api=api)),
        assertions=assertions,
        train=train,
        train_outcomes=outcomes,
        api=api,
        rewrite=_rewrite,
    )


@cache
def _situations() -> tuple[StrategyContext, ...]:
    prompts: list[tuple[PromptMessage, ...]] = [
        *((PromptMessage(role="user", content=text),) for text in _SINGLE),
        _WITH_TURNS,
    ]
    contexts: list[StrategyContext] = []
    for messages in prompts:
        for api in ("chat", "completions"):
            contexts.append(context_for(messages, _EQUALS, api))
            contexts.append(context_for(messages, (), api))
        contexts.append(context_for(messages, _JSON, "chat"))
        contexts.append(replace(contexts[-1], train=(), train_outcomes={}))
    return tuple(contexts)


async def _rewrite(messages: tuple[Message, ...]) -> str:
    assert messages, "the rewriter is asked something"
    return "Choose the queue for this message.\n\n{{ message }}"


_EQUALS: tuple[AssertionPart, ...] = (TextAssertion(type="equals", value="{{ expected }}"),)
_JSON: tuple[AssertionPart, ...] = (
    JsonAssertion(
        type="is-json", value={"properties": {"queue": {"enum": list(LABELS)}, "urgent": {"type": "boolean"}}}
    ),
)

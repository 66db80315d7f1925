"""The rule strategies, held to the contract that third parties inherit."""

from __future__ import annotations

import pytest

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.models import Change
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.optimizer.strategies.clarity_focus import ClarityFocus
from sharpen.optimizer.strategies.efficiency_focus import EfficiencyFocus
from sharpen.optimizer.strategies.format_focus import FormatFocus
from sharpen.optimizer.strategies.structure_focus import StructureFocus
from sharpen.testing.strategy_suite import FOREIGN, StrategyContract


class TestClarityFocus(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return ClarityFocus()


class TestStructureFocus(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return StructureFocus()


class TestFormatFocus(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return FormatFocus()


class TestEfficiencyFocus(StrategyContract):
    offers_something = False  # "Check this message." holds nothing to leave out

    @pytest.fixture
    def strategy(self) -> Strategy:
        return EfficiencyFocus()


class Cheat(Strategy):
    """Breaks every promise in turn, to show that the suite notices."""

    name = "cheat"

    def __init__(self, sin: str) -> None:
        self.sin = sin
        self.calls = 0

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        self.calls += 1
        text = {
            "unchanged": context.prompt.text,
            "loses placeholders": "Answer.",
            "new variable": context.prompt.text + "{{ expected }}",
            "peeks": context.prompt.text + FOREIGN + str(context.train_outcomes["h0"].output),
            "moody": context.prompt.text + str(self.calls),
        }.get(self.sin, context.prompt.text + " Be exact.")
        prompt = context.prompt.with_messages((PromptMessage(role="user", content=text),))
        changes = (
            () if self.sin == "silent" else (Change(rule_id="cheat", reason="" if self.sin == "no reason" else "x"),)
        )
        count = 3 if self.sin == "repeats" else 1 if context.max_candidates or self.sin == "too many" else 0
        return [Candidate(prompt, self.name, changes)] * count


@pytest.mark.parametrize(
    ("sin", "test"),
    [
        ("unchanged", "test_candidates_differ_from_the_prompt_and_from_each_other"),
        ("repeats", "test_candidates_differ_from_the_prompt_and_from_each_other"),
        ("loses placeholders", "test_placeholders_survive"),
        ("new variable", "test_candidates_can_be_rendered"),
        ("peeks", "test_it_keeps_to_the_train_split"),
        ("moody", "test_the_same_context_gives_the_same_candidates"),
        ("silent", "test_every_change_names_its_rule_and_reason"),
        ("no reason", "test_every_change_names_its_rule_and_reason"),
        ("too many", "test_the_number_of_candidates_is_bounded"),
    ],
)
def test_the_suite_notices(sin: str, test: str) -> None:
    with pytest.raises(AssertionError):
        getattr(StrategyContract(), test)(Cheat(sin))

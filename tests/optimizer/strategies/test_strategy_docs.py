"""The page on writing a strategy: its example keeps the contract it explains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sharpen.optimizer.strategies.base import Strategy
from sharpen.testing.strategy_suite import StrategyContract

PAGE = Path(__file__).parents[3] / "docs" / "writing-a-strategy.md"


class TestTheExampleOfTheDocs(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        (code,) = re.findall(r"```python\n(# my_strategies.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        names: dict[str, type[Strategy]] = {}
        exec(compile(code, "my_strategies.py", "exec"), names)
        return names["AskTwice"]()

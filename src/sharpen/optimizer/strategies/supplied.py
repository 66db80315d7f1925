"""Prompts that the user wrote: they race beside what the other strategies propose."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.config.prompts import PromptTemplate
from sharpen.optimizer.models import Change
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext


class Supplied(Strategy):
    """The prompts of ``optimize.candidates``, as they are."""

    name = "supplied"

    def __init__(self, prompts: Sequence[PromptTemplate]) -> None:
        self._prompts = prompts

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """All of them, in the plan's order; they build on no other prompt."""
        found = []
        for number, template in enumerate(self._prompts, 1):
            new = context.prompt.with_messages(template.messages)
            reason = f"candidate {number} of the plan"
            change = Change(rule_id="supplied", reason=reason, before=context.prompt.text, after=new.text)
            found.append(Candidate(prompt=new, strategy=self.name, changes=(change,)))
        return found

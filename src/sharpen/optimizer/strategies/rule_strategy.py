"""What the rule strategies share: drafts in, distinct candidates out; a template Jinja cannot read is left alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from sharpen.errors import TemplateError
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.optimizer.strategies.edits import Draft
from sharpen.templating import compile_template


class RuleStrategy(Strategy):
    """A strategy of deterministic rewrites. It looks at the prompt and the train split and calls nothing."""

    @abstractmethod
    def drafts(self, context: StrategyContext) -> Iterator[Draft]:
        """Drafts, most promising first. Equal ones and those that change nothing are dropped by ``propose``."""

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """The first ``max_candidates`` drafts that differ from the prompt and from each other."""
        if context.max_candidates < 1 or not _readable(context):
            return []
        seen = {context.prompt.content_hash}
        candidates: list[Candidate] = []
        for draft in self.drafts(context):
            if draft.prompt.content_hash in seen:
                continue
            seen.add(draft.prompt.content_hash)
            candidates.append(Candidate(prompt=draft.prompt, strategy=self.name, changes=draft.changes))
            if len(candidates) == context.max_candidates:
                break
        return candidates


def _readable(context: StrategyContext) -> bool:
    try:
        for message in context.prompt.messages:
            compile_template(message.content)
    except TemplateError:  # the linter reports it (SP003); where its tags end nobody knows
        return False
    return True

"""The rewriter as a search has it: out of reach of what is set aside for the proof, and what came of it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sharpen.errors import ErrorKind
from sharpen.optimizer.ports import RewritePrompt
from sharpen.optimizer.search import Contender
from sharpen.targets.base import Failure, Message, TargetError

BY_REWRITER = frozenset({"rewrite/failures", "crossover/model", "efficiency/model"})
"""Changes that a reply of the rewriter made, by our own strategies."""


class WatchedRewriter:
    """Fails when all that is left (``room``) is set aside for the proof, instead of spending that; counts the rest."""

    def __init__(self, room: Callable[[], int | None], rewrite: RewritePrompt) -> None:
        self._room = room
        self._rewrite = rewrite
        self._asked = self._failed = 0
        self._why = ""

    async def __call__(self, messages: tuple[Message, ...]) -> str:
        if self._room() == 0:
            raise TargetError(Failure(ErrorKind.BUDGET, "what is left of the budget is set aside for the proof"))
        self._asked += 1
        try:
            return await self._rewrite(messages)
        except TargetError as error:
            self._failed += 1
            self._why = error.failure.message
            raise

    def told(self, contenders: Iterable[Contender] | None) -> list[str]:
        """Sentences for the reader: calls that failed, and replies of which none could be used.

        ``contenders``: of our own strategies, whose changes tell which are the rewriter's; None: that is not known.
        """
        found = []
        if self._failed:
            found.append(f"the rewriter failed in {self._failed} of {self._asked} calls: {self._why}")
        answered = self._asked - self._failed
        if answered and contenders is not None:
            changes = (change for each in contenders for change in each.candidate.changes)
            if not any(change.rule_id in BY_REWRITER for change in changes):
                replies = "1 reply" if answered == 1 else f"{answered} replies"
                found.append(f"no candidate came of {replies} of the rewriter: none was a new template that fits")
        return found

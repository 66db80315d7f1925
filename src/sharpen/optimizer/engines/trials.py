"""Trying prompts for an engine of others: nothing is paid twice, nothing is overrun, every prompt is a contender.

Such engines ask for the same prompt on the same case again and again, and look at their budget only now and then.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from sharpen.optimizer.engines.base import Found, SearchContext
from sharpen.optimizer.engines.bridge import SearchOver
from sharpen.optimizer.models import Change, Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.search import Contender
from sharpen.optimizer.strategies.base import Candidate
from sharpen.targets.base import Message

SELECTION_SHARE = 8
"""Of what the search may spend, one part in so many is one candidate's on dev: the rest buys other candidates."""
FEWEST_SELECTING = 20
UNLIMITED = 16
"""Without a budget: as much as so many candidates on all of dev take."""


class Trials:
    """The prompts that one search tries. ``strategy`` names the engine in the reports."""

    def __init__(self, context: SearchContext, strategy: str) -> None:
        self._context = context
        self._strategy = strategy
        self._by_hash: dict[str, Contender] = {}
        dev = context.given.split.dev
        left = context.runs_left()
        self.room = UNLIMITED * len(dev) if left is None else left
        expected = {case.case_id: case.expected for case in context.given.cases}
        ordered = stratified(dev, expected, random.Random(context.config.split.seed))
        self.selecting = tuple(ordered[: max(FEWEST_SELECTING, self.room // SELECTION_SHARE)])
        self.paid = 0

    def enter(self, prompt: Prompt, reason: str, parent: Prompt | None = None) -> None:
        """Note a new prompt, where it came from and why. The seed, or one that is known already, stays as it is."""
        known = {self._context.prompt.content_hash, *self._by_hash}
        if prompt.content_hash in known:
            return
        source = self._by_hash.get(parent.content_hash) if parent else None
        before = source.candidate.prompt if source else self._context.prompt
        change = Change(rule_id=f"{self._strategy}/proposal", reason=reason, before=before.text, after=prompt.text)
        contender = Contender(
            id=f"c{len(self._by_hash) + 1:02d}",
            candidate=Candidate(prompt=prompt, strategy=self._strategy, changes=(change,)),
            parent_id=source.id if source else None,
        )
        self._by_hash[prompt.content_hash] = contender
        self._context.contenders.append(contender)

    async def outcomes(self, prompt: Prompt, case_ids: Sequence[str]) -> list[CaseOutcome]:
        """What a prompt does on train or dev cases; what is known is not run again.

        Raises ``SearchOver`` when the rest is more than may be spent, or when a case could not be run.
        """
        if prompt.content_hash == self._context.prompt.content_hash:
            return [self._context.given.baseline[case_id] for case_id in case_ids]
        self.enter(prompt, "proposed")
        contender = self._by_hash[prompt.content_hash]
        new = list(dict.fromkeys(case_id for case_id in case_ids if case_id not in contender.outcomes))
        if new:
            self.afford(len(new))
            self.paid += len(new)
            await self._context.evaluate(contender, new)
        if self._context.stop_reason:
            raise SearchOver
        return [contender.outcomes[case_id] for case_id in case_ids]

    async def ask(self, messages: tuple[Message, ...], doing: str) -> str:
        """What the plan's rewriter answers; it counts like a case run. ``doing``: for who watches.

        Raises ``SearchOver`` when that is more than may be spent, ``TargetError`` when the rewriter fails.
        """
        rewrite = self._context.given.rewrite
        assert rewrite is not None  # or the engine would have been refused: it needs one
        self.afford(1)
        self._context.phase("propose", doing)
        return await rewrite(messages)

    def afford(self, runs: int) -> None:
        """Raises ``SearchOver`` unless so many case runs may still be spent."""
        left = self._context.runs_left()
        if runs > (self.room - self.paid if left is None else left):
            raise SearchOver

    def found(self) -> Found:
        """The best of those that saw all selecting cases, if it passed more of them than the seed; why others left."""
        measured = [each for each in self._by_hash.values() if each.outcomes.keys() >= {*self.selecting}]
        best = min(measured, key=lambda each: each.rank_key(self.selecting), default=None)
        for each in self._by_hash.values():
            if each is not best and each.outcomes:
                self._context.drops[each.id] = self._why_dropped(each, best if each in measured else None)
        return Found(best if best and self._context.beats_seed(best) else None)

    def _why_dropped(self, contender: Contender, best: Contender | None) -> str:
        """In the words of the race where it was compared with the best, else on what it ended."""
        if best is not None:
            passed, leader = (_passed(each.outcomes, self.selecting) for each in (contender, best))
            return f"after {_cases(len(self.selecting))}: passed {passed:g}; the leader {leader:g}"
        seen = [case_id for case_id in self._context.given.split.train if case_id in contender.outcomes]
        if len(seen) < len(contender.outcomes):
            return f"the search ended after {_cases(len(contender.outcomes))} of it"
        parents = {each.id: each.outcomes for each in self._by_hash.values()}
        before = parents.get(contender.parent_id or "", self._context.given.baseline)
        shared = [case_id for case_id in seen if case_id in before]
        told = f"passed {_passed(contender.outcomes, shared):g} of {_cases(len(shared), 'train ')}"
        return f"{told}; the prompt it came from {_passed(before, shared):g}"


def _passed(outcomes: Mapping[str, CaseOutcome], case_ids: Sequence[str]) -> float:
    return math.fsum(outcomes[case_id].pass_rate for case_id in case_ids if outcomes[case_id].ran)


def _cases(count: int, kind: str = "") -> str:
    return f"1 {kind}case" if count == 1 else f"{count} {kind}cases"

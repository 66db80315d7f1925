"""Judge calls of one task: made through a caller of their own, counted apart from the prompt's calls."""

from __future__ import annotations

from collections.abc import Callable

from sharpen.assertions.base import Judge
from sharpen.config.assertions import RubricAssertion
from sharpen.config.targets import TargetConfig
from sharpen.executor.caller import Caller
from sharpen.executor.models import JudgeUsage
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse

CallerOf = Callable[[TargetConfig], Caller]

NO_JUDGE = JudgeUsage()
"""Of most tasks, which share it."""


class TaskJudges:
    """The judges of one task and what they cost. ``stopped`` is set when one was kept from judging."""

    def __init__(self, caller_of: CallerOf, case_id: str, repeat: int) -> None:
        self._caller_of = caller_of
        self._case_id = case_id
        self._repeat = repeat
        self._calls = self._tokens = 0
        self._cost: float | None = 0.0
        self.stopped: Failure | None = None

    def judge_for(self, assertion: RubricAssertion) -> Judge:
        """The judge that the assertion names. Calling it raises ``TargetError`` when no judgement could be had."""
        caller = self._caller_of(assertion.judge)

        async def judge(messages: tuple[Message, ...]) -> TargetResponse:
            request = TargetRequest(messages, {}, self._case_id, self._repeat, caller.timeout_s)
            outcome = await caller.call(request)
            self._calls += outcome.attempts
            if not outcome.cached:
                self._tokens += outcome.total_tokens
            self._cost = None if outcome.cost is None or self._cost is None else self._cost + outcome.cost
            if outcome.response is not None:
                return outcome.response
            assert outcome.failure is not None
            if outcome.stopped:
                self.stopped = outcome.failure
            raise TargetError(outcome.failure)

        return judge

    @property
    def usage(self) -> JudgeUsage:
        return JudgeUsage(calls=self._calls, tokens=self._tokens, cost=self._cost) if self._calls else NO_JUDGE

"""The rewriter model of one optimization: called within its limits, retries and budget, each call once.

Every call is noted with its end, good or bad, so that a search that goes on hears what it heard before.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import TypeAdapter

from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.executor.budget import Meter
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.storage.store import Store
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest

_OUTCOME = TypeAdapter(CallOutcome)


class Rewriter:
    """``RewritePrompt`` behind a caller; ``search_id`` is the optimization's."""

    def __init__(self, caller: Caller, meter: Meter, store: Store, search_id: str) -> None:
        self._caller = caller
        self._meter = meter
        self._store = store
        self._search_id = search_id
        self._heard = store.searches.calls(search_id)
        self._calls = 0

    async def __call__(self, messages: tuple[Message, ...]) -> str:
        """The model's text. Raises ``TargetError``, ``BudgetExhausted``."""
        self._calls += 1
        number, question = self._calls, _hash(messages)
        outcome = self._again(number, question) or await self._ask(number, question, messages)
        if outcome.response is not None:
            return outcome.response.output
        failure = outcome.failure or Failure(ErrorKind.CANCELLED, "the rewriter was not called")
        if failure.kind is ErrorKind.BUDGET:
            raise BudgetExhausted(failure.message)
        raise TargetError(failure)

    def _again(self, number: int, question: str) -> CallOutcome | None:
        """How this very call ended in an earlier process, charged as it was; None when it did not."""
        asked, noted = self._heard.get(number, ("", {}))
        if asked != question:
            return None
        try:
            outcome = _OUTCOME.validate_python(noted)
        except ValueError:  # text that JSON cannot hold: worth a call, not a search
            return None
        if not outcome.cached:
            took = sum(failed.time for failed in outcome.failed_attempts) + outcome.wait_time
            took += outcome.execution_time if outcome.response is not None else 0.0
            self._meter.charge(outcome.attempts, outcome.total_tokens, outcome.cost, seconds=took)
        return outcome

    async def _ask(self, number: int, question: str, messages: tuple[Message, ...]) -> CallOutcome:
        outcome = await self._caller.call(TargetRequest(messages, case_id="rewrite"))
        if not outcome.stopped:
            self._store.searches.save_call(self._search_id, number, question, _OUTCOME.dump_python(outcome))
        return outcome


def _hash(messages: tuple[Message, ...]) -> str:
    text = json.dumps([[message.role, message.content] for message in messages])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

"""The runs of one optimization: each with an id of its own, those of an earlier process taken over.

A search asks for its runs in an order that depends on their outcomes alone. One that goes on asks for the same ones
again, in the same order; what the store holds of them is not called a second time, and counts as spent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sharpen.config.models import Case
from sharpen.config.prompts import PromptTemplate
from sharpen.executor.budget import Meter
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.session import ExecutionSession
from sharpen.storage.records import RunRecord, Spending
from sharpen.storage.store import Store

Span = tuple[datetime, datetime]
_LOG = logging.getLogger("sharpen.search")


class Steps:
    """Runs the steps of the optimization ``parent``; ``earlier`` ones are those that the store holds already.

    ``label`` tells them from other steps of the same parent, which have an order of their own.
    """

    def __init__(
        self,
        parent: str,
        session: ExecutionSession,
        store: Store,
        earlier: Sequence[RunRecord] = (),
        label: str = "",
    ) -> None:
        self._parent = parent
        self._prefix = f"{parent}-{label}" if label else parent
        self._session = session
        self._store = store
        self._earlier = {record.run_id: record for record in earlier}
        self._free = dict(self._earlier)
        self._spans: list[Span] = []
        self._started = 0

    async def run(self, prompt: PromptTemplate, cases: Sequence[Case], purpose: str) -> RunExecutionResult:
        """Run a prompt on cases, or what is left of it."""
        self._started += 1  # before anything is awaited: the order of start
        run_id = f"{self._prefix}-{self._started:02}"
        known = self._find(run_id, prompt, cases, purpose)
        if known is None:
            run_id = self._unused(run_id)
            return await self._session.run(cases, prompt, purpose, run_id, self._parent)
        seconds = self._seconds_of(known.run_id)
        if known.status is RunStatus.COMPLETED:
            charge(self._session.meter, self._store.spent(known.run_id), seconds)
            return self._store.runs.load_result(known.run_id)
        charge(self._session.meter, self._store.take_up(known.run_id), seconds)
        finished = self._store.results.finished(known.run_id)
        return await self._session.run(cases, prompt, purpose, known.run_id, self._parent, finished)

    def _find(self, run_id: str, prompt: PromptTemplate, cases: Sequence[Case], purpose: str) -> RunRecord | None:
        """What the store holds of a step: the one with its number, else any that asks the same."""
        ids = tuple(case.id for case in cases)
        for record in sorted(self._free.values(), key=lambda record: record.run_id != run_id):
            same = (record.purpose, record.prompt_hash) == (purpose, prompt.content_hash)
            if same and record.case_ids == ids[: len(record.case_ids)] and record.total_tasks == self._tasks(ids):
                return self._free.pop(record.run_id)
        return None

    def _tasks(self, ids: Sequence[str]) -> int:
        return len(ids) * self._session.manifest.execution.repeats

    def _seconds_of(self, run_id: str) -> float:
        """Wall clock that a step took, without what steps side by side with it took and was counted for them."""
        before = covered(self._spans)
        self._spans += self._store.spans(run_id)
        return covered(self._spans) - before

    def _unused(self, run_id: str) -> str:
        """``run_id``, or with a letter behind it when a step of another content bears it."""
        if run_id not in self._earlier:
            return run_id
        letters = (chr(letter) for letter in range(ord("b"), ord("z") + 1))
        found = next(f"{run_id}{letter}" for letter in letters if f"{run_id}{letter}" not in self._earlier)
        _LOG.warning("step %s is not what it was when the search began: run anew as %s", run_id, found)
        return found


def covered(spans: Iterable[Span]) -> float:
    """Seconds in at least one of the spans."""
    total, until = timedelta(), None
    for begun, ended in sorted(spans):
        begun = begun if until is None else max(begun, until)
        total += max(timedelta(), ended - begun)
        until = ended if until is None else max(until, ended)
    return total.total_seconds()


def charge(meter: Meter, spent: Spending, seconds: float = 0.0) -> None:
    """Count what earlier processes spent, and how long they took, towards the budgets of this one."""
    meter.charge(spent.calls, spent.tokens, spent.cost, spent.unpriced_calls, seconds)

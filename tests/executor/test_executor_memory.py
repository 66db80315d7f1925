"""Whose answer it is: the task's own, paid for by a process that is gone, or somebody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from executor_kit import Memory

from sharpen.config.models import Budget
from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.executor.budget import BudgetMeter, CompositeMeter
from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.memory import CallMemory, Ledger
from sharpen.executor.models import FailedAttempt
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, TargetRequest, TargetResponse, Usage

KEYS = CacheKeys({"kind": "test"}, program=False)


def request(case_id: str = "a", text: str = "hi") -> TargetRequest:
    return TargetRequest((Message("user", text),), case_id=case_id)


class Work:
    """Calls that cost 0.5 USD and 10 tokens, after one that failed and cost 0.1 and 4."""

    def __init__(self, fails: int = 0, retries: bool = True) -> None:
        self.calls, self.fails, self.retries = 0, fails, retries

    async def __call__(self, request: TargetRequest) -> CallOutcome:
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls <= self.fails:
            return CallOutcome(failure=Failure(ErrorKind.SERVER, "down"), attempts=1)
        outcome = CallOutcome(TargetResponse("answer", Usage(7, 3), cost=0.5), attempts=1, execution_time=1.5)
        outcome.spend(Usage(7, 3), 0.5)
        if self.retries:
            outcome.attempts = 2
            outcome.spend(Usage(4, 0), 0.1)
            outcome.failed_attempts.append(FailedAttempt(kind=ErrorKind.SERVER, tokens=4, cost=0.1, wait=2.0))
        return outcome


async def ask(cache: Memory, work: Work, meter: BudgetMeter | None = None, case: str = "a", **keys: Any) -> CallOutcome:
    memory = CallMemory(cache, KEYS, **keys)
    return await memory.answer(request(case), work, StopSignal(), meter or BudgetMeter())


@pytest.mark.parametrize("retries", [True, False])
@pytest.mark.parametrize("private", [None, "run-1"])
async def test_the_task_that_paid_takes_its_answer_over_once(private: str | None, retries: bool) -> None:
    cache, work, meter = Memory(), Work(retries=retries), BudgetMeter()
    first = await ask(cache, work, payer="run-1", private=private)
    ledger = Ledger()
    again = await ask(cache, work, meter, payer="run-1", private=private, ledger=ledger)
    assert work.calls == 1
    assert not again.cached
    for figure in ("attempts", "total_tokens", "prompt_tokens", "cost", "execution_time", "failed_attempts"):
        assert getattr(again, figure) == getattr(first, figure), figure
    assert (meter.calls_made(), meter.tokens, meter.cost) == (first.attempts, first.total_tokens, first.cost)
    third = await ask(cache, work, meter, payer="run-1", private=private, ledger=ledger)
    if private:
        assert work.calls == 2, "without a cache, to ask twice is to pay twice"
    else:
        assert (third.cached, third.cost, work.calls) == (True, 0.0, 1)


@pytest.mark.parametrize(("payer", "case"), [("run-2", "a"), ("run-1", "b"), ("", "a")])
async def test_to_everybody_else_it_is_a_hit(payer: str, case: str) -> None:
    cache, work, meter = Memory(), Work(), BudgetMeter()
    await ask(cache, work, payer="run-1")
    hit = await ask(cache, work, meter, case, payer=payer)
    assert (hit.cached, hit.attempts, hit.cost, hit.saved_cost, hit.total_tokens) == (True, 0, 0.0, 0.5, 10)
    assert meter.calls_made() == 0


async def test_what_this_process_paid_for_is_a_hit_to_itself() -> None:
    cache, work, ledger = Memory(), Work(), Ledger()
    await ask(cache, work, payer="run-1", ledger=ledger)
    assert (await ask(cache, work, payer="run-1", ledger=ledger)).cached


async def test_private_answers_are_found_by_their_run_alone_and_forgotten() -> None:
    cache, work = Memory(), Work()
    await ask(cache, work, payer="run-1", private="run-1")
    await ask(cache, work, payer="run-2", private="run-2")
    await ask(cache, work, payer="run-1")
    await ask(cache, work, payer="run-1", private="run-1", resumed=False)
    assert work.calls == 4
    await cache.forget("run-1")
    assert len(cache.answers) == 2


async def test_the_same_at_the_same_time_is_asked_once() -> None:
    cache, work, ledger = Memory(), Work(), Ledger()
    found = await asyncio.gather(*(ask(cache, work, case=case, payer="run", ledger=ledger) for case in "abc"))
    assert [one.cached for one in found] == [False, True, True]
    assert work.calls == 1
    assert ledger.under_way == {}


async def test_when_the_first_fails_the_next_one_asks_for_the_others() -> None:
    cache, work, ledger = Memory(), Work(fails=1), Ledger()
    found = await asyncio.gather(*(ask(cache, work, case=case, ledger=ledger) for case in "abc"))
    assert [one.response is None for one in found] == [True, False, False]
    assert [one.cached for one in found] == [False, False, True]
    assert work.calls == 2
    assert cache.claims == set()


async def test_when_the_first_is_cancelled_the_others_ask_for_themselves() -> None:
    cache, ledger = Memory(), Ledger()

    class Slow(Work):
        async def __call__(self, request: TargetRequest) -> CallOutcome:
            await asyncio.sleep(0 if self.calls else 30)
            return await super().__call__(request)

    work = Slow()
    first = asyncio.create_task(ask(cache, work, ledger=ledger))
    await asyncio.sleep(0)
    others = [asyncio.create_task(ask(cache, Work(), ledger=ledger)) for _ in range(2)]
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.sleep(0)
    first.cancel()
    assert (await others[1]).response is not None
    with pytest.raises(asyncio.CancelledError):
        await first
    assert cache.claims == set()


def test_what_was_spent_before_counts_beyond_any_limit() -> None:
    meter, other = BudgetMeter(Budget(max_calls=3)), BudgetMeter()
    both = CompositeMeter(meter, other)
    both.charge(5, 100, 0.25)
    both.charge(1, 10, None, unpriced=1)
    assert (both.calls_made(), both.calls_left(), other.tokens, other.cost, other.unpriced_calls) == (
        6,
        0,
        110,
        0.25,
        2,
    )
    with pytest.raises(BudgetExhausted):
        both.reserve()


async def test_a_second_call_that_was_cancelled_is_taken_over_as_one() -> None:
    """It was paid for, and is no retry."""

    async def hedged(request: TargetRequest) -> CallOutcome:
        outcome = CallOutcome(TargetResponse("answer", Usage(7, 3), cost=0.5), attempts=2, hedges=1)
        for _ in range(2):
            outcome.spend(Usage(7, 3), 0.5)
        return outcome

    cache, meter = Memory(), BudgetMeter()
    first = await CallMemory(cache, KEYS, payer="run-1").answer(request(), hedged, StopSignal(), meter)
    again = await CallMemory(cache, KEYS, payer="run-1").answer(request(), hedged, StopSignal(), meter)
    assert (again.attempts, again.hedges, again.cost) == (first.attempts, first.hedges, first.cost) == (2, 1, 1.0)

import asyncio
import random
from typing import Any

import pytest
from executor_kit import Journal, Spy, now, plan, run_virtual, scripted
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import Budget, HedgeConfig, RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.executor.hedging import MIN_OBSERVED, OBSERVED, Hedging
from sharpen.executor.limits import Limiter
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.session import ExecutionSession
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse, Usage

REQUEST = TargetRequest((Message("user", "x"),))
ANSWER = TargetResponse("ok", Usage(2, 3), 0.5)
DOWN = Failure(ErrorKind.SERVER, "down", 500, retryable=True, usage=Usage(7, 0), cost=0.25)


def warm(latency: float = 1.0, **config: float) -> Hedging:
    hedging = Hedging(HedgeConfig(**config))  # type: ignore[arg-type] # numbers all of them
    for _ in range(100):
        hedging.patience()
        hedging.observe(latency)
    return hedging


class Scripted(Spy):
    """Answers the n-th call after so many seconds, or fails then."""

    def __init__(self, *calls: tuple[float, Any]) -> None:
        super().__init__(self._next)
        self.script = list(calls)
        self.cancelled = 0

    async def _next(self, request: TargetRequest) -> TargetResponse:
        latency, end = self.script.pop(0)
        try:
            await asyncio.sleep(latency)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(end, Failure):
            raise TargetError(end)
        return end


def hedged(
    target: Spy, slots: int = 4, hedging: Hedging | None = None, **how: Any
) -> tuple[CallOutcome, float, Caller]:
    async def main() -> tuple[CallOutcome, float, Caller]:
        caller = Caller(
            target=target, limiter=Limiter(RateLimit(), slots, now), stop=StopSignal(), clock=now,
            rng=random.Random(0), hedging=hedging or warm(), **how,
        )  # fmt: skip
        outcome = await caller.call(REQUEST)
        took = now()
        await asyncio.sleep(0)
        assert caller.limiter.in_flight == 0
        return outcome, took, caller

    return run_virtual(main())


def test_late_is_later_than_the_percentile_of_the_latest_answers() -> None:
    hedging = Hedging(HedgeConfig(after_percentile=90))
    for latency in range(1, MIN_OBSERVED):
        assert hedging.patience() is None
        hedging.observe(latency)
    hedging.observe(MIN_OBSERVED)
    assert hedging.patience() == 18
    for _ in range(OBSERVED):
        hedging.observe(0.5)
    assert hedging.patience() == 0.5


def test_a_call_in_time_has_no_company() -> None:
    target = Scripted((0.9, ANSWER))
    outcome, took, _ = hedged(target)
    assert (outcome.attempts, outcome.hedges, target.calls, took) == (1, 0, 1, 0.9)


def test_the_first_answer_counts_and_the_other_call_is_cancelled_and_charged_alike() -> None:
    meter = BudgetMeter()
    target = Scripted((60.0, ANSWER), (0.5, ANSWER))
    outcome, took, _ = hedged(target, meter=meter)
    assert outcome.response is ANSWER
    assert (outcome.attempts, outcome.hedges, target.cancelled) == (2, 1, 1)
    assert took == outcome.execution_time == pytest.approx(1.5)
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.cost) == (4, 6, 1.0)
    assert (meter.calls_made(), meter.tokens, meter.cost) == (2, 10, 1.0)
    assert outcome.failed_attempts == []


def test_the_late_call_may_still_be_the_first() -> None:
    target = Scripted((1.2, ANSWER), (5.0, ANSWER))
    outcome, took, _ = hedged(target)
    assert (outcome.attempts, outcome.hedges, target.cancelled, took) == (2, 1, 1, 1.2)


def test_when_one_of_the_two_fails_the_other_decides() -> None:
    target = Scripted((3.0, ANSWER), (0.5, DOWN))
    outcome, took, _ = hedged(target)
    assert outcome.response is ANSWER
    assert took == 3.0
    assert [attempt.kind for attempt in outcome.failed_attempts] == [ErrorKind.SERVER]
    assert outcome.cost == 0.75


def test_when_both_fail_it_is_one_failed_attempt_more_and_one_retry_less_than_calls() -> None:
    target = Scripted((2.0, DOWN), (0.5, DOWN), (0.1, ANSWER))
    outcome, _, _ = hedged(target, policy=RetryPolicy(max_retries=1))
    assert outcome.response is ANSWER
    assert (outcome.attempts, outcome.hedges) == (3, 1)
    assert [attempt.cost for attempt in outcome.failed_attempts] == [0.25, 0.25]
    assert outcome.cost == 1.0


def test_no_second_call_that_the_budget_cannot_pay_and_no_stop_either() -> None:
    target = Scripted((5.0, ANSWER), (0.1, ANSWER))
    outcome, took, caller = hedged(target, meter=BudgetMeter(Budget(max_calls=1)))
    assert (outcome.attempts, took, caller.stop.requested) == (1, 5.0, False)


def test_no_second_call_without_a_free_place_or_beyond_the_share() -> None:
    target = Scripted((5.0, ANSWER), (0.1, ANSWER))
    assert hedged(target, slots=1)[0].attempts == 1
    spent = warm(max_extra=0.01)
    spent.hedges = 1
    assert hedged(Scripted((5.0, ANSWER), (0.1, ANSWER)), hedging=spent)[0].attempts == 1


def test_a_call_that_is_cancelled_at_once_gives_back_what_it_had() -> None:
    async def main() -> Caller:
        caller = Caller(
            target=Scripted(), limiter=Limiter(RateLimit(), 4, now), stop=StopSignal(), clock=now, hedging=warm()
        )
        task = asyncio.create_task(caller.call(REQUEST))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return caller

    caller = run_virtual(main())
    assert caller.limiter.in_flight == 0


def test_cancelling_the_task_cancels_both_calls() -> None:
    target = Scripted((60.0, ANSWER), (60.0, ANSWER))

    async def main() -> Caller:
        caller = Caller(
            target=target, limiter=Limiter(RateLimit(), 4, now), stop=StopSignal(), clock=now, hedging=warm()
        )
        task = asyncio.create_task(caller.call(REQUEST))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return caller

    caller = run_virtual(main())
    assert target.cancelled == 2
    assert caller.limiter.in_flight == 0


@pytest.mark.no_cover
@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(1, 12),
    st.lists(st.tuples(st.sampled_from([0.1, 1.0, 9.0]), st.booleans()), min_size=200, max_size=200),
)
def test_the_budget_of_calls_is_exact_with_hedges_and_failures(
    limit: int, workers: int, script: list[tuple[float, bool]]
) -> None:
    target = Scripted(*((latency, ANSWER if fine else DOWN) for latency, fine in script))
    meter = BudgetMeter(Budget(max_calls=limit))
    outcomes: list[CallOutcome] = []

    async def main() -> None:
        caller = Caller(
            target=target, limiter=Limiter(RateLimit(), workers, now), stop=StopSignal(), clock=now,
            rng=random.Random(0), meter=meter, hedging=warm(0.5, max_extra=1.0), policy=RetryPolicy(max_retries=1),
        )  # fmt: skip

        async def worker() -> None:
            while not caller.stop.requested:
                outcomes.append(await caller.call(REQUEST))

        await asyncio.gather(*(worker() for _ in range(workers)))

    run_virtual(main())
    assert target.calls <= limit
    assert target.calls == meter.calls_made() == sum(outcome.attempts for outcome in outcomes)
    assert meter.tokens == sum(outcome.total_tokens for outcome in outcomes)
    assert meter.cost == pytest.approx(sum(outcome.cost or 0.0 for outcome in outcomes))


def test_a_plan_turns_it_on_and_results_tell() -> None:
    slow = {"case_id": "c60", "output": "late", "latency_ms": 30_000, "times": 1}
    manifest = plan(
        64, scripted(slow, default="ok", latency_ms=100), concurrency=2, hedge=HedgeConfig(max_extra=0.5), cache=False
    )
    journal = Journal()

    async def main() -> Any:
        async with ExecutionSession(manifest, sink=journal, observer=journal) as session:
            return await session.run()

    result = run_virtual(main())
    assert result.statistics.succeeded_tasks == 64
    hedged_tasks = [task for task in result.task_results if task.hedges]
    assert "c60" in [task.case_id for task in hedged_tasks]
    assert all(task.attempts == 1 + task.hedges and task.retries == 0 for task in hedged_tasks)
    assert result.statistics.total_retries == 0

import asyncio
import math
import random

import pytest
from executor_kit import Spy, now, run_virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.breaker import Breaker, is_trouble
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.models import RunStatus
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse

REQUEST = TargetRequest((Message("user", "x"),))
DOWN = Failure(ErrorKind.SERVER, "HTTP 500", 500, retryable=True)
OUT_OF_SERVICE = Failure(ErrorKind.SERVER, "HTTP 503", 503, retryable=True)
UNREACHABLE = Failure(ErrorKind.CONNECTION, "refused", retryable=True)


def test_it_opens_after_a_run_of_failures_asks_one_by_one_and_closes_on_an_answer() -> None:
    breaker = Breaker(RetryPolicy(), concurrency=64)
    assert [breaker.failed(DOWN, 0.0) for _ in range(9)] == [False] * 9
    assert breaker.failed(DOWN, 0.0)
    assert (breaker.state, breaker.wait(0.0)) == ("open", 0.5)
    assert breaker.wait(0.6) == 0
    breaker.started()
    assert (breaker.state, breaker.wait(0.6)) == ("half-open", math.inf)
    breaker.dropped()
    assert breaker.wait(0.6) == 0
    breaker.started()
    assert breaker.failed(DOWN, 1.0)
    assert breaker.wait(1.0) == 1.0
    assert breaker.verdict("the target") is None
    breaker.started()
    breaker.answered()
    assert (breaker.state, breaker.failures, breaker.wait(0.0)) == ("closed", 0, 0.0)


def test_it_gives_up_after_as_many_probes_as_a_call_has_retries() -> None:
    breaker = Breaker(RetryPolicy(max_retries=5), concurrency=64)
    for _ in range(10):
        breaker.failed(UNREACHABLE, 0.0)
    for _ in range(4):
        breaker.started()
        breaker.failed(UNREACHABLE, 0.0)
    assert breaker.verdict("the judge") is None
    breaker.started()
    breaker.failed(UNREACHABLE, 0.0)
    assert breaker.verdict("the judge") == "cannot reach the judge: refused"


def test_one_that_has_answered_is_given_half_a_minute_to_come_back() -> None:
    breaker = Breaker(RetryPolicy(), concurrency=64)
    breaker.answered()
    for _ in range(10):
        breaker.failed(UNREACHABLE, 100.0)
    for number, moment in enumerate((100.5, 101.5, 103.5, 107.5, 115.5)):
        breaker.started()
        breaker.failed(UNREACHABLE, moment)
        assert breaker.verdict("the judge") is None, number
    breaker.started()
    breaker.failed(UNREACHABLE, 131.5)
    assert (breaker.verdict("the judge") or "").startswith("the judge is down: 16 calls in a row came to nothing")


@pytest.mark.parametrize("down_s", [8.0, 28.0, 1e9])
def test_a_run_waits_for_a_server_that_restarts(down_s: float) -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.05)
        if 5.0 < now() < 5.0 + down_s:
            raise TargetError(UNREACHABLE)
        return TargetResponse("ok")

    async def main() -> tuple[list[CallOutcome], StopSignal, float]:
        outcomes, stop, _ = await _work_off(Spy(answer), 3000, 16)
        return outcomes, stop, now()

    outcomes, stop, took = run_virtual(main())
    assert stop.requested is (down_s > 1e6)
    if stop.requested:
        assert stop.reason.startswith("the target is down: ")  # and not "cannot reach": it was there
        assert took < 5 + 40
    else:
        assert all(outcome.response for outcome in outcomes)


def test_what_is_not_the_servers_trouble_does_not_count() -> None:
    kinds = {kind for kind in ErrorKind if is_trouble(Failure(kind, "no", retryable=True))}
    assert kinds == {ErrorKind.SERVER, ErrorKind.CONNECTION, ErrorKind.TIMEOUT}
    assert not is_trouble(Failure(ErrorKind.SERVER, "a bug of the code under test"))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 256))
def test_random_failures_of_one_in_a_hundred_never_open_it(seed: int, concurrency: int) -> None:
    rng, breaker = random.Random(seed), Breaker(RetryPolicy(), concurrency)
    for _ in range(2000):
        if rng.random() < 0.01:
            breaker.failed(DOWN, 0.0)
        else:
            breaker.answered()
        assert breaker.state == "closed"


async def _work_off(
    target: Spy, calls: int, workers: int, **how: object
) -> tuple[list[CallOutcome], StopSignal, Limiter]:
    stop, policy = StopSignal(), RetryPolicy()
    limiter = Limiter(RateLimit(), workers, now, policy)
    caller = Caller(
        target=target, limiter=limiter, stop=stop, clock=now, rng=random.Random(0), policy=policy,
        abort=AbortPolicy(calls), **how,
    )  # type: ignore[arg-type] # fmt: skip
    todo, outcomes = iter(range(calls)), []

    async def worker() -> None:
        for _ in todo:
            if stop.requested:
                return
            outcomes.append(await caller.call(REQUEST))

    await asyncio.gather(*(worker() for _ in range(workers)))
    return outcomes, stop, limiter


@pytest.mark.parametrize("workers", [1, 8, 64])
@pytest.mark.parametrize("failure", [DOWN, OUT_OF_SERVICE, UNREACHABLE])
def test_a_dead_server_ends_the_run_after_few_calls_with_one_message(workers: int, failure: Failure) -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.01)
        raise TargetError(failure)

    target = Spy(answer)

    async def main() -> tuple[StopSignal, float]:
        _, stop, _ = await _work_off(target, 10_000, workers)
        return stop, now()

    stop, took = run_virtual(main())
    assert stop.status is RunStatus.ABORTED
    assert failure.message in stop.reason
    assert target.calls <= workers + 13
    assert took < 15


def test_a_server_that_never_answers_costs_a_few_deadlines_and_not_one_for_each_case() -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(1e6)
        raise AssertionError

    target = Spy(answer)

    async def main() -> tuple[StopSignal, float]:
        _, stop, _ = await _work_off(target, 10_000, 64, timeout_s=60.0)
        return stop, now()

    stop, took = run_virtual(main())
    assert stop.status is RunStatus.ABORTED
    assert "no answer within 60 s (execution.timeout_s)" in stop.reason
    assert target.calls == 64 + 3
    assert took < 5 * 60


@pytest.mark.parametrize("failure", [DOWN, OUT_OF_SERVICE])
def test_calls_wait_out_an_outage_without_losing_an_attempt(failure: Failure) -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.05)
        if 5.0 < now() < 6.5:
            raise TargetError(failure)
        return TargetResponse("ok")

    target = Spy(answer)

    async def main() -> tuple[list[CallOutcome], Limiter]:
        outcomes, stop, limiter = await _work_off(target, 3000, 16)
        assert not stop.requested
        return outcomes, limiter

    outcomes, limiter = run_virtual(main())
    assert all(outcome.response for outcome in outcomes)
    assert limiter.breaker.state == "closed"
    assert target.calls - 3000 <= 16 + 3  # those under way, and the probes


def test_outside_of_a_run_a_call_to_a_dead_target_is_over_soon() -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        raise TargetError(DOWN)

    async def main() -> list[CallOutcome]:
        limiter = Limiter(RateLimit(), 8, now)
        caller = Caller(target=Spy(answer), limiter=limiter, stop=StopSignal(), clock=now, rng=random.Random(0))
        return [await caller.call(REQUEST) for _ in range(4)]

    outcomes = run_virtual(main())
    assert all(outcome.failure and outcome.failure.kind is ErrorKind.SERVER for outcome in outcomes)
    assert outcomes[-1].attempts == 1

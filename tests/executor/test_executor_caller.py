import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from executor_kit import Journal, Memory, Spy, now, run_virtual, unlimited

from sharpen.config.models import Budget, RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.memory import CallMemory
from sharpen.executor.models import RunStatus
from sharpen.executor.retry import RetryPolicy
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.scripted import scripted

REQUEST = TargetRequest((Message("user", "hello you"),), case_id="c")
DOWN: dict[str, Any] = {"failure": "server", "message": "down"}


def caller(target: Target, **how: Any) -> Caller:
    defaults: dict[str, Any] = {"limiter": unlimited(), "stop": StopSignal(), "clock": now, "rng": random.Random(0)}
    return Caller(target=target, **(defaults | how))


def call(target: Target, request: TargetRequest = REQUEST, **how: Any) -> tuple[CallOutcome, float]:
    """One call in virtual time, and how long it took."""

    async def main() -> tuple[CallOutcome, float]:
        return await caller(target, **how).call(request), now()

    return run_virtual(main())


def raises(exception: BaseException) -> Spy:
    async def answer(request: TargetRequest) -> TargetResponse:
        raise exception

    return Spy(answer)


def test_an_answer_is_timed_counted_and_priced() -> None:
    meter = BudgetMeter()
    target = scripted({"output": "a b c", "latency_ms": 250, "cost": 0.5})
    outcome, took = call(target, meter=meter)
    assert outcome.response == TargetResponse("a b c", Usage(2, 3), 0.5, "stop")
    assert (outcome.attempts, outcome.failure, outcome.cached) == (1, None, False)
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.cost) == (2, 3, 0.5)
    assert outcome.execution_time == pytest.approx(0.25) == took
    assert outcome.wait_time == 0
    assert (meter.calls_made(), meter.tokens, meter.cost) == (1, 5, 0.5)


def test_retries_until_it_is_answered_and_adds_up_what_failures_cost() -> None:
    meter = BudgetMeter()
    failing = DOWN | {"times": 2, "latency_ms": 1000, "prompt_tokens": 10, "cost": 0.25}
    outcome, took = call(scripted(failing, {"output": "ok", "latency_ms": 100, "cost": 1.0}), meter=meter)
    assert outcome.response is not None
    assert (outcome.attempts, outcome.failure) == (3, None)
    assert outcome.execution_time == pytest.approx(0.1)  # the last attempt's alone
    assert outcome.wait_time == pytest.approx(took - 2.1)
    assert outcome.prompt_tokens == 22
    assert outcome.cost == meter.cost == 1.5
    assert meter.calls_made() == 3


def test_gives_up_after_the_last_retry_with_the_last_failure() -> None:
    outcome, _ = call(scripted(DOWN), policy=RetryPolicy(max_retries=2))
    assert outcome.response is None
    assert outcome.failure is not None
    assert (outcome.attempts, outcome.failure.kind, outcome.failure.message) == (3, ErrorKind.SERVER, "down")
    assert not outcome.stopped


def test_retry_after_is_honoured() -> None:
    limited = {"failure": "rate_limit", "retry_after_s": 17.0, "times": 1}
    outcome, took = call(scripted(limited, {"output": "ok"}))
    assert outcome.attempts == 2
    assert 17 <= took <= 17.5
    assert outcome.wait_time == pytest.approx(took)


def test_an_attempt_ends_at_its_deadline() -> None:
    slow = {"output": "late", "latency_ms": 60_000, "times": 1}
    outcome, took = call(scripted(slow, {"output": "ok"}), timeout_s=2.0)
    assert outcome.attempts == 2
    assert 2 <= took <= 2.5
    outcome, _ = call(scripted(slow), timeout_s=2.0, policy=RetryPolicy(max_retries=0))
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.TIMEOUT
    assert outcome.execution_time == pytest.approx(2)


def test_every_attempt_spends_budget_and_a_spent_one_stops_the_run() -> None:
    stop = StopSignal()
    outcome, _ = call(scripted(DOWN), meter=BudgetMeter(Budget(max_calls=2)), stop=stop)
    assert outcome.stopped
    assert outcome.attempts == 2
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.BUDGET
    assert outcome.failure.message == "not called: the budget of 2 calls (max_calls) is spent; last failure: down"
    assert stop.status is RunStatus.BUDGET_EXHAUSTED


def test_a_failed_attempt_of_unknown_price_makes_the_sum_unknown() -> None:
    failure = Failure(ErrorKind.CONTENT_FILTER, "no", cost=None)
    outcome, _ = call(raises(TargetError(failure)))
    assert outcome.failure is failure
    assert outcome.cost is None


def test_the_stop_signal_ends_a_back_off_and_forbids_the_next_attempt() -> None:
    async def main() -> tuple[CallOutcome, float]:
        stop = StopSignal()
        asyncio.get_running_loop().call_later(5, stop.stop, RunStatus.CANCELLED, "enough")
        limited = scripted({"failure": "rate_limit", "retry_after_s": 100.0})
        return await caller(limited, stop=stop).call(REQUEST), now()

    outcome, took = run_virtual(main())
    assert took == pytest.approx(5)
    assert outcome.stopped
    assert outcome.attempts == 1
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.CANCELLED


def test_waits_for_the_rate_limit_before_the_attempt() -> None:
    async def main() -> list[CallOutcome]:
        limiter = Limiter(RateLimit(requests_per_minute=60), 9, now)
        one = caller(scripted(default="ok"), limiter=limiter)
        return list(await asyncio.gather(*(one.call(REQUEST) for _ in range(4))))

    waits = [outcome.wait_time for outcome in run_virtual(main())]
    assert waits == pytest.approx([0, 1, 2, 3], abs=0.2)


def test_slots_bound_the_attempts_under_way() -> None:
    async def main() -> Spy:
        async def answer(request: TargetRequest) -> TargetResponse:
            await asyncio.sleep(1)
            return TargetResponse("ok")

        one = caller(Spy(answer), limiter=unlimited(slots=3))
        await asyncio.gather(*(one.call(REQUEST) for _ in range(10)))
        assert isinstance(one.target, Spy)
        return one.target

    assert run_virtual(main()).most_in_flight == 3


def test_an_aborting_failure_stops_the_run_and_is_not_retried() -> None:
    stop = StopSignal()
    outcome, _ = call(scripted({"failure": "authentication", "message": "bad key"}), stop=stop, abort=AbortPolicy(9))
    assert (stop.status, stop.reason) == (RunStatus.ABORTED, "the target refuses the credentials: bad key")
    assert not outcome.stopped  # it was called to an end


def test_a_server_that_asks_for_more_patience_than_there_is_ends_the_run() -> None:
    stop = StopSignal()
    limited = scripted({"failure": "rate_limit", "retry_after_s": 3600.0, "message": "come back later"})
    outcome, took = call(limited, stop=stop, abort=AbortPolicy(9))
    assert (outcome.attempts, took) == (1, 0.0)
    assert stop.reason == "the target asks to wait 3600 s, longer than 300 s: come back later"


def test_each_failed_attempt_is_shown_with_what_comes_next() -> None:
    journal = Journal()
    call(scripted(DOWN), policy=RetryPolicy(max_retries=1), observer=journal)
    assert journal.events == [("attempt failed", ("c", "server", False)), ("attempt failed", ("c", "server", True))]


class Broken(Spy):
    def classify(self, exception: BaseException) -> Failure:
        raise ZeroDivisionError("my classify is broken")


def test_a_broken_classify_costs_the_call_alone() -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        raise ValueError("odd")

    outcome, _ = call(Broken(answer))
    assert outcome.failure is not None
    assert "ValueError: odd" in outcome.failure.message
    assert "my classify is broken" in outcome.failure.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("text", "returned a str"),
        (TargetResponse(None), "output 'None', must be text"),  # type: ignore[arg-type] # what users' own targets do
        (TargetResponse("x", Usage(-1, 0)), "must not be negative"),
        (TargetResponse("x", cost=float("nan")), "cost of nan USD"),
        (TargetResponse("x", cost=-1.0), "cost of -1.0 USD"),
    ],
)
def test_an_unusable_answer_is_a_malformed_completion(answer: Any, said: str) -> None:
    async def invoke(request: TargetRequest) -> Any:
        return answer

    outcome, _ = call(Spy(invoke))
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.MALFORMED_COMPLETION
    assert said in outcome.failure.message


def test_a_call_that_the_target_cancels_by_itself_is_a_failure_and_not_the_run_s_end() -> None:
    outcome, _ = call(raises(asyncio.CancelledError()), policy=RetryPolicy(max_retries=1))
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.SERVER
    assert outcome.attempts == 2


def test_cancelling_the_task_cancels_the_call_and_settles_it() -> None:
    async def main() -> BudgetMeter:
        meter = BudgetMeter(Budget(max_tokens=10))
        one = asyncio.create_task(caller(scripted(default="ok", latency_ms=1000), meter=meter).call(REQUEST))
        await asyncio.sleep(0.5)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        return meter

    meter = run_virtual(main())
    assert meter.calls_made() == 1
    meter.reserve()
    meter.settle(0, 0.0)


KEYS = CacheKeys({"kind": "x"}, program=False)


def test_a_hit_costs_nothing_needs_no_budget_and_tells_the_original_time() -> None:
    memory = Memory()
    target = scripted({"output": "a b", "latency_ms": 300, "cost": 1.0})
    first, _ = call(target, memory=CallMemory(memory, KEYS))
    spent = BudgetMeter(Budget(max_calls=1))
    spent.reserve()
    second, took = call(target, memory=CallMemory(memory, KEYS), meter=spent)
    assert second.response == first.response
    assert second.cached
    assert (second.attempts, second.cost, took) == (0, 0.0, 0.0)
    assert (first.saved_cost, second.saved_cost) == (0.0, 1.0)
    assert second.execution_time == pytest.approx(0.3)
    assert second.total_tokens == first.total_tokens == 4
    assert target.call_count == 1


def test_failures_are_not_remembered() -> None:
    memory = Memory()
    call(scripted(DOWN), memory=CallMemory(memory, KEYS))
    assert memory.answers == {}
    assert memory.claims == set()  # whoever waits for the answer may try


def test_of_two_that_ask_the_same_one_pays() -> None:
    memory, target = Memory(), scripted({"output": "a", "latency_ms": 300})

    async def main() -> list[CallOutcome]:
        callers = [caller(target, memory=CallMemory(memory, KEYS)) for _ in range(2)]
        return await asyncio.gather(*(each.call(REQUEST) for each in callers))

    outcomes = run_virtual(main())
    assert sorted(outcome.cached for outcome in outcomes) == [False, True]
    assert target.call_count == 1


def test_a_broken_cache_costs_no_answer() -> None:
    class Torn(Memory):
        async def claim(self, key: str, give_up: Any) -> Any:
            raise OSError("cannot read")

        async def put(self, key: str, value: Any) -> None:
            raise OSError("cannot write")

    outcome, _ = call(scripted(default="ok"), memory=CallMemory(Torn(), KEYS))
    assert outcome.response is not None


@pytest.mark.parametrize(
    "failure",
    [
        Failure(ErrorKind.RATE_LIMIT, "too large", 429, retryable=True),
        Failure(ErrorKind.SERVER, "no", 503, retryable=True),
    ],
    ids=["429", "503"],
)
def test_a_call_that_is_refused_though_nothing_else_is_asked_gets_its_retries_and_no_more(failure: Failure) -> None:
    """The last one of a run that is refused for what it asks must not be asked a dozen times."""

    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.01)
        if request.case_id == "too large":
            raise TargetError(failure)
        return TargetResponse("ok")

    async def main() -> list[CallOutcome]:
        limiter = Limiter(RateLimit(), 16, now)
        calls = caller(Spy(answer), limiter=limiter)
        requests = [replace(REQUEST, case_id=name) for name in ["a", "b", "too large", "c"]]
        return await asyncio.gather(*(calls.call(request) for request in requests))

    assert [outcome.attempts for outcome in run_virtual(main())] == [1, 1, RetryPolicy().max_retries + 1, 1]


def test_a_server_that_refuses_all_and_tells_when_to_come_back_is_believed_to_the_end() -> None:
    """Nobody was ever served: there may be no limit that waiting lifts, and no reason for more than the retries."""
    failure = Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True, retry_after_s=1.0)

    async def main() -> tuple[list[CallOutcome], float]:
        calls = caller(raises(TargetError(failure)), limiter=Limiter(RateLimit(), 10, now))
        return await asyncio.gather(*(calls.call(replace(REQUEST, case_id=str(k))) for k in range(10))), now()

    outcomes, took = run_virtual(main())
    assert {outcome.attempts for outcome in outcomes} == {RetryPolicy().max_retries + 1}
    assert took < 60

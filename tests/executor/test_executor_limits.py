import asyncio

import pytest
from executor_kit import now, run_virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.buckets import TokenBucket, estimate_tokens
from sharpen.executor.foresight import Foresight
from sharpen.executor.limits import Limiter, is_refusal
from sharpen.executor.models import RunStatus
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, RateHints, TargetResponse, Usage

ANSWER = TargetResponse("ok")
REFUSED = Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True, retry_after_s=7.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1, 6000),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 50)), min_size=1, max_size=30),
)
def test_no_span_of_time_lets_more_through_than_the_bucket_and_its_filling(
    per_minute: float, arrivals: list[tuple[float, float]]
) -> None:
    clock = Clock()
    bucket = TokenBucket(per_minute, clock)
    taken: list[tuple[float, float]] = []
    for pause, amount in arrivals:
        clock.now += pause
        clock.now += bucket.wait(amount)
        assert bucket.wait(amount) == pytest.approx(0, abs=1e-6)
        bucket.take(amount)
        taken.append((clock.now, amount))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            # a single amount above the bucket's size may pass when it is full, and those after it pay for it
            amounts = [min(amount, bucket.capacity) if i == last else amount
                       for i, (_, amount) in enumerate(taken) if first <= i <= last]  # fmt: skip
            span = taken[last][0] - taken[first][0]
            assert sum(amounts) <= bucket.capacity + bucket.rate * span + 1e-6


def test_giving_back_never_overfills() -> None:
    bucket = TokenBucket(60, clock := Clock())
    bucket.take(-100)
    assert bucket.wait(1) == 0
    bucket.take(1)
    assert bucket.wait(1) == pytest.approx(1)
    clock.now += 1
    assert bucket.wait(1) == 0


def test_tokens_are_estimated_by_characters_and_the_longest_answer() -> None:
    messages = (Message("system", "x" * 40), Message("user", "y" * 4))
    assert estimate_tokens(messages, 100) == 111
    assert estimate_tokens(messages, 0) == 11


async def _starts(limiter: Limiter, tokens: list[int], stop: StopSignal | None = None) -> list[float]:
    starts: list[float] = []

    async def one(amount: int) -> None:
        await limiter.start(amount, stop or StopSignal())
        starts.append(now())

    await asyncio.gather(*map(one, tokens))
    return starts


def test_requests_start_at_the_allowed_rate_first_come_first_served() -> None:
    async def main() -> list[float]:
        return await _starts(Limiter(RateLimit(requests_per_minute=120), 99, now), [0] * 22)

    starts = run_virtual(main())
    assert starts == sorted(starts)
    assert starts[1] == 0  # a bucket of one second's worth: two
    assert starts[-1] == pytest.approx(10, abs=0.2)  # twenty more at two a second
    assert starts[-1] >= 10 - 1e-6


def test_tokens_are_settled_by_what_was_used() -> None:
    async def main(used: int) -> float:
        limiter = Limiter(RateLimit(tokens_per_minute=600), 99, now)
        stop = StopSignal()
        for _ in range(11):
            await limiter.start(10, stop)
            limiter.end((0, 0), 10, TargetResponse("", Usage(used)), None, 0.0)
        return now()

    assert run_virtual(main(used=10)) == pytest.approx(10, abs=0.2)
    assert run_virtual(main(used=1)) == pytest.approx(1, abs=0.2)
    assert run_virtual(main(used=20)) == pytest.approx(20, abs=0.2)


def test_a_refund_is_noticed_by_who_waits_already() -> None:
    async def main() -> float:
        limiter = Limiter(RateLimit(tokens_per_minute=60), 99, now)
        await limiter.start(1000, StopSignal())  # larger than the bucket: leaves a debt of 1000 seconds
        waiting = asyncio.create_task(limiter.start(1, StopSignal()))
        await asyncio.sleep(5)
        limiter.end((0, 0), 1000, TargetResponse(""), None, 0.0)
        await waiting
        return now()

    assert run_virtual(main()) < 6


def test_the_stop_signal_ends_every_wait_and_nothing_is_taken() -> None:
    async def main() -> tuple[float, float]:
        limiter = Limiter(RateLimit(requests_per_minute=1), 99, now)
        stop = StopSignal()
        asyncio.get_running_loop().call_later(3, stop.stop, RunStatus.CANCELLED, "enough")
        await _starts(limiter, [0] * 5, stop)
        stopped_at = now()
        await limiter.start(0, StopSignal())
        return stopped_at, now()

    stopped_at, next_start = run_virtual(main())
    assert stopped_at == pytest.approx(3)
    assert next_start == pytest.approx(60, abs=0.2)


def test_a_waiter_that_is_cancelled_gives_way() -> None:
    async def main() -> float:
        limiter = Limiter(RateLimit(requests_per_minute=60), 99, now)
        stop = StopSignal()
        await limiter.start(0, stop)
        gone = asyncio.create_task(limiter.start(0, stop))
        await asyncio.sleep(0.5)
        gone.cancel()
        await limiter.start(0, stop)
        return now()

    assert run_virtual(main()) == pytest.approx(1, abs=0.2)


def test_a_limiter_without_limits_counts_and_queues_in_order() -> None:
    async def main() -> None:
        limiter, stop, order = Limiter(RateLimit(), 2, now), StopSignal(), list[int]()
        tickets = [limiter.try_start(), limiter.try_start()]
        assert None not in tickets
        assert limiter.try_start() is None

        async def wait(number: int) -> None:
            assert await limiter.start(0, stop)
            order.append(number)

        waiting = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        state = limiter.state()
        assert (state.in_flight, state.waiting, state.concurrency, state.max_concurrency) == (2, 3, 2, 2)
        assert (state.rate_per_s, state.paused_for_s, state.circuit) == (None, 0.0, "closed")
        waiting[1].cancel()
        for ticket in tickets:
            assert ticket
            limiter.end(ticket, 0, ANSWER, None, 0.1)
        await asyncio.gather(*waiting, return_exceptions=True)
        assert order == [0, 2]
        assert limiter.state().waiting == 0

    run_virtual(main())


def test_a_turn_that_comes_in_the_instant_of_a_cancellation_is_given_back() -> None:
    async def main() -> int:
        limiter, stop = Limiter(RateLimit(), 1, now), StopSignal()
        ticket = limiter.try_start()
        assert ticket
        waiting = asyncio.create_task(limiter.start(0, stop))
        await asyncio.sleep(0)
        limiter.end(ticket, 0, ANSWER, None, 0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return limiter.in_flight

    assert run_virtual(main()) == 0


def test_one_refusal_pauses_every_call_of_the_target() -> None:
    async def main() -> list[float]:
        limiter, stop = Limiter(RateLimit(), 4, now), StopSignal()
        tickets = [await limiter.start(0, stop) for _ in range(3)]
        assert tickets[0]
        limiter.end(tickets[0], 0, None, REFUSED, 0.01)
        state = limiter.state()
        assert (state.in_flight, state.paused_for_s) == (2, 7)
        waiting = asyncio.create_task(_starts(limiter, [0], stop))
        await asyncio.sleep(3)
        for ticket in tickets[1:]:
            assert ticket
            limiter.end(ticket, 0, ANSWER, None, 3.0)
        return await waiting

    assert run_virtual(main()) == [pytest.approx(7, abs=0.01)]


def test_what_a_server_has_left_is_heeded_before_it_refuses() -> None:
    async def main() -> tuple[float, float]:
        limiter, stop = Limiter(RateLimit(), 4, now), StopSignal()
        ticket = await limiter.start(0, stop)
        assert ticket
        hints = RateHints(limit_requests=10, remaining_requests=0, reset_requests_s=20.0)
        limiter.end(ticket, 0, TargetResponse("", hints=hints), None, 0.1)
        assert limiter.state().paused_for_s == 20
        ticket = await limiter.start(0, stop)
        assert ticket
        held = now()
        limiter.end(ticket, 0, TargetResponse("", hints=RateHints(10, 9, 20.0)), None, 0.1)
        assert await limiter.start(0, stop)
        return held, now()

    assert run_virtual(main()) == (20, 20)


def test_a_window_is_waited_for_and_a_bucket_only_until_a_call_fits_in() -> None:
    window = Foresight()
    assert window.hold(0.0, RateHints(100, 50, 60.0), 0) == 0
    assert window.hold(30.0, RateHints(100, 0, 30.0), 0) == 30
    bucket = Foresight()  # 1 a second, drawn from at twice that
    assert bucket.hold(0.0, RateHints(100, 100, 0.0), 0) == 0
    assert bucket.hold(100.0, RateHints(100, 0, 100.0), 0) == pytest.approx(1.0)


def test_hints_that_a_call_has_refuted_are_not_heeded_any_more() -> None:
    """Some proxies always tell that nothing is left for an hour."""
    foresight = Foresight()
    never = RateHints(remaining_requests=0, reset_requests_s=3600.0)
    assert foresight.hold(0.2, never, 0, 0.2) == 300
    assert foresight.hold(0.3, never, 0, 0.3) == 300  # it was under way when the first was answered
    assert foresight.hold(300.5, never, 0, 0.1, accepted=False) == 300  # the truth
    assert foresight.hold(601.0, never, 0, 0.1) == 0
    assert foresight.hold(602.0, never, 0, 0.1) == 0


def test_tokens_left_for_less_than_a_call_are_none() -> None:
    foresight = Foresight()
    hints = RateHints(limit_tokens=10_000, remaining_tokens=400, reset_tokens_s=12.0)
    assert foresight.hold(0.0, hints, 500) == 12
    assert foresight.hold(0.1, RateHints(limit_tokens=10_000, remaining_tokens=600, reset_tokens_s=12.0), 500) == 0


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (Failure(ErrorKind.RATE_LIMIT, "429", 429, retryable=True), True),
        (Failure(ErrorKind.RATE_LIMIT, "the quota is spent", 429), False),
        (Failure(ErrorKind.SERVER, "503", 503, retryable=True, retry_after_s=1.0), True),
        (Failure(ErrorKind.SERVER, "500", 500, retryable=True), False),
    ],
)
def test_a_refusal_is_what_passes_by_itself(failure: Failure, refusal: bool) -> None:
    assert is_refusal(failure) is refusal

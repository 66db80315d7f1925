import asyncio

import pytest
from executor_kit import now, run_virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import RateLimit
from sharpen.executor.buckets import TokenBucket, estimate_tokens
from sharpen.executor.limits import Limiter
from sharpen.executor.models import RunStatus
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Message, TargetResponse, Usage


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

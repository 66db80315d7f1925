import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import ErrorKind
from sharpen.executor.retry import RetryPolicy
from sharpen.targets.base import Failure

attempts = st.integers(1, 200)
seeds = st.integers(0, 2**32)


def failure(retryable: bool = True, retry_after_s: float | None = None) -> Failure:
    return Failure(ErrorKind.SERVER, "boom", retryable=retryable, retry_after_s=retry_after_s)


@settings(deadline=None)
@given(attempts, seeds, st.floats(0.001, 10), st.floats(0.001, 100))
def test_the_wait_is_within_the_full_jitter_of_its_attempt(attempt: int, seed: int, base: float, cap: float) -> None:
    policy = RetryPolicy(max_retries=200, base_s=base, cap_s=cap)
    wait = policy.wait(failure(), attempt, random.Random(seed))
    assert wait is not None
    assert 0 <= wait <= min(cap, base * 2 ** (attempt - 1))


@settings(deadline=None)
@given(attempts, seeds, st.floats(0, 300))
def test_the_server_s_own_wait_is_kept_in_full(attempt: int, seed: int, asked: float) -> None:
    wait = RetryPolicy(max_retries=200).wait(failure(retry_after_s=asked), attempt, random.Random(seed))
    assert wait is not None
    assert asked <= wait <= asked + 30


@settings(deadline=None)
@given(attempts, st.integers(0, 100))
def test_retries_at_most_so_often_and_never_what_would_fail_again(attempt: int, max_retries: int) -> None:
    policy, rng = RetryPolicy(max_retries=max_retries), random.Random(0)
    assert (policy.wait(failure(), attempt, rng) is None) == (attempt > max_retries)
    assert policy.wait(failure(retryable=False), attempt, rng) is None


def test_gives_up_on_a_server_that_wants_too_much_time() -> None:
    policy = RetryPolicy(max_retry_after_s=60)
    assert policy.wait(failure(retry_after_s=60.1), 1, random.Random(0)) is None
    assert policy.wait(failure(retry_after_s=60), 1, random.Random(0)) is not None


def test_the_jitter_is_full_and_seeded() -> None:
    policy = RetryPolicy(base_s=1, cap_s=8)
    waits = [policy.wait(failure(), 3, random.Random(seed)) or 0 for seed in range(2000)]
    assert sum(waits) / len(waits) == pytest.approx(2.0, rel=0.05)  # the mean of uniform [0, 4]
    assert min(waits) < 0.1
    assert max(waits) > 3.9
    assert policy.wait(failure(), 3, random.Random(7)) == policy.wait(failure(), 3, random.Random(7))


@settings(max_examples=20, deadline=None)
@given(st.integers(65, 5000))
def test_no_attempt_number_overflows(attempt: int) -> None:
    wait = RetryPolicy(max_retries=10_000).wait(failure(), attempt, random.Random(0))
    assert wait is not None
    assert wait <= 30


def test_what_is_spared_uses_up_no_retry_where_there_are_any() -> None:
    policy, rng = RetryPolicy(max_retries=2), random.Random(0)
    assert [policy.wait(failure(), attempt, rng, spared=3) is None for attempt in (1, 5, 6)] == [False, False, True]
    assert RetryPolicy(max_retries=0).wait(failure(), 1, rng, spared=1) is None

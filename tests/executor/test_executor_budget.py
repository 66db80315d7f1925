import asyncio
import random
from contextlib import suppress

import pytest
from executor_kit import run_virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import Budget
from sharpen.errors import BudgetExhausted
from sharpen.executor.budget import BudgetMeter, CompositeMeter, Meter


async def _spend(meter: Meter, workers: int, each: tuple[int, float | None], seed: int = 0) -> int:
    """Workers that call until the budget says no; the most calls that were under way together."""
    rng, in_flight, most = random.Random(seed), 0, 0

    async def worker() -> None:
        nonlocal in_flight, most
        for _ in range(100):
            meter.reserve()
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(rng.random())
            in_flight -= 1
            meter.settle(*each)

    async def until_spent() -> None:
        with suppress(BudgetExhausted):
            await worker()

    await asyncio.gather(*(until_spent() for _ in range(workers)))
    return most


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99))
def test_the_number_of_calls_is_exact_whatever_runs_side_by_side(limit: int, workers: int, seed: int) -> None:
    meter = BudgetMeter(Budget(max_calls=limit))
    run_virtual(_spend(meter, workers, (1, 0.0), seed))
    assert meter.calls_made() == min(limit, workers * 100)
    assert meter.calls_left() == limit - meter.calls_made()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 500), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_tokens_are_overshot_by_calls_under_way_at_most(limit: int, workers: int, each: int, seed: int) -> None:
    meter = BudgetMeter(Budget(max_tokens=limit))
    most = run_virtual(_spend(meter, workers, (each, None), seed))
    assert min(limit, workers * 100 * each) <= meter.tokens <= limit - 1 + most * each


def test_calls_alike_spend_a_token_or_usd_budget_exactly() -> None:
    tokens, usd = BudgetMeter(Budget(max_tokens=100)), BudgetMeter(Budget(max_cost_usd=1.0))
    for meter in (tokens, usd):
        run_virtual(_spend(meter, 1, (10, 0.1)))
        assert meter.calls_made() == 10
    meter = BudgetMeter(Budget(max_tokens=100))
    run_virtual(_spend(meter, 5, (10, None)))
    assert meter.tokens == 100  # what is under way is counted, at the mean of what is over


def test_messages_say_which_limit_and_how_much() -> None:
    meter = BudgetMeter(Budget(max_calls=1))
    meter.reserve()
    with pytest.raises(BudgetExhausted, match=r"budget of 1 calls \(max_calls\)"):
        meter.reserve()
    meter = BudgetMeter(Budget(max_tokens=10))
    meter.reserve()
    meter.settle(12, None)
    with pytest.raises(BudgetExhausted, match=r"10 tokens .* 12 used"):
        meter.reserve()
    meter = BudgetMeter(Budget(max_cost_usd=0.5))
    meter.reserve()
    meter.settle(12, 0.75)
    with pytest.raises(BudgetExhausted, match=r"0.5 USD .* 0.75 USD used"):
        meter.reserve()
    assert meter.calls_made() == 1


def test_an_unknown_price_is_counted_as_unknown_and_never_as_zero_or_enough() -> None:
    meter = BudgetMeter(Budget(max_cost_usd=0.5))
    for _ in range(3):
        meter.reserve()
        meter.settle(12, None)
    assert (meter.unpriced_calls, meter.cost, meter.tokens) == (3, 0.0, 36)


def test_no_budget_sets_no_limit() -> None:
    meter = BudgetMeter()
    run_virtual(_spend(meter, 2, (1000, 1000.0)))
    assert (meter.calls_made(), meter.calls_left()) == (200, None)
    assert CompositeMeter(meter).calls_left() is None


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8))
def test_several_budgets_reserve_all_or_nothing(first: int, second: int, workers: int) -> None:
    meters = BudgetMeter(Budget(max_calls=first)), BudgetMeter(Budget(max_calls=second))
    both = CompositeMeter(*meters)
    run_virtual(_spend(both, workers, (1, 0.0)))
    assert [meter.calls_made() for meter in meters] == [min(first, second)] * 2
    assert both.calls_made() == min(first, second)
    assert both.calls_left() == 0
    assert [meter.tokens for meter in meters] == [both.calls_made()] * 2


def test_what_is_left_is_told_in_every_currency() -> None:
    now = [100.0]
    meter = BudgetMeter(Budget(max_calls=10, max_tokens=100, max_cost_usd=1.0, max_seconds=60), lambda: now[0])
    both = CompositeMeter(BudgetMeter(), meter)
    assert (both.tokens_left(), both.cost_left(), both.seconds_left()) == (100, 1.0, 60)
    assert both.seconds_per_call() is None
    now[0] = 1000.0  # nothing was called yet: the clock stands
    meter.reserve()
    meter.settle(10, 0.25)
    meter.reserve()  # under way: counts as the one that is over
    now[0] += 6
    assert (both.tokens_left(), both.cost_left(), both.seconds_left()) == (80, 0.5, 54)
    assert both.seconds_per_call() == 3
    meter.settle(500, 5.0)
    assert (both.tokens_left(), both.cost_left()) == (0, 0)
    unlimited = CompositeMeter(BudgetMeter())
    assert (unlimited.tokens_left(), unlimited.cost_left(), unlimited.seconds_left()) == (None, None, None)


def test_no_call_starts_after_the_time_is_over() -> None:
    now = [0.0]
    meter = BudgetMeter(Budget(max_seconds=5), lambda: now[0])
    meter.reserve()
    now[0] = 4.9
    meter.reserve()
    now[0] = 5.0
    with pytest.raises(BudgetExhausted, match=r"^the budget of 5 s \(max_seconds\) is spent: 5.0 s used$"):
        meter.reserve()
    assert (meter.calls_made(), meter.seconds_left()) == (2, 0)


def test_tokens_and_usd_that_calls_under_way_will_take_are_told_when_they_end_a_run() -> None:
    for budget, said in (
        (Budget(max_tokens=20), r"20 tokens \(max_tokens\) is spent: 10 used"),
        (Budget(max_cost_usd=0.2), r"0.2 USD \(max_cost_usd\) is spent: 0.1 USD used"),
    ):
        meter = BudgetMeter(budget)
        meter.reserve()
        meter.reserve()
        meter.settle(10, 0.1)
        with pytest.raises(BudgetExhausted, match=rf"^the budget of {said}, calls under way: 1$"):
            meter.reserve()
        meter.settle(10, 0.1)
        with pytest.raises(BudgetExhausted, match=r" used$"):
            meter.reserve()


def test_time_that_an_earlier_process_took_counts_but_says_nothing_about_the_pace() -> None:
    now = [0.0]
    meter = CompositeMeter(BudgetMeter(Budget(max_seconds=5), lambda: now[0]))
    meter.charge(100, 0, 0.0, seconds=4.0)
    assert (meter.seconds_left(), meter.seconds_per_call()) == (1.0, None)
    meter.reserve()
    now[0] = 0.5
    assert (meter.seconds_left(), meter.seconds_per_call()) == (0.5, 0.5)
    now[0] = 1.0
    with pytest.raises(BudgetExhausted, match=r"5\.0 s used"):
        meter.reserve()

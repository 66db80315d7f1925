"""A blocking search in a thread, and its way back to the event loop."""

import asyncio
import threading
import time

import pytest

from sharpen.errors import BudgetExhausted, RunAborted
from sharpen.optimizer.engines.bridge import Bridge, SearchOver


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


async def test_the_thread_asks_and_the_loop_answers():
    loop_thread = threading.get_ident()

    async def where():
        return threading.get_ident()

    async with Bridge() as bridge:
        assert await bridge.run(lambda: (bridge.call(double(21)), bridge.call(where()))) == (42, loop_thread)


async def test_what_sharpen_raises_passes_all_handlers_of_others():
    async def spent():
        raise BudgetExhausted("max_calls 10 spent")

    swallowed = []

    def search(bridge):
        for _ in range(3):
            try:
                bridge.call(spent())
            except Exception as error:
                swallowed.append(error)

    async with Bridge() as bridge:
        with pytest.raises(BudgetExhausted, match="max_calls 10 spent"):
            await bridge.run(lambda: search(bridge))
    assert not swallowed


async def test_other_errors_are_the_searchs_own():
    async def odd():
        raise ValueError("odd")

    def search(bridge):
        try:
            bridge.call(odd())
        except ValueError as error:
            return str(error)

    async with Bridge() as bridge:
        assert await bridge.run(lambda: search(bridge)) == "odd"


async def test_what_goes_wrong_in_a_package_names_the_engine():
    async def spent():
        raise BudgetExhausted("max_calls 10 spent")

    async with Bridge() as bridge:
        with pytest.raises(RunAborted, match="engine 'gepa' failed: KeyError: 'score'"):
            await bridge.run_package("gepa", lambda: {}["score"])
        with pytest.raises(BudgetExhausted):
            await bridge.run_package("gepa", lambda: bridge.call(spent()))


async def test_a_search_that_had_its_share_ends_with_nothing():
    async def enough():
        raise SearchOver

    async with Bridge() as bridge:
        assert await bridge.run(lambda: bridge.call(enough())) is None


async def test_a_cancelled_search_is_refused_with_its_next_call_and_waited_for():
    ended = []

    async def forever():
        await asyncio.sleep(60)

    def search(bridge):
        try:
            bridge.call(forever())
        finally:
            ended.append(True)

    async def story():
        async with Bridge() as bridge:
            await bridge.run(lambda: search(bridge))

    task = asyncio.create_task(story())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_a_search_that_never_asks_again_holds_nobody_up(monkeypatch):
    monkeypatch.setattr("sharpen.optimizer.engines.bridge.GRACE_S", 0.05)

    async def story():
        async with Bridge() as bridge:
            await bridge.run(lambda: time.sleep(0.5))

    task = asyncio.create_task(story())
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < 0.4
    await asyncio.sleep(0.6)  # its end, told to a loop that still runs, is nobody's


def test_a_loop_that_is_gone_ends_the_search():
    bridges = []

    async def leave():
        async with Bridge() as bridge:
            bridges.append(bridge)

    asyncio.run(leave())
    with pytest.raises(SearchOver):
        bridges[0].call(double(1))

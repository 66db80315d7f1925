"""The cache as a whole: what it holds, what pruning takes, and what it leaves to those who are not done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from sharpen.executor.ports import CachedResponse, RunStart
from sharpen.storage import schema
from sharpen.storage.store import Store
from sharpen.targets.base import TargetResponse, Usage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
R = schema.responses.c


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def remember(store: Store, ages: dict[str, float | None], cost: float | None = 0.25, output: str = "ü" * 4) -> None:
    """Answers by key, with their ages in hours (None: without a date)."""

    async def put() -> None:
        answer = CachedResponse(TargetResponse(output, Usage(1, 1), cost), 0.1)
        await asyncio.gather(*(store.responses.put(key, answer) for key in ages))

    asyncio.run(put())
    store.flush()
    with store.database.write() as connection:
        for key, age in ages.items():
            at = None if age is None else NOW - timedelta(hours=age)
            connection.execute(update(schema.responses).where(R.key == key).values(created_at=at))


def keys(store: Store) -> set[str]:
    with store.database.read() as connection:
        return set(connection.execute(schema.responses.select().with_only_columns(R.key)).scalars())


def begin(store: Store, run_id: str, hours_ago: float, parent: str | None = None) -> None:
    start = RunStart(run_id, "w", NOW - timedelta(hours=hours_ago), 1, parent_run_id=parent)
    asyncio.run(store.sink().start_run(start))


def test_a_new_entry_is_dated(store: Store) -> None:
    asyncio.run(store.responses.put("k", CachedResponse(TargetResponse("a"), 0.1)))
    store.flush()
    oldest = store.cache.summary().oldest
    assert oldest is not None
    assert abs((datetime.now(UTC) - oldest).total_seconds()) < 60


def test_what_the_cache_holds(store: Store) -> None:
    empty = store.cache.summary()
    assert (empty.entries, empty.bytes, empty.oldest, empty.saves) == (0, 0, None, 0.0)
    remember(store, {"k1": 3, "k2": 1})
    remember(store, {"k3": 2}, cost=None)
    remember(store, {"r1/private": 9})  # of one unfinished run alone: no part of the cache
    found = store.cache.summary()
    assert (found.entries, found.bytes) == (3, 3 * (2 + 8))
    assert (found.oldest, found.newest) == (NOW - timedelta(hours=3), NOW - timedelta(hours=1))
    assert (found.saves, found.unpriced) == (0.5, 1)
    assert (found.needed, found.needed_by) == (0, ())


def test_pruning_by_age(store: Store) -> None:
    remember(store, {"old": 30, "edge": 24, "new": 1, "undated": None, "r1/private": 99})
    pruned = store.cache.prune(NOW, older_than=timedelta(hours=24))
    assert (pruned.entries, pruned.bytes, pruned.left) == (2, 11 + 15, 2)
    assert keys(store) == {"edge", "new", "r1/private"}


def test_pruning_by_size_takes_the_oldest_first(store: Store) -> None:
    remember(store, {"k1": 4, "k2": 3, "k3": 2, "k4": 1, "k0": None})
    pruned = store.cache.prune(NOW, max_bytes=25)
    assert (pruned.entries, pruned.left, pruned.left_bytes) == (3, 2, 20)
    assert keys(store) == {"k3", "k4"}


def test_a_rehearsal_tells_and_does_nothing(store: Store) -> None:
    remember(store, {"k1": 4, "k2": 3})
    told = store.cache.prune(NOW, everything=True, rehearsal=True)
    assert keys(store) == {"k1", "k2"}
    done = store.cache.prune(NOW, everything=True)
    assert told.model_copy(update={"rehearsal": False}) == done
    assert (done.entries, done.left) == (2, 0)


def test_what_is_unfinished_keeps_its_answers_unless_forced(store: Store) -> None:
    remember(store, {"before": 10, "since": 4, "later": 1})
    begin(store, "r1", 5)
    begin(store, "r2", 8, parent="o1")  # a step of an optimization: what counts is whether that one is unfinished
    assert (store.cache.summary().needed, store.cache.summary().needed_by) == (2, ("r1",))
    pruned = store.cache.prune(NOW, everything=True)
    assert (pruned.entries, pruned.kept, pruned.needed_by, pruned.left) == (1, 2, ("r1",), 2)
    with store.database.write() as connection:
        row = {"id": "o1", "workflow_id": "w", "started_at": NOW - timedelta(hours=2), "manifest": {}}
        connection.execute(delete(schema.runs))
        connection.execute(schema.searches.insert(), row)
    pruned = store.cache.prune(NOW, everything=True)
    assert (pruned.entries, pruned.kept, pruned.needed_by) == (1, 1, ("o1",))
    pruned = store.cache.prune(NOW, everything=True, needed=True)
    assert (pruned.entries, pruned.kept, keys(store)) == (1, 0, set())


def test_a_pruned_answer_can_be_claimed_although_its_payer_lives_on(store: Store) -> None:
    async def main() -> None:
        with Store.open(store.url) as other:
            assert await other.responses.claim("k", lambda: True) is True
            await other.responses.put("k", CachedResponse(TargetResponse("a"), 0.1))
            other.flush()
            store.cache.prune(NOW, everything=True)
            assert await store.responses.claim("k", lambda: True) is True

    asyncio.run(main())


def test_pruning_beside_runs_that_ask_and_pay(store: Store) -> None:
    """Everything is dropped again and again while two stores work on it: nobody waits for ever, every answer comes."""
    paid = 0

    async def ask(asking: Store, key: str) -> None:
        nonlocal paid
        found = await asking.responses.claim(key, lambda: False)
        if found is True:
            paid += 1
            await asking.responses.put(key, CachedResponse(TargetResponse(key), 0.1))
        else:
            assert isinstance(found, CachedResponse)
            assert found.response.output == key

    async def prune(done: asyncio.Event) -> int:
        pruned = 0
        while not done.is_set():
            pruned += (await asyncio.to_thread(store.cache.prune, NOW, everything=True)).entries
            await asyncio.sleep(0.005)
        return pruned

    async def main() -> int:
        done = asyncio.Event()
        with Store.open(store.url) as one, Store.open(store.url) as two:
            pruning = asyncio.create_task(prune(done))
            for _ in range(20):
                asks = [ask(each, f"k{number}") for number in range(20) for each in (one, two)]
                await asyncio.wait_for(asyncio.gather(*asks), 30)
            done.set()
            return await pruning

    pruned = asyncio.run(main())
    assert pruned > 0
    assert paid - pruned == len(keys(store))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.none() | st.integers(0, 50), max_size=12),
    older=st.none() | st.integers(0, 50),
    most=st.none() | st.integers(0, 130),
    begun=st.none() | st.integers(0, 50),
)
def test_pruning_takes_what_it_says(
    store: Store, ages: list[int | None], older: int | None, most: int | None, begun: int | None
) -> None:
    with store.database.write() as connection:
        for table in (schema.responses, schema.runs):
            connection.execute(delete(table))
    named: dict[str, float | None] = {f"k{number:03}": age for number, age in enumerate(ages)}
    if named:
        remember(store, named, output="123456")
    if begun is not None:
        begin(store, "r1", begun)
    everything = older is None and most is None
    limit = None if older is None else timedelta(hours=older)
    pruned = store.cache.prune(NOW, older_than=limit, max_bytes=most, everything=everything)
    order = sorted(named, key=lambda key: (named[key] is None, named[key] or 0, key))  # newest first
    sized = {key for place, key in enumerate(order) if most is not None and (place + 1) * 10 > most}
    aged = {key for key, age in named.items() if older is not None and (age is None or age > older)}
    wanted = set(named) if everything else sized | aged
    needed = {key for key in wanted if begun is not None and (age := named[key]) is not None and age <= begun}
    assert keys(store) == set(named) - wanted | needed
    assert (pruned.entries, pruned.kept) == (len(wanted - needed), len(needed))
    assert (pruned.left, pruned.left_bytes) == (len(keys(store)), 10 * len(keys(store)))

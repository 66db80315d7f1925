"""The ledger of held-out cases on both databases, shared by processes and kept for good."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sharpen.optimizer.ports import HoldoutGrant, HoldoutLedger, ProofKey
from sharpen.optimizer.proof.holdout import level_after
from sharpen.storage.store import Store
from sharpen.testing.holdout_suite import HoldoutLedgerSuite, grant


class TestStoredLedger(HoldoutLedgerSuite):
    @pytest.fixture
    def ledger(self, store_url: str) -> Iterator[HoldoutLedger]:
        with Store.open(store_url) as store:
            yield store.holdout


def test_it_outlives_the_process_and_many_cases(store_url: str) -> None:
    url, keys = store_url, [f"k{n}" for n in range(3000)]
    with Store.open(url) as store:
        store.holdout.open(ProofKey("s1", "w"), keys, grant(*keys))
        store.holdout.settle(ProofKey("s1", "w"), keys[:1700], accepted=True)
    with Store.open(url) as store:
        found = store.holdout.memory("w")
        assert found.keys() == set(keys[:1700])
        assert all(one.spent for one in found.values())


def test_two_that_begin_at_once_never_both_take_the_first_look(store_url: str) -> None:
    url = store_url
    Store.open(url).close()
    both = Barrier(2)

    def look(name: str) -> float:
        def choose(memory):
            return HoldoutGrant(("a",), level_after(memory["a"].looks if "a" in memory else 0, 0.05))

        with Store.open(url) as store:
            both.wait()
            return store.holdout.open(ProofKey(name, "w"), ["a"], choose).level

    with ThreadPoolExecutor(2) as pool:
        levels = list(pool.map(look, ("s1", "s2")))
    assert sum(levels) <= 0.025 + 0.0125

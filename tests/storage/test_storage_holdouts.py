"""The ledger of held-out cases on SQLite, shared by processes and kept for good."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sharpen.optimizer.ports import HoldoutGrant, HoldoutLedger, ProofKey
from sharpen.optimizer.proof.holdout import level_after
from sharpen.storage.store import Store
from sharpen.testing.holdout_suite import HoldoutLedgerSuite, grant


class TestStoredLedger(HoldoutLedgerSuite):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[HoldoutLedger]:
        with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
            yield store.holdout


def test_it_outlives_the_process_and_many_cases(tmp_path: Path) -> None:
    url, keys = f"sqlite:///{tmp_path}/store.db", [f"k{n}" for n in range(3000)]
    with Store.open(url) as store:
        store.holdout.open(ProofKey("s1", "w"), keys, grant(*keys))
        store.holdout.settle(ProofKey("s1", "w"), keys[:1700], accepted=True)
    with Store.open(url) as store:
        found = store.holdout.memory("w")
        assert found.keys() == set(keys[:1700])
        assert all(one.spent for one in found.values())


def test_two_that_begin_at_once_never_both_take_the_first_look(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
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

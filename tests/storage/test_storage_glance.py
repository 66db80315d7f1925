"""What is read of a store without opening it is what the opened store tells."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import StoreError
from sharpen.optimizer.ports import CaseMemory, HoldoutGrant, HoldoutLedger, ProofKey
from sharpen.storage.glance import glance
from sharpen.storage.revision import VERSION_TABLE
from sharpen.storage.store import Store
from sharpen.testing.holdout_suite import HoldoutLedgerSuite
from sharpen.testing.storage_suite import make_result, make_run, record

PROMPT = [{"role": "user", "content": "Say {{ message }}."}]
SAID = PromptTemplate.model_validate(PROMPT).content_hash
ODD = "a\x00b \ud800"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a 100 % odd?name.db"


@pytest.fixture
def store(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.chdir(file.parent)
    with Store.open("sqlite:///store.db") as opened:
        file.symlink_to("store.db")  # a name that no URL can have, and a path may
        yield opened


class WrittenThere:
    """Notes go to the store, what is asked is read at a glance."""

    def __init__(self, store: Store, file: Path) -> None:
        self._store, self._file = store, file

    def memory(self, workflow_id: str, *, search_id: str = "", proof_id: str = "") -> Mapping[str, CaseMemory]:
        with glance(self._file) as seen:
            assert seen is not None
            found = seen.memory(workflow_id, search_id=search_id, proof_id=proof_id)
        assert found == self._store.holdout.memory(workflow_id, search_id=search_id, proof_id=proof_id)
        return found

    def draw(self, search_id: str, workflow_id: str, seen: Collection[str]) -> None:
        self._store.holdout.draw(search_id, workflow_id, seen)

    def open(
        self, proof: ProofKey, keys: Collection[str], choose: Callable[[Mapping[str, CaseMemory]], HoldoutGrant]
    ) -> HoldoutGrant:
        return self._store.holdout.open(proof, keys, choose)

    def settle(self, proof: ProofKey, looked_at: Collection[str], accepted: bool) -> None:
        self._store.holdout.settle(proof, looked_at, accepted)

    def claimed_by(self, workflow_id: str, fingerprint: str) -> str | None:
        with glance(self._file) as seen:
            assert seen is not None
            return seen.claimed_by(workflow_id, fingerprint)


class TestGlancedLedger(HoldoutLedgerSuite):
    @pytest.fixture
    def ledger(self, store: Store, file: Path) -> HoldoutLedger:
        return WrittenThere(store, file)


@pytest.mark.parametrize("workflow", ["triage", ODD])
def test_a_prompt_that_was_run_is_known(store: Store, file: Path, workflow: str) -> None:
    record(store, make_run("r1", [make_result("a")], workflow), prompt=PROMPT)
    store.holdout.draw("s1", workflow, ["k"])
    with glance(file) as seen:
        assert seen is not None
        assert seen.ran(workflow, SAID)
        assert not seen.ran(workflow, "another prompt")
        assert not seen.ran("another workflow", SAID)
        assert seen.memory(workflow) == {"k": CaseMemory(seen=True)}


def test_nothing_is_left_behind(store: Store, file: Path) -> None:
    store.close()
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    with glance(file) as seen:
        assert seen is not None
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before


@pytest.mark.parametrize("revision", ["0003", "0999"])
def test_a_store_of_another_schema_is_not_read(store: Store, file: Path, revision: str) -> None:
    store.close()
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")
    with glance(file) as seen:
        assert seen is None
    connection.close()


@pytest.mark.parametrize("content", ["", "no database, and longer than a header of one would be: " + "x" * 200])
def test_what_is_no_store_is_not_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "none.db"
    path.write_text(content)
    with glance(path) as seen:
        assert seen is None
    with glance(tmp_path / "missing.db") as seen:
        assert seen is None
    assert path.read_text() == content
    assert not (tmp_path / "missing.db").exists()


def test_a_store_that_is_broken_inside_says_so(store: Store, file: Path) -> None:
    store.close()
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE holdout_cases")
    with glance(file) as seen:
        assert seen is not None
        with pytest.raises(StoreError, match="cannot be read: no such table: holdout_cases"):
            seen.memory("w")
    connection.close()

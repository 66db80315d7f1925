"""A store copied between databases of any kind: all of it, whatever happens on the way, and never over another one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from sharpen.config.models import Case
from sharpen.errors import StoreError
from sharpen.storage import copying, schema
from sharpen.storage.copying import TABLES, Copied, copy_store
from sharpen.storage.engine import Database, connect
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_outcome, make_result, make_run, record
from sharpen.testing.version_suite import make_version

RUN = make_run(
    "r1", [make_result(f"c{i}", output=f"x\x00\ud800{i}", cached=i % 2 == 0, score=i / 70) for i in range(40)]
)
VERSIONS = (make_version("1.0.0"), make_version("1.0.1"))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/source.db") as store:
        record(
            store,
            RUN,
            cases=[Case(id=f"c{i}", vars={"n": i}) for i in range(40)],
            prompt=[{"role": "user", "content": "?"}],
        )
        store.optimizations.save(make_outcome())
        for version in VERSIONS:
            store.versions.add(version)
            store.versions.set_alias("triage", "production", version.version)
        yield store


@pytest.fixture
def target(empty_url: str) -> Iterator[Database]:
    database = connect(empty_url)
    yield database
    database.close()


def holds_all(url: str) -> None:
    with Store.open(url) as store:
        assert store.runs.load_result("r1") == RUN
        assert store.cases.of_run("r1")["c7"].vars == {"n": 7}
        assert store.versions.get("triage", "1.0.1") == VERSIONS[1]
        assert len(store.versions.alias_history("triage", "production")) == 2
        assert len(store.history.of("triage")) == 1
        record(store, make_run("r2", RUN.task_results[:3]), cases=[Case(id="c0", vars={"n": "new"})])  # numbers go on
        store.versions.add(make_version("1.0.2"))
        assert [version.version for version in store.versions.list("triage")] == ["1.0.0", "1.0.1", "1.0.2"]


def counts(found: Copied) -> dict[str, int]:
    return {table.name: table.rows for table in found.tables if table.rows}


def test_there_and_back_again_is_the_same_store(
    source: Store, target: Database, empty_url: str, tmp_path: Path
) -> None:
    there = copy_store(source.database, target)
    assert counts(there) == {
        "prompts": 2, "runs": 1, "cases": 40, "run_cases": 40, "results": 40, "history": 1, "versions": 2, "aliases": 1,
        "alias_history": 2, "optimizations": 1,
    }  # fmt: skip
    assert not there.resumed
    home = connect(f"sqlite:///{tmp_path}/home.db")
    back = copy_store(target, home)
    assert [(table.name, table.sha256) for table in back.tables] == [(t.name, t.sha256) for t in there.tables]
    home.close()
    holds_all(empty_url)
    holds_all(f"sqlite:///{tmp_path}/home.db")


def test_a_copy_that_is_cut_off_goes_on_and_is_no_store_meanwhile(
    source: Store, target: Database, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE", 7)

    def killed(table: str, rows: int) -> None:
        if (table, rows) == ("results", 14):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source.database, target, killed)
    with pytest.raises(StoreError, match=r"is a copy that is under way, or was cut off; finish it: sharpen store copy"):
        Store.open(empty_url)
    done = copy_store(source.database, target)
    assert done.resumed
    assert {table.name: table.copied for table in done.tables}["results"] == 40 - 14
    holds_all(empty_url)


def test_a_copy_of_another_store_is_not_gone_on_with(source: Store, target: Database, tmp_path: Path) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source.database, target, killed)
    with (
        Store.open(f"sqlite:///{tmp_path}/other.db") as other,
        pytest.raises(StoreError, match="is a copy of another store under way; name another target"),
    ):
        copy_store(other.database, target)


def test_nothing_is_copied_over_another_store(source: Store, target: Database, empty_url: str) -> None:
    with Store.open(empty_url) as store:
        store.versions.add(make_version())
    with pytest.raises(StoreError, match=r"is not empty \(its table 'prompts' has rows\); expected a new one"):
        copy_store(source.database, target)
    with pytest.raises(StoreError, match="cannot be copied into itself"):
        copy_store(source.database, source.database)


def test_a_source_that_was_changed_between_two_attempts_is_noticed(
    source: Store, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(table: str, _rows: int) -> None:
        if table == "results":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source.database, target, killed)
    with source.database.write() as connection:
        connection.execute(schema.results.update().where(schema.results.c.case_id == "c3").values(output="another"))
    with pytest.raises(StoreError, match=r"table 'results' .* the source was changed since this copy was begun"):
        copy_store(source.database, target)


def test_who_is_at_work_is_no_part_of_a_store(source: Store, target: Database) -> None:
    with source.locks.hold("run:r1"):
        copy_store(source.database, target)
    assert {table.name for table in TABLES}.isdisjoint({"processes", "locks", "claims"})
    with target.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.processes)).scalar() == 0

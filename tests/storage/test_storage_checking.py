"""A store that is whole is said to be, and whatever is altered in one is found and named; on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from sharpen.config.models import Case
from sharpen.executor.models import JudgeUsage, TaskStatus
from sharpen.storage import checking
from sharpen.storage.checking import Check, check_store
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_outcome, make_result, make_run, record
from sharpen.testing.version_suite import make_version
from sharpen.versions.integrity import sealed

RESULTS = [
    make_result("a", cost=0.1, execution_time=0.3, total_tokens=5, judge=JudgeUsage(calls=1, tokens=2, cost=None)),
    make_result("b", 0, TaskStatus.FAILED, cost=None),
    make_result("c", 0, TaskStatus.CANCELLED),
]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        cases = [Case(id="a", vars={"x": "\x00"}), Case(id="b", vars={"y": 2}, expected=[1])]
        for number in range(4):
            run = make_run(f"r{number}", RESULTS)
            record(opened, run, cases=cases, prompt=[{"role": "user", "content": f"{number % 2}"}])
        opened.optimizations.save(make_outcome())
        opened.versions.add(sealed(make_version()))
        opened.versions.set_alias("triage", "production", "1.0.0")
        yield opened


def wrong(store: Store, full: bool = True) -> list[Check]:
    return [check for check in check_store(store.database, full=full).checks if not check.passed]


def alter(store: Store, sql: str, *, unguarded: bool = False) -> None:
    """As other hands would; ``unguarded``: past the database's own constraints."""
    sqlite = store.database.engine.dialect.name == "sqlite"
    with store.database.engine.connect() as connection:
        raw = connection.connection
        cursor = raw.cursor()
        if unguarded:
            cursor.execute("PRAGMA foreign_keys=OFF" if sqlite else "SET session_replication_role = replica")
        cursor.execute(sql)
        if not sqlite:
            raw.commit()
        if unguarded:
            cursor.execute("PRAGMA foreign_keys=ON" if sqlite else "SET session_replication_role = DEFAULT")


@pytest.mark.parametrize("full", [True, False])
def test_a_whole_store(store: Store, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SAMPLE", 3)
    health = check_store(store.database, full=full)
    assert health.passed, health
    looked = {check.name: check.looked_at for check in health.checks}
    assert looked["statistics of runs are those of their results"] == (4 if full else 3)
    assert looked["prompts have the hash of their contents"] == 3
    assert looked["versions are what was stored"] == 1
    assert looked["cases have the hash of their contents"] == 2


def test_an_empty_store(store_url: str) -> None:
    with Store.open(store_url) as store:
        assert check_store(store.database).passed


@pytest.mark.parametrize(
    ("sql", "name", "example"),
    [
        ("UPDATE results SET total_tokens = 7 WHERE case_id = 'a' AND run = 2", "statistics of runs", "r1"),
        ("UPDATE results SET status = 'failed' WHERE case_id = 'a' AND run = 1", "statistics of runs", "r0"),
        ("UPDATE cases SET expected = '[2]' WHERE case_id = 'b'", "cases have the hash", "case 'b'"),
        ("DELETE FROM history WHERE run = 3", "runs that ended stand in the history", "r2"),
    ],
)
def test_what_was_altered_is_named(store: Store, sql: str, name: str, example: str) -> None:
    alter(store, sql)
    (found,) = wrong(store)
    assert found.name.startswith(name)
    assert (found.wrong, found.examples) == (1, (example,))


@pytest.mark.parametrize("messages", ['[{"role":"user","content":"another"}]', "no JSON", '[{"role":"pope"}]'])
def test_a_prompt_that_was_altered(store: Store, messages: str) -> None:
    with store.database.write() as connection:
        connection.execute(
            text(
                "UPDATE prompts SET messages = :messages "
                "WHERE content_hash = (SELECT prompt_hash FROM runs WHERE id = 1)"
            ),
            {"messages": messages},
        )
    (found,) = wrong(store)
    assert found.name == "prompts have the hash of their contents"


def test_a_version_whose_record_was_altered(store: Store) -> None:
    alter(store, "UPDATE versions SET document = replace(document, '\"seed\":0', '\"seed\":1')")
    (found,) = wrong(store)
    assert (found.name, found.examples) == ("versions are what was stored", ("triage 1.0.0",))


def test_rows_that_point_at_nothing(store: Store) -> None:
    alter(store, "DELETE FROM runs WHERE id = 2", unguarded=True)
    (found,) = wrong(store, full=False)
    assert found.name == "references between tables"
    assert "3 rows of 'results' point at no row of 'runs'" in found.examples


def test_what_nothing_uses_any_more_is_noted(store: Store) -> None:
    def noted() -> list[int]:
        return [check.looked_at for check in check_store(store.database).checks if check.note]

    assert noted() == [0, 0]
    alter(store, "DELETE FROM run_cases WHERE case_id = 'a'")
    alter(store, "UPDATE runs SET prompt_hash = NULL")
    assert noted() == [1, 2]


def test_results_that_were_dropped_are_no_mistake(store: Store) -> None:
    alter(store, "DELETE FROM results WHERE run = 1")
    assert not wrong(store)


def test_a_counter_that_was_left_behind(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        record(store, make_run("r1", RESULTS))
        alter(store, "SELECT setval('runs_id_seq', 1, false)")
        (found,) = wrong(store)
        assert (found.name, found.examples) == (
            "counters stand behind the keys in use",
            ("the next key of 'runs' would be 1",),
        )

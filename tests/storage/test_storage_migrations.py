"""The migrations lead to the schema of the code, and back, and keep the data of what stays; on both databases."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from servers.postgres import PostgresServer
from sharpen.config.models import Case
from sharpen.errors import StoreError
from sharpen.executor.models import TaskStatus
from sharpen.experiments.outcomes import Refusal
from sharpen.optimizer.models import Decision
from sharpen.optimizer.ports import ProofKey
from sharpen.storage import schema
from sharpen.storage.engine import connect
from sharpen.storage.experiments import AbRecord
from sharpen.storage.migrate import Upgrade, config, ensure_current, revision_of, upgrade
from sharpen.storage.records import SearchRecord
from sharpen.storage.revision import REVISION, VERSION_TABLE
from sharpen.storage.store import Store
from sharpen.testing.experiment_suite import make_experiment
from sharpen.testing.experiment_suite import make_outcome as make_experiment_outcome
from sharpen.testing.holdout_suite import grant
from sharpen.testing.storage_suite import make_outcome, make_result, make_run, record
from sharpen.testing.version_suite import make_version

OLDER = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][1:]
RUN = make_run("r1", [make_result("a", output="x\x00"), make_result("b", 0, TaskStatus.FAILED, execution_time=2.5)])


def fill(store: Store) -> None:
    """Something in every table."""
    record(store, RUN, cases=[Case(id="a", vars={"x": 1})], prompt=[{"role": "user", "content": "?"}])
    store.decisions.save("r1", Decision(should_optimize=False, strategy="clarity_focus"))
    store.optimizations.save(make_outcome())
    store.versions.add(make_version())
    store.versions.set_alias("triage", "production", "1.0.0")
    store.searches.begin(SearchRecord(id="s1", workflow_id="triage", started_at=datetime.now(UTC)))
    store.searches.save_call("s1", 1, "?", {})
    store.holdout.open(ProofKey("s1", "triage"), ["k"], grant("k"))
    store.experiments.define(make_experiment())
    store.experiments.add("tone", [make_experiment_outcome("u1")])
    store.experiments.note("tone", {Refusal.LATE: 1})
    begun = datetime.now(UTC)
    store.ab_tests.begin(AbRecord(id="t1", workflow_id="triage", started_at=begun, fingerprint="f", definition={}))


def to_revision(url: str, revision: str) -> None:
    """Bring a store to an older schema, whatever that loses."""
    database = connect(url)
    with database.write() as connection:
        command.downgrade(config(connection), revision)
    database.close()


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [REVISION]


def test_migrating_gives_exactly_the_schema_of_the_code(empty_url: str) -> None:
    with Store.open(empty_url) as store, store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        found = inspect(connection)
        for table in schema.metadata.sorted_tables:
            primary = found.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key], table.name
            nullable = {column["name"] for column in found.get_columns(table.name) if column["nullable"]}
            assert nullable == {column.name for column in table.columns if column.nullable}, table.name


def test_down_to_nothing_and_up_again(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        fill(store)
        with store.database.write() as connection:
            command.downgrade(config(connection), "base")
        with store.database.read() as connection:
            assert set(inspect(connection).get_table_names()) == {VERSION_TABLE}
        assert revision_of(store.database) is None
    with Store.open(empty_url) as store:
        assert store.runs.list() == ()
        record(store, RUN)
        assert store.runs.load_result("r1") == RUN


@pytest.mark.parametrize("older", OLDER)
def test_every_step_down_and_up_with_data_in_it(empty_url: str, older: str) -> None:
    with Store.open(empty_url) as store:
        fill(store)
        point, version = store.history.of("triage"), store.versions.get("triage", "1.0.0")
    to_revision(empty_url, older)
    database = connect(empty_url)
    assert revision_of(database) == older
    done = upgrade(database)
    database.close()
    assert done is not None
    assert (done.before, done.after) == (older, REVISION)
    with Store.open(empty_url) as store:
        assert store.runs.load_result("r1") == RUN
        assert store.cases.of_run("r1")["a"].vars == {"x": 1}
        assert store.versions.get("triage", "1.0.0") == version
        assert store.versions.get_alias("triage", "production") == "1.0.0"
        assert store.optimizations.get("o1") == make_outcome()
        assert [(one.run_id, one.errors, one.p95_time) for one in store.history.of("triage")] == [
            (one.run_id, one.errors, one.p95_time) for one in point
        ]
        assert bool(store.holdout.memory("triage")) is (older >= "0003")
        record(store, make_run("r2", RUN.task_results), cases=[Case(id="b", vars={"x": 2})])
        assert len(store.runs.list()) == 2


def test_an_older_sqlite_store_is_upgraded_after_a_backup(tmp_path: Path) -> None:
    url, told = f"sqlite:///{tmp_path}/store.db", list[Upgrade]()
    for number in range(2):
        with Store.open(url) as store:
            record(store, make_run(f"r{number}", RUN.task_results))
        to_revision(url, "0003")
        Store.open(url, on_upgrade=told.append).close()
    backups = [tmp_path / "store.db.0003.bak", tmp_path / "store.db.0003-2.bak"]
    assert told == [Upgrade("0003", REVISION, path) for path in backups]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db", *sorted(path.name for path in backups)]
    for number, path in enumerate(backups):
        copy = connect(f"sqlite:///{path}")
        assert revision_of(copy) == "0003"
        with copy.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == number + 1
        copy.close()


def test_without_a_backup_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    to_revision(url, "0003")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sharpen.storage.backup.os.fsync", full)
    with pytest.raises(StoreError, match=r"must be upgraded, and no backup can be written beside it \(No space left"):
        Store.open(url)
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]
    database = connect(url)
    assert revision_of(database) == "0003"
    database.close()


def test_a_file_system_without_links_gets_its_backup_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("sharpen.storage.backup.os.link", no_links)
    (tmp_path / "store.db.0003.bak").write_text("somebody's")
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    to_revision(url, "0003")
    Store.open(url).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db", "store.db.0003-2.bak", "store.db.0003.bak"]
    assert (tmp_path / "store.db.0003.bak").read_text() == "somebody's"


def test_an_older_store_on_a_server_is_upgraded_when_that_is_asked_for(postgres_url: str) -> None:
    to_revision(postgres_url, "0003")
    with pytest.raises(StoreError, match=r"made by an older sharpen .*'0003'.* sharpen store upgrade"):
        Store.open(postgres_url)
    database = connect(postgres_url)
    assert upgrade(database) == Upgrade("0003", REVISION)
    assert upgrade(database) is None
    database.close()
    Store.open(postgres_url).close()


def test_a_store_of_a_newer_sharpen_is_refused(empty_url: str) -> None:
    with Store.open(empty_url) as store, store.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    with pytest.raises(StoreError, match=r"created by a newer sharpen \(its schema is '0999', this one knows up to"):
        Store.open(empty_url)


def test_tables_of_another_program_are_refused(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    database = connect(url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE runs (x INTEGER)"))
    database.close()
    with pytest.raises(StoreError, match="is a database of another program: it has tables 'runs'"):
        Store.open(url)
    postgres_server.drop(url)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: PostgresServer, encoding: str) -> None:
    url = postgres_server.empty_database(f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(StoreError, match=f"the encoding {encoding}, which cannot hold every text; expected .* 'UTF8'"):
        Store.open(url)
    postgres_server.drop(url)


def test_texts_are_compared_byte_by_byte_on_a_server_of_any_language(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database(
        "TEMPLATE template0 LOCALE_PROVIDER 'builtin' LOCALE 'C' BUILTIN_LOCALE 'C.UTF-8'"
    )
    with Store.open(url) as store, store.database.read() as connection:
        query = text(
            "SELECT table_name || '.' || column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        )
        assert not connection.execute(query).scalars().all()
    postgres_server.drop(url)


def test_an_upgrade_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    def half_way(connection: Connection) -> None:
        command.upgrade(config(connection), "head")
        raise StoreError("no")

    database = connect(empty_url)
    with pytest.raises(StoreError, match="no"), database.write() as connection:
        half_way(connection)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    ensure_current(database)
    assert revision_of(database) == REVISION
    database.close()


def test_processes_that_open_a_new_store_at_once_share_one_migration(empty_url: str) -> None:
    script = (
        "import sys; from sharpen.storage.engine import connect; from sharpen.storage.migrate import upgrade\n"
        "database = connect(sys.argv[1]); done = upgrade(database); database.close(); print(bool(done))"
    )
    run = [sys.executable, "-c", script, empty_url]
    processes = [subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said: Sequence[tuple[str, str]] = [process.communicate(timeout=60) for process in processes]
    assert sorted(said) == [("False\n", ""), ("True\n", "")]

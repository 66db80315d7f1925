"""The migrations lead to the schema of the code, and back, and keep the data of what stays."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from sharpen.errors import StoreError
from sharpen.storage import schema
from sharpen.storage.engine import connect
from sharpen.storage.migrate import config, ensure_current, revision_of
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, record
from sharpen.testing.version_suite import make_version


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/per%20cent % é/store.db"  # a path that a configuration file would stumble over


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [schema.REVISION]


def test_migrating_gives_exactly_the_schema_of_the_code(url: str) -> None:
    with Store.open(url) as store, store.database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, schema.metadata) == []
        found = inspect(connection)
        for table in schema.metadata.sorted_tables:
            primary = found.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key], table.name
            nullable = {column["name"] for column in found.get_columns(table.name) if column["nullable"]}
            assert nullable == {column.name for column in table.columns if column.nullable}, table.name


def test_down_and_up_again_with_data(url: str) -> None:
    run = make_run("r1", [make_result("a", output="x")])
    with Store.open(url) as store:
        record(store, run)
        store.versions.add(make_version())
        store.versions.set_alias("triage", "production", "1.0.0")
        with store.database.write() as connection:
            command.downgrade(config(connection), "base")
        with store.database.read() as connection:
            assert set(inspect(connection).get_table_names()) == {schema.VERSION_TABLE}
        assert revision_of(store.database) is None
    with Store.open(url) as store:
        assert store.runs.list() == ()
        record(store, run)
        assert store.runs.load_result("r1") == run


def test_an_upgrade_that_fails_leaves_nothing_behind(url: str) -> None:
    def half_way(connection: Connection) -> None:
        command.upgrade(config(connection), "head")
        raise StoreError("no")

    database = connect(url)
    with pytest.raises(StoreError, match="no"), database.write() as connection:
        half_way(connection)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    ensure_current(database)
    assert revision_of(database) == schema.REVISION
    database.close()


def test_processes_that_open_a_new_store_at_once_share_one_migration(tmp_path: Path) -> None:
    script = f"from sharpen.storage.store import Store; Store.open('sqlite:///{tmp_path}/new.db').close()"
    processes = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

"""What users hear when a store cannot be opened."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, exc

from sharpen.errors import StoreError, UserError
from sharpen.storage.engine import _switch_to_wal, connect
from sharpen.storage.failures import StoreUnavailableError, hide_password, translated
from sharpen.storage.store import Store

SECRET = "hunter2"


def complaint(url: str) -> str:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert SECRET not in str(caught.value)
    assert isinstance(caught.value, UserError)
    return str(caught.value)


def test_missing_directories_are_made_and_the_name_is_given_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/b/store.db"
    with Store.open(url) as store:
        assert store.url == url
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["store.db"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("store.db", "'store.db' is no store URL; did you mean 'sqlite:///store.db'?"),
        ("", "'' is no store URL"),
        (f"postgresql://me:{SECRET}@host:port/db", "'postgresql://me:***@host:port/db' is no store URL"),
        (f"mongodb://me:{SECRET}@host/db", "'mongodb' is not supported, only SQLite and PostgreSQL are: sqlite:///"),
        (f"mysql://me:{SECRET}@host/db", "'mysql' is not supported, only SQLite and PostgreSQL are: sqlite:///"),
        (f"postgresql+psycopg2://me:{SECRET}@h/db", "'postgresql+psycopg2' is no driver that sharpen uses; expected"),
        ("sqlite://", "an in-memory database cannot be shared between threads; expected a file"),
        ("sqlite:///:memory:", "an in-memory database cannot be shared"),
    ],
)
def test_bad_urls(url: str, said: str) -> None:
    assert said in complaint(url)


@pytest.mark.parametrize("driver", ["sqlite+aiosqlite", "postgresql+asyncpg"])
def test_an_asynchronous_driver_is_refused(driver: str) -> None:
    assert f"{driver!r} is no driver that sharpen uses; expected e.g. sqlite:///" in complaint(f"{driver}:///x.db")


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "its driver is not installed" in complaint(f"postgresql://me:{SECRET}@host/db")
    assert "pip install 'sharpen[postgres]'" in complaint("postgresql://host/db")


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    said = complaint(f"postgresql://me@/db?host={tmp_path}&password={SECRET}")
    assert f"store postgresql://me@/db?host={tmp_path}&password=***: the database does not answer" in said.replace(
        "%2F", "/"
    )


def test_an_option_that_the_database_does_not_take(tmp_path: Path) -> None:
    assert "could not convert string to float: 'soon'" in complaint(f"sqlite:///{tmp_path}/store.db?timeout=soon")


def test_a_uri_of_sqlite_itself(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///file:{tmp_path}/store.db?uri=true") as store:
        assert store.runs.list() == ()
    assert (tmp_path / "store.db").is_file()


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    assert f"{str(tmp_path)!r} is a directory; expected a file, e.g. {tmp_path}/sharpen.db" in complaint(
        f"sqlite:///{tmp_path}"
    )


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for below in ("file", "file/deeper"):
        said = complaint(f"sqlite:///{tmp_path}/{below}/store.db")
        assert f"'{tmp_path}/{below}' is or lies in a file; expected a directory" in said


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just some notes\n" * 400)
    assert "it is no SQLite database; name another file" in complaint(f"sqlite:///{path}")
    assert path.read_text() == "just some notes\n" * 400


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store.open(f"sqlite:///{path}").close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(StoreError, match="it is damaged; restore a backup"), Store.open(f"sqlite:///{path}") as store:
        store.runs.list()


def test_a_directory_that_cannot_be_written() -> None:
    """As an ordinary user, whoever runs the tests: root may write everywhere."""
    script = """
import os, tempfile
from pathlib import Path
from sharpen.errors import StoreError
from sharpen.storage.store import Store

with tempfile.TemporaryDirectory() as root:
    Path(root).chmod(0o755)
    Store.open(f"sqlite:///{root}/any.db").close()  # imports everything while that is allowed
    closed = Path(root, "closed")
    closed.mkdir()
    closed.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    for place in ("store.db", "new/store.db"):
        try:
            Store.open(f"sqlite:///{closed}/{place}")
        except StoreError as error:
            print(error)
    if os.getuid() == 0:
        os.seteuid(0)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    lines = run.stdout.splitlines()
    assert run.stderr == ""
    assert "it cannot be opened; check that the file and its directory may be read and written" in lines[0]
    assert "cannot create its directory '" in lines[1]
    assert lines[1].endswith("/closed/new': Permission denied")


def test_a_store_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (x)")
    other.close()
    assert "is a database of another program: it has tables 'runs' that sharpen did not make" in complaint(
        f"sqlite:///{path}"
    )


def test_a_schema_table_that_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE sharpen_schema (x)")
    other.close()
    assert "no such column: version_num" in complaint(f"sqlite:///{path}")


def test_a_store_of_a_newer_sharpen_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as store, store.database.write() as connection:
        connection.exec_driver_sql("UPDATE sharpen_schema SET version_num = '0999'")
    assert "was created by a newer sharpen (its schema is '0999', this one knows up to" in complaint(url)


def test_opening_a_current_store_neither_migrates_nor_imports_the_migration_tool(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    script = f"""
import sys
from sharpen.storage.store import Store
Store.open({url!r}).close()
print("alembic" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "False", run.stderr


def test_sqlite_is_set_up_for_durability_and_readers(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store, store.database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}


def test_a_locked_file_is_waited_for_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.storage.engine.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "store.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailableError, match="another process kept it locked"):
        connect(f"sqlite:///{path}")
    holder.execute("COMMIT")
    holder.close()
    connect(f"sqlite:///{path}").close()


def test_a_file_that_is_locked_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    """SQLite does not wait when two processes turn a new file to write-ahead logging at once."""
    database = connect(f"sqlite:///{tmp_path}/store.db")
    opened = database.engine.connect

    class LockedOnce:
        name, engine, calls = "store", None, 0

        def connect(self) -> Connection:
            self.calls += 1
            if self.calls == 1:
                raise exc.OperationalError("PRAGMA", {}, sqlite3.OperationalError("database is locked"))
            return opened()

    locked = LockedOnce()
    locked.engine = locked  # type: ignore[assignment] # plays both parts
    _switch_to_wal(locked)  # type: ignore[arg-type] # as above
    assert locked.calls == 2
    database.close()


class Said(Exception):
    """What a driver of another database raises: no SQLite code."""


@pytest.mark.parametrize(
    ("error", "type_", "said"),
    [
        (
            exc.OperationalError("s", {}, Said("connection refused")),
            StoreUnavailableError,
            "does not answer: connection",
        ),
        (exc.ProgrammingError("s", {}, Said("no such column")), StoreError, "store name: no such column"),
        (exc.TimeoutError("QueuePool limit"), StoreError, "QueuePool limit"),
        (OverflowError("too large"), StoreError, "too large"),
    ],
)
def test_failures_of_any_database_become_store_errors(error: Exception, type_: type[StoreError], said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught, translated("name"):
        raise error
    assert type(caught.value) is type_


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("postgresql://me:p@ss:word@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:///a:b@c", "sqlite:///a:b@c"),
        ("postgresql://host/db?password=x&sslpassword=y&z=1", "postgresql://host/db?password=***&sslpassword=***&z=1"),
    ],
)
def test_passwords_are_hidden_even_in_malformed_urls(url: str, hidden: str) -> None:
    assert hide_password(url) == hidden

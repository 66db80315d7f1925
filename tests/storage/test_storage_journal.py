"""The journal: what was appended comes home, whole lines only, once; what is committed leaves it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sharpen.storage import journal as journals
from sharpen.storage import recovery
from sharpen.storage.failures import StoreUnavailableError
from sharpen.storage.journal import Journal, left_behind, read
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, start_of

RUN = make_run("r1", [make_result("a", output="x"), make_result("b", output="ü\x00\ud800", score=1 / 3)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "s [1].db"


def files(database: Path) -> list[Path]:
    return sorted(path for path in database.parent.iterdir() if "-journal-" in path.name)


def test_rows_come_back_as_they_were(database: Path) -> None:
    journal = Journal(database)
    journal.append("results", ("run", "case_id", "score"), (1, "ä\n\u2028", 0.1 + 0.2))
    journal.append("responses", ("key",), ("k",))
    journal.append("results", ("run", "case_id", "score"), (1, None, True))
    (path,) = files(database)
    assert list(read(path)) == [
        ("results", ("run", "case_id", "score"), (1, "ä\n\u2028", 0.1 + 0.2)),
        ("responses", ("key",), ("k",)),
        ("results", ("run", "case_id", "score"), (1, None, True)),
    ]
    assert left_behind(database) == []  # its process lives
    journal.close()
    assert files(database) == []


def test_what_is_committed_leaves_it(database: Path) -> None:
    journal = Journal(database)
    journal.append("results", ("run",), (1,))
    mark = journal.mark()
    journal.append("results", ("run",), (2,))
    journal.committed(mark)
    (path,) = files(database)
    assert [values for *_, values in read(path)] == [(1,), (2,)]  # the second is not committed yet
    journal.committed(journal.mark())
    assert list(read(path)) == []
    journal.append("results", ("run",), (3,))
    assert [values for *_, values in read(path)] == [(3,)]
    journal.close(keep=True)
    assert len(left_behind(database)) == 1


def test_a_journal_that_is_never_empty_does_not_grow_for_ever(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "ROTATE_BYTES", 500)
    journal, marks = Journal(database), [0]
    for number in range(200):
        journal.append("results", ("run",), (number,))
        marks.append(journal.mark())
        journal.committed(marks[-2])
        kept = [values[0] for path in files(database) for *_, values in read(path)]
        assert number in kept
        assert sum(path.stat().st_size for path in files(database)) < 1500
    journal.close()
    assert files(database) == []


@pytest.mark.parametrize("torn", [b"", b"[", b'["results",1', b'["results",1,2,3]\n', b"\xff\xfe\n"])
def test_a_torn_end_spoils_nothing(database: Path, torn: bytes) -> None:
    journal = Journal(database)
    journal.append("results", ("run",), (1,))
    (path,) = files(database)
    with path.open("ab") as file:
        file.write(torn)
    assert [values for *_, values in read(path)] == [(1,)]
    journal.close()


def test_an_idle_process_keeps_its_journal(database: Path) -> None:
    """Its calls may take minutes; who opens the store meanwhile must not take the file away beneath it."""
    journal = Journal(database)
    journal.append("results", ("run",), (1,))
    journal.committed(journal.mark())
    (path,) = files(database)
    os.utime(path, (0, 0))
    assert left_behind(database) == []
    path.unlink()  # another container's process, which cannot know that we live
    journal.append("results", ("run",), (2,))
    assert [values for path in files(database) for *_, values in read(path)] == [(2,)]
    journal.close()


def test_a_row_that_did_not_fit_leaves_the_next_ones_readable(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(database)
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(StoreUnavailableError):
            journal.append("results", ("run",), (1,))
    journal.append("results", ("run",), (2,))
    (path,) = files(database)
    assert list(read(path)) == [("results", ("run",), (2,))]
    journal.close()


FOREIGN = [5, None, "results", [], [["results"], 1], {"results": 1}, ["results", "run"], ["results", {"x": [1]}]]


HERE = journals.this_host()


@pytest.mark.parametrize(
    "owner", [5, [], ["h", 1], [None] * 3, [HERE, "../..", {}], [HERE, 10**400, 1.0], [HERE, -1, 1.0]]
)
def test_what_others_wrote_keeps_nobody_from_the_store(database: Path, owner: Any) -> None:
    with Store.open(f"sqlite:///{database}"):
        pass
    path = abandoned(database, *FOREIGN, owner=owner, age_s=99)
    with path.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n" + b"\xff\n")
    os.utime(path, (0, 0))
    with Store.open(f"sqlite:///{database}") as store:
        assert store.runs.list() == ()


def test_a_full_disk_leaves_whole_lines(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write = Journal(database, "sqlite:///s.db"), os.write
    journal.append("results", ("run",), (1,))

    def half(handle: int, data: bytes) -> int:
        if len(data) < 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[: len(data) // 2])

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(StoreUnavailableError, match=r"^store sqlite:///s.db: there is no space left for it; free"):
            journal.append("results", ("run",), (2,))
    journal.append("results", ("run",), (3,))
    (path,) = files(database)
    assert [values for *_, values in read(path)] == [(1,), (3,)]
    journal.close()


def abandoned(database: Path, *lines: Any, owner: Any = ("elsewhere", 1, 1.0), age_s: float = 0.0) -> Path:
    path = database.with_name(f"{database.name}-journal-x-1")
    path.write_text("".join(json.dumps(line) + "\n" for line in (owner, *lines)))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_whose_journal_is_left_behind(database: Path) -> None:
    mine = (journals.this_host(), os.getpid(), journals.birth_of(os.getpid()))
    assert not left_behind(abandoned(database, owner=mine, age_s=999).parent / database.name)
    assert left_behind(database.with_name(database.name)) == []
    abandoned(database, owner=(journals.this_host(), os.getpid(), 0.5))  # another process that had this number
    assert len(left_behind(database)) == 1
    abandoned(database)
    assert left_behind(database) == []  # another machine's, and fresh
    abandoned(database, age_s=61)
    assert len(left_behind(database)) == 1
    database.with_name(f"{database.name}-journal-x-1").write_bytes(b"")
    assert left_behind(database) == []
    database.with_name(f"{database.name}-other").write_bytes(b"")
    assert left_behind(database) == []


def test_whoever_opens_the_store_brings_answers_home(database: Path) -> None:
    url = f"sqlite:///{database}"

    async def cut_off(store: Store) -> None:
        sink = store.sink()
        await sink.start_run(start_of(RUN))
        for result in RUN.task_results:
            await sink.save_result("r1", result)

    with Store.open(url) as store:
        asyncio.run(cut_off(store))
        (path,) = files(database)
        lines = path.read_text().splitlines(keepends=True)
    orphan = json.loads(lines[-1])
    orphan[1] = 999  # of a run that is not there any more
    path.write_text("".join(['["gone", 1, 1.0]\n', *lines[1:], json.dumps(orphan) + "\n"]))
    os.utime(path, (0, 0))
    with Store.open(url) as store, store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM results")
        assert files(database) == []
    path.write_text("".join(['["gone", 1, 1.0]\n', *lines[1:], json.dumps(orphan) + "\n"]))
    os.utime(path, (0, 0))
    with Store.open(url) as store:
        assert store.results.list("r1") == RUN.task_results
    assert files(database) == []


def test_what_cannot_be_committed_waits_for_the_next_time(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{database}"

    async def begin(store: Store) -> None:
        sink = store.sink()
        await sink.start_run(start_of(RUN))
        for result in RUN.task_results:
            await sink.save_result("r1", result)

    def full(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("full")

    with Store.open(url) as store:
        asyncio.run(begin(store))
        monkeypatch.setattr(store.database, "write", full)
    assert len(files(database)) == 1
    with Store.open(url) as store:
        assert store.results.list("r1") == RUN.task_results
    assert files(database) == []


async def test_nothing_is_confirmed_while_its_commit_is_under_way(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that others asked for has taken the row already: ``sync`` must wait for it all the same."""
    with Store.open(f"sqlite:///{database}") as store:
        sink = store.sink()
        await sink.start_run(start_of(RUN))
        began, go_on, write = threading.Event(), threading.Event(), store.database.write

        @contextmanager
        def slow(*, quick: bool = False) -> Iterator[Any]:
            began.set()
            assert go_on.wait(5)
            with write(quick=quick) as connection:
                yield connection

        monkeypatch.setattr(store.database, "write", slow)
        await sink.save_result("r1", RUN.task_results[0])
        other = asyncio.create_task(store._writer.write(lambda _: None))
        assert await asyncio.to_thread(began.wait, 5)
        syncing = asyncio.create_task(sink.sync())
        await asyncio.sleep(0.05)
        assert not syncing.done()
        (path,) = files(database)
        assert [table for table, *_ in read(path)] == ["results"]
        go_on.set()
        await syncing
        await other
        assert store.results.count("r1") == 1


def test_the_rest_of_a_journal_waits_when_the_disk_fills_up_meanwhile(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are tried one by one when one of them has no run any more; that this ends early must cost none of them."""
    url = f"sqlite:///{database}"
    with Store.open(url) as store:
        asyncio.run(_begin(store))
        (path,) = files(database)
        lines = path.read_text().splitlines(keepends=True)
    orphan = json.loads(lines[-1])
    orphan[1] = 999
    path.write_text("".join(['["gone", 1, 1.0]\n', *lines[1:], json.dumps(orphan) + "\n"]))
    os.utime(path, (0, 0))
    insert, calls = recovery._insert, 0

    def filling_up(database: Any, rows: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise StoreUnavailableError("full")
        insert(database, rows)

    with monkeypatch.context() as full:
        full.setattr(recovery, "_insert", filling_up)
        with Store.open(url) as store, store.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM results")
    assert files(database) == [path]
    with Store.open(url) as store:
        assert store.results.list("r1") == RUN.task_results


async def _begin(store: Store) -> None:
    sink = store.sink()
    await sink.start_run(start_of(RUN))
    for result in RUN.task_results:
        await sink.save_result("r1", result)


def test_the_disk_is_asked_about_the_log_that_is_in_use(tmp_path: Path) -> None:
    """A log is removed with the last connection and made anew with the next: the handle on the old one is worthless."""
    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        with store.database.write(quick=True) as connection:
            connection.exec_driver_sql("CREATE TABLE one (x)")
        store.database.sync()
        log = store.database._log
        assert log is not None
        before = log._handle
        store.database.engine.dispose()
        assert not (tmp_path / "s.db-wal").exists()
        store.database.sync()  # all of it is in the database
        with store.database.write(quick=True) as connection:
            connection.exec_driver_sql("CREATE TABLE two (x)")
        store.database.sync()
        assert log._handle is not None
        assert os.path.samestat(os.fstat(log._handle), (tmp_path / "s.db-wal").stat())
        assert before is not None


def test_what_is_finished_is_counted_as_it_is_read(tmp_path: Path) -> None:
    from sharpen.errors import ErrorKind
    from sharpen.executor.models import TaskError, TaskStatus
    from sharpen.testing.storage_suite import record

    def failed(case_id: str, kind: ErrorKind) -> Any:
        return make_result(case_id, status=TaskStatus.ERROR, error=TaskError(kind=kind))

    results = [
        make_result("a"), failed("b", ErrorKind.SERVER), failed("c", ErrorKind.RATE_LIMIT),
        make_result("d", status=TaskStatus.CANCELLED),
    ]  # fmt: skip
    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        record(store, make_run("r1", results))
        finished = store.results.finished("r1")
        assert set(finished) == {("a", 0), ("b", 0)}
        assert len(finished) == 2
        assert finished["a", 0] == results[0]
        with pytest.raises(KeyError):
            finished["c", 0]


def test_a_store_that_was_removed_confirms_nothing(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/s.db") as store:
        with store.database.write(quick=True) as connection:
            connection.exec_driver_sql("CREATE TABLE one (x)")
        for path in list(tmp_path.iterdir()):
            path.unlink()
        with pytest.raises(StoreUnavailableError, match="its disk did not confirm what was written: No such file"):
            store.database.sync()

"""What was acknowledged is there: after SIGKILL, beside another process, and when the disk is full."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from sharpen.errors import StoreError
from sharpen.executor.models import RunStatus
from sharpen.executor.ports import RunStart
from sharpen.storage.checking import check_store
from sharpen.storage.failures import StoreUnavailableError
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, record, start_of

WRITE = """
import asyncio, sys
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, start_of

url, run_id, count, acknowledge = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "yes"
run = make_run(run_id, [make_result(f"c{i:05}", output=f"{run_id} {i} " + "x" * 50) for i in range(count)])

async def main():
    sink = store.sink()
    await sink.start_run(start_of(run))
    waiting = iter(run.task_results)
    async def save():
        for result in waiting:
            await sink.save_result(run_id, result)
            if acknowledge:
                print(result.case_id, flush=True)
    await asyncio.gather(*(save() for _ in range(16)))
    await sink.finish_run(run)

with Store.open(url) as store:
    asyncio.run(main())
"""


def start_writer(url: str, run_id: str, count: int, acknowledge: bool) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITE, url, run_id, str(count), "yes" if acknowledge else "no"]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.mark.parametrize("acknowledged", [1, 700])
def test_every_acknowledged_result_survives_sigkill(store_url: str, acknowledged: int) -> None:
    url = store_url
    process = start_writer(url, "r1", 20_000, acknowledge=True)
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-signal.SIGKILL, "")
    seen += [line for line in rest.splitlines() if len(line) == 6]  # the last line may be torn
    with Store.open(url) as store:
        saved = {result.case_id: result for result in store.results.list("r1")}
        assert set(seen) <= set(saved)
        assert all(result.output == f"r1 {int(case_id[1:])} " + "x" * 50 for case_id, result in saved.items())
        assert store.runs.get("r1").status is RunStatus.RUNNING
        assert len(store.results.finished("r1")) == len(saved) < 20_000
        assert check_store(store.database).passed


def test_two_processes_write_at_once_while_a_third_reads(store_url: str) -> None:
    url = store_url
    Store.open(url).close()
    processes = [start_writer(url, run_id, 500, acknowledge=False) for run_id in ("r1", "r2")]
    with Store.open(url) as store:
        while any(process.poll() is None for process in processes):
            for run in store.runs.list():
                store.results.count(run.run_id)  # sees committed states only, waits for nobody
            time.sleep(0.02)
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
        for run_id in ("r1", "r2"):
            assert len(store.runs.load_result(run_id).task_results) == 500
            assert store.runs.get(run_id).status is RunStatus.COMPLETED


def test_a_long_reader_does_not_block_the_writer(store_url: str) -> None:
    with Store.open(store_url) as store:
        record(store, make_run("r1", [make_result("a")]))
        with store.database.read() as connection:
            count = "SELECT count(*) FROM results"
            assert connection.exec_driver_sql(count).scalar() == 1
            record(store, make_run("r2", [make_result("a"), make_result("b")]))
            assert connection.exec_driver_sql(count).scalar() == 1  # one state of the store, as when it began
        assert store.results.count("r2") == 2


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_there(url: str) -> None:
    before = make_run("r1", [make_result(f"c{i}", output="early") for i in range(50)])
    with Store.open(url) as store:
        record(store, before)

        @event.listens_for(store.database.engine, "connect")
        def _limit(connection, _record) -> None:  # type: ignore[no-untyped-def]
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages + 20}")

        store.database.engine.dispose()  # from here on, connections see a disk with 20 pages left
        late = [make_result(f"c{i}", output="x" * 4000) for i in range(200)]

        async def fill() -> list[BaseException | None]:
            sink = store.sink()
            await sink.start_run(RunStart("r2", "triage", before.started_at, len(late)))
            saved: list[BaseException | None] = []
            for chunk in range(0, 200, 10):  # ten at a time: some are confirmed first
                saves = [sink.save_result("r2", result) for result in late[chunk : chunk + 10]]
                await asyncio.gather(*saves)
                saved += await asyncio.gather(sink.sync(), return_exceptions=True)
            with pytest.raises(StoreError, match="no space left"):
                await sink.finish_run(make_run("r2", late))
            return saved

        answers = asyncio.run(fill())
    failed = [answer for answer in answers if answer is not None]
    assert 0 < len(failed) < len(answers)
    assert {type(answer) for answer in failed} == {StoreUnavailableError}
    assert all(
        "there is no space left for it; free some and resume (database or disk is full)" in str(e) for e in failed
    )
    with Store.open(url) as store:
        assert store.runs.load_result("r1") == before
        # what was confirmed is there, and what could not be comes home from the journal when there is room again
        assert len(store.results.list("r2")) == 200
        assert store.runs.get("r2").status is RunStatus.RUNNING


def test_a_run_that_could_not_be_written_can_be_resumed(url: str) -> None:
    run = make_run("r1", [make_result("a", output="x"), make_result("b", output="y")])
    with Store.open(url) as store:

        async def interrupted() -> None:
            sink = store.sink()
            await sink.start_run(start_of(run))
            await sink.save_result("r1", run.task_results[1])

        asyncio.run(interrupted())
    with Store.open(url) as store:
        assert set(store.results.finished("r1")) == {("b", 0)}
        record(store, run)
        assert store.runs.load_result("r1") == run


def test_a_foreign_lock_is_waited_for_once(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of ending a run used to wait the whole time anew."""
    monkeypatch.setattr("sharpen.storage.engine.BUSY_TIMEOUT_S", 1.0)
    monkeypatch.setattr("sharpen.storage.engine.IMPATIENT_S", 0.05)
    run = make_run("r1", [make_result("a", output="x")])
    holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)

    async def locked_out(store: Store) -> float:
        sink = store.sink()
        await sink.start_run(start_of(run))
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        await sink.save_result("r1", run.task_results[0])
        for ending in (sink.sync(), sink.finish_run(run)):
            with pytest.raises(StoreUnavailableError, match="another process kept it locked"):
                await ending
        return began

    with Store.open(url) as store, store.locks.hold("run:r1"):
        began = asyncio.run(locked_out(store))
    assert 0.9 < time.monotonic() - began < 3
    holder.execute("COMMIT")
    holder.close()
    with Store.open(url) as store:
        assert store.results.list("r1") == run.task_results
        record(store, run)  # one that is let in is patient again
        assert store.runs.get("r1").status is RunStatus.COMPLETED

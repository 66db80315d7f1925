"""What only a server knows: connections that run out or break, transactions that give way, others' machines."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from servers.postgres import NoServer, PostgresServer
from sharpen.errors import LockedError
from sharpen.storage.engine import connect
from sharpen.storage.failures import StoreConflictError, StoreUnavailableError
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, record, start_of

psycopg = pytest.importorskip("psycopg")  # of the extra `postgres`

HOLDER = """
import asyncio, sys
from sharpen.storage.store import Store

with Store.open(sys.argv[1]) as store, store.locks.hold("run:r1"):
    assert asyncio.run(store.responses.claim("k", lambda: True)) is True
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def small_server() -> Iterator[PostgresServer]:
    """One that has few connections to give, and may be stopped."""
    server = PostgresServer(max_connections="6", superuser_reserved_connections="0")
    try:
        server.start()
    except NoServer as reason:
        pytest.skip(str(reason))
    yield server
    server.stop()


def test_locks_and_claims_of_a_killed_process_are_free_again(postgres_url: str) -> None:
    command = [sys.executable, "-c", HOLDER, postgres_url]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
        Store.open(postgres_url) as store,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        busy = f"is being worked on by process {holder.pid} on "
        with pytest.raises(LockedError, match=busy), store.locks.hold("run:r1"):
            pass
        assert asyncio.run(store.responses.claim("k", lambda: True)) is False
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
        with store.locks.hold("run:r1") as gone:
            assert gone is not None
            assert gone.process is not None
            assert gone.process.pid == holder.pid
        assert asyncio.run(store.responses.claim("k", lambda: True)) is True


def test_a_reader_sees_one_state_of_the_store(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        record(store, make_run("r1", [make_result("a")]))
        with store.database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 1
            record(store, make_run("r2", [make_result("a")]))
            assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 1
        with pytest.raises(StoreUnavailableError, match="read-only"), store.database.read() as connection:
            connection.execute(text("DELETE FROM runs"))


def test_of_two_that_wait_for_each_other_one_gives_way_and_is_done_again(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        for name in ("r1", "r2"):
            record(store, make_run(name, [make_result("a")]))
        both, attempts = threading.Barrier(2, timeout=20), []

        def swap(first: str, second: str) -> object:
            def work(connection: object) -> None:
                attempts.append(first)
                update = text("UPDATE runs SET stop_reason = :who WHERE run_id = :run")
                connection.execute(update, {"who": first, "run": first})  # type: ignore[attr-defined] # a Connection
                if len(attempts) <= 2:
                    both.wait()
                connection.execute(update, {"who": first, "run": second})  # type: ignore[attr-defined] # as above

            return work

        async def through_both() -> None:
            await asyncio.gather(store._writer.write(swap("r1", "r2")), other._writer.write(swap("r2", "r1")))

        asyncio.run(through_both())
        assert sorted(set(attempts)) == ["r1", "r2"]
        assert len(attempts) == 3  # one of them twice
        assert len({store.runs.get(name).stop_reason for name in ("r1", "r2")}) == 1


def test_a_transaction_that_gave_way_says_so(postgres_url: str) -> None:
    database = connect(postgres_url)
    said = "another process wrote the same at the same moment"
    with pytest.raises(StoreConflictError, match=said), database.write() as connection:
        connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))
    database.close()


def test_who_finds_no_free_connection_waits_for_one(
    small_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = small_server.database()
    place = url.replace("postgresql+psycopg", "postgresql")
    with Store.open(url) as store:
        store.database.engine.dispose()
        taken = [psycopg.connect(place) for _ in range(6)]
        timer = threading.Timer(0.3, taken.pop().close)
        timer.start()
        assert store.runs.list() == ()
        timer.join()
        store.database.engine.dispose()
        taken.append(psycopg.connect(place))
        monkeypatch.setattr("sharpen.storage.engine.BUSY_TIMEOUT_S", 0.2)
        with pytest.raises(StoreUnavailableError, match="too many clients"):
            store.runs.list()
        for connection in taken:
            connection.close()


def test_a_server_that_goes_away_is_named_and_found_again(small_server: PostgresServer) -> None:
    url = small_server.database()
    name = url.partition("?")[0].rpartition("/")[2]
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    with Store.open(url) as store:
        asyncio.run(store.sink().start_run(start_of(make_run("r1", [make_result("a")]))))
        with pytest.raises(StoreUnavailableError, match=r"was stopped, or ended the connection"):
            killed_in_a_transaction(store, lambda: small_server.execute(kill))
        assert store.runs.get("r1").run_id == "r1"
        small_server.execute(kill)  # those that wait to be used again
        assert store.runs.get("r1").run_id == "r1"


def killed_in_a_transaction(store: Store, kill: Callable[[], None]) -> None:
    with store.database.write() as connection:
        connection.execute(text("SELECT 1"))
        kill()
        connection.execute(text("SELECT 1"))

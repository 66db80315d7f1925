"""Twenty processes that write at once lose nothing and pay for nothing twice, on both databases."""

import multiprocessing
import os

import pytest
from many_writers import RESULTS, SHARED, VERSIONS, name_of, run_of, write
from sqlalchemy import func, select

from sharpen.storage import schema
from sharpen.storage.checking import check_store
from sharpen.storage.store import Store

WRITERS = 20


@pytest.mark.skipif(os.name != "posix", reason="needs processes that start in an instant")
def test_twenty_writers_at_once_lose_nothing(store_url: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sharpen.testing.storage_suite", "psycopg"])  # once, not in each of them
    start = context.Barrier(WRITERS)
    Store.open(store_url).close()
    processes = [context.Process(target=write, args=(store_url, number, start)) for number in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * WRITERS
    with Store.open(store_url) as store:
        for number in range(WRITERS):
            assert store.runs.load_result(name_of(number)) == run_of(number)
            assert len(store.cases.of_run(name_of(number))) == RESULTS
        assert len(store.history.of("triage")) == WRITERS
        versions = store.versions.list("triage")
        assert len({version.version for version in versions}) == len(versions) == WRITERS * VERSIONS
        with store.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(schema.cases)).scalar() == RESULTS
            keys = connection.execute(select(schema.responses.c.key)).scalars().all()
            assert len([key for key in keys if key.startswith("paid-")]) == SHARED
            for table in (schema.processes, schema.locks, schema.claims):
                assert connection.execute(select(func.count()).select_from(table)).scalar() == 0, table.name
        assert len(store.versions.alias_history("triage", "production")) == 1
        assert check_store(store.database, full=True).passed

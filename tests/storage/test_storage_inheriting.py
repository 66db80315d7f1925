"""Answers in the journal of a process that is killed while others have the store open: those who go on find them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharpen.executor.ports import CachedResponse
from sharpen.storage.store import Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9")

PAYER = """
import asyncio, os, signal, sys, time
from sharpen.executor.ports import CachedResponse
from sharpen.storage.store import Store
from sharpen.targets.base import TargetResponse
from sharpen.testing.storage_suite import make_result, make_run, start_of

async def main():
    run = make_run("r1", [make_result("a", output="paid for")])
    sink = store.sink()
    await sink.start_run(start_of(run))
    assert await store.responses.claim("k", lambda: True) is True
    print("began", flush=True)
    sys.stdin.readline()
    store._writer._batcher._handle = lambda _: time.sleep(60)  # killed before the commit
    await store.responses.put("k", CachedResponse(TargetResponse("paid for"), 0.1))
    await sink.save_result("r1", run.task_results[0])
    os.kill(os.getpid(), signal.SIGKILL)

with Store.open(sys.argv[1]) as store, store.locks.hold("run:r1"):
    asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def payer(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PAYER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "began\n"
        yield process
        process.kill()


def end(payer: subprocess.Popen[str]) -> None:
    assert payer.stdin
    payer.stdin.write("\n")
    payer.stdin.flush()
    assert payer.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize("known_before", [True, False])
def test_who_waited_for_an_answer_gets_it(url: str, payer: subprocess.Popen[str], known_before: bool) -> None:
    with Store.open(url) as store:
        if known_before:
            assert asyncio.run(store.responses.claim("k", lambda: True)) is False
        end(payer)
        found = asyncio.run(store.responses.claim("k", lambda: True))
        assert isinstance(found, CachedResponse)
        assert found.response.output == "paid for"


def test_who_takes_over_a_run_has_its_results(url: str, payer: subprocess.Popen[str]) -> None:
    with Store.open(url) as store:
        end(payer)
        with store.locks.hold("run:r1") as gone:
            assert gone is not None
            assert [result.output for result in store.results.list("r1")] == ["paid for"]


async def test_a_claim_that_ends_without_an_answer_is_nobodys_until_it_has(url: str) -> None:
    """Else one who asks in that moment would believe that it is his, and another process could pay as well."""
    with Store.open(url) as store, Store.open(url) as other:
        for number in range(50):
            key = f"k{number}"
            assert await store.responses.claim(key, lambda: True) is True
            release = asyncio.create_task(store.responses.release(key))
            await asyncio.sleep(0)
            here = await store.responses.claim(key, lambda: True)
            await release
            there = await other.responses.claim(key, lambda: True)
            assert not (here and there)

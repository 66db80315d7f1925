"""Who works on what: real processes that hold locks and claims, are stopped, are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from sharpen.errors import LockedError, StoreError
from sharpen.executor.ports import CachedResponse
from sharpen.storage import alive, ownership, schema
from sharpen.storage.store import Store
from sharpen.targets.base import TargetResponse, Usage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ANSWER = CachedResponse(TargetResponse("billing", Usage(3, 1), 0.5), 0.1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@contextmanager
def holder(url: str, what: str, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("holder.py")), url, what, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def never() -> bool:
    return False


async def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


def test_a_lock_of_a_living_process_is_refused_and_that_of_a_dead_one_taken_over(store: Store, url: str) -> None:
    with holder(url, "lock", "run:r1") as process:
        refused = (
            rf"run 'r1' is being worked on by process {process.pid} on \S+ since \d\d:\d\d; wait for it or stop it"
        )
        with pytest.raises(LockedError, match=refused), store.locks.hold("run:r1"):
            pass
        with store.locks.hold("run:r2") as before:  # another run is nobody's
            assert before is None
        process.send_signal(signal.SIGSTOP)  # asleep is not dead
        with pytest.raises(LockedError, match=refused), store.locks.hold("run:r1"):
            pass
        process.kill()
        process.wait()
        with store.locks.hold("run:r1") as before:
            assert before is not None
            assert (before.alive, before.process) == (False, ownership.Process(process.pid, os.uname().nodename))
            found = store.locks.holder("run:r1")
            assert found is not None
            assert found.alive
        assert store.locks.holder("run:r1") is None


def test_a_killed_process_that_nobody_has_buried_is_dead(store: Store, url: str) -> None:
    with holder(url, "lock", "run:r1") as process:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
        with store.locks.hold("run:r1") as before:
            assert before is not None


def test_a_process_id_that_is_used_again_is_another_process(store: Store, url: str) -> None:
    with holder(url, "lock", "run:r1") as process:
        with store.database.write() as connection:
            table = schema.processes
            connection.execute(update(table).where(table.c.pid == process.pid).values(born_at=table.c.born_at - 1))
        with store.locks.hold("run:r1") as before:
            assert before is not None


def test_a_lock_is_given_back_when_its_block_fails_and_when_the_store_is_closed(url: str) -> None:
    with Store.open(url) as store, Store.open(url) as other:
        with pytest.raises(ZeroDivisionError), store.locks.hold("run:r1"):
            raise ZeroDivisionError
        with other.locks.hold("run:r1") as before:
            assert before is None
            with pytest.raises(LockedError), store.locks.hold("run:r1"):  # of the same process, all the same
                pass
        other.locks.hold("run:r2").__enter__()
        other.close()
        with store.locks.hold("run:r2") as before:
            assert before is None
        with store.database.read() as connection:
            assert len(connection.execute(select(schema.processes)).all()) == 1


def test_one_who_waits_gets_the_lock_when_it_is_given_back(store: Store, url: str) -> None:
    with holder(url, "lock", "versions:w") as process:
        with pytest.raises(LockedError), store.locks.hold("versions:w", wait_s=0.1):
            pass
        assert process.stdin is not None
        process.stdin.write("end\n")
        process.stdin.flush()
        with store.locks.hold("versions:w", wait_s=20) as before:
            assert before is None


def test_a_process_of_another_machine_is_gone_when_it_gave_no_sign_for_a_minute(store: Store, url: str) -> None:
    def seen(seconds_ago: float) -> None:
        with store.database.write() as connection:
            row = {"host": "elsewhere/1/2", "pid": 1, "seen_at": time.time() - seconds_ago}
            connection.execute(update(schema.processes).values(**row))

    with Store.open(url) as other, other.locks.hold("run:r1"):
        seen(50)
        with pytest.raises(LockedError, match="process 1 on elsewhere since"), store.locks.hold("run:r1"):
            pass
        seen(70)
        with store.locks.hold("run:r1") as before:
            assert before is not None


def test_one_who_was_taken_for_dead_learns_that_the_lock_is_lost(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SIGN_OF_LIFE_S", 0.05)
    lost: list[str] = []
    with (
        Store.open(url) as store,
        store.locks.hold("run:r1", on_lost=lambda: lost.append("r1")),
        store.locks.hold("run:r2", on_lost=lambda: lost.append("r2")),
    ):
        with store.database.write() as connection:
            connection.execute(update(schema.locks).where(schema.locks.c.name == "run:r1").values(owner="other"))
        asyncio.run(eventually(lambda: lost != []))
        time.sleep(0.2)
    assert lost == ["r1"]  # told once, and of what was lost only


def test_signs_of_life_are_given_while_something_is_held(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SIGN_OF_LIFE_S", 0.05)
    with Store.open(url) as store, store.locks.hold("run:r1"):

        def seen_at() -> float:
            with store.database.read() as connection:
                return float(connection.execute(select(schema.processes.c.seen_at)).scalar_one())

        first = seen_at()
        asyncio.run(eventually(lambda: seen_at() > first))


def test_the_system_says_when_a_process_was_born(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = alive.birth_of(os.getpid())
    assert ours == alive.birth_of(os.getpid())
    assert ours not in (None, alive.UNKNOWN)
    assert alive.birth_of(2**22 + 1) is None  # beyond the greatest id that Linux gives
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        born = alive.birth_of(child.pid)
        assert born is not None
        assert alive.is_running(child.pid, born)
        assert not alive.is_running(child.pid, born - 1)
        assert alive.is_running(child.pid, alive.UNKNOWN)
        monkeypatch.setattr(alive, "PROC", Path("/nowhere"))  # as on macOS and Windows
        asked = alive.birth_of(child.pid)
        assert asked is not None
        assert abs(asked - time.time()) < 60
        assert alive.is_running(child.pid, asked)
        assert alive.birth_of(2**22 + 1) is None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive.is_running(child.pid, asked)  # a zombie
        monkeypatch.undo()
        assert not alive.is_running(child.pid, born)


def test_a_process_that_is_hidden_from_us_is_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/stat").touch()  # /proc mounted with hidepid=2: other users' processes are not in it
    monkeypatch.setattr(alive, "PROC", tmp_path)
    assert alive.birth_of(os.getpid()) == alive.UNKNOWN
    assert alive.birth_of(2**22 + 1) is None


def test_a_claim_is_waited_for_and_answered(store: Store, url: str) -> None:
    async def main() -> list[CachedResponse | bool]:
        with Store.open(url) as other:
            assert await store.responses.claim("k", never) is True
            waiting = [asyncio.ensure_future(each.responses.claim("k", never)) for each in (store, other, other)]
            assert await other.responses.claim("k", lambda: True) is False  # gives up, and waits no longer
            assert await other.responses.claim("free", never) is True
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in waiting)
            await store.responses.put("k", ANSWER)
            return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [ANSWER] * 3


def test_a_claim_that_is_released_goes_to_one_of_those_who_wait(store: Store, url: str) -> None:
    async def main() -> None:
        with Store.open(url) as other:
            assert await store.responses.claim("k", never) is True
            waiting = {asyncio.ensure_future(other.responses.claim("k", never)) for _ in range(3)}
            await store.responses.release("k")
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == [True]
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in waiting)
            await store.responses.release("k")  # not its own any more: nothing happens
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in waiting)
            await other.responses.put("k", ANSWER)
            assert await asyncio.gather(*waiting) == [ANSWER] * 2

    asyncio.run(main())


def test_the_claim_of_a_killed_process_is_taken_over(store: Store, url: str) -> None:
    async def main() -> None:
        with holder(url, "claim", "k") as process:
            waiting = asyncio.ensure_future(store.responses.claim("k", never))
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.3)
            assert not waiting.done()
            process.kill()
            assert await asyncio.wait_for(waiting, 20) is True

    asyncio.run(main())


def test_a_claim_ends_with_its_process(store: Store, url: str) -> None:
    with holder(url, "claim", "k") as process:
        process.communicate("end\n")
        assert asyncio.run(store.responses.claim("k", lambda: True)) is True


@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.002, 0.01])
def test_one_who_is_cancelled_keeps_no_claim(store: Store, url: str, after_s: float) -> None:
    async def main() -> None:
        with Store.open(url) as other:
            for number in range(10):
                key = f"k{number}"
                asking = asyncio.ensure_future(store.responses.claim(key, never))
                await asyncio.sleep(after_s)
                won = asking.done()
                asking.cancel()
                waiting = asyncio.ensure_future(other.responses.claim(key, never))
                if won:
                    await store.responses.release(key)
                assert await asyncio.wait_for(waiting, 20) is True

    asyncio.run(main())


def test_an_answer_that_could_not_be_kept_is_asked_for_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(row: object, *, soon: bool) -> None:
        raise StoreError("no space left")

    async def main() -> None:
        assert await store.responses.claim("k", never) is True
        with monkeypatch.context() as patched:
            patched.setattr(store.responses._writer, "post", full)
            with pytest.raises(StoreError):
                await store.responses.put("k", ANSWER)
        assert await store.responses.claim("k", never) is True

    asyncio.run(main())


def test_many_who_ask_the_same_share_the_bill(url: str) -> None:
    """Two stores, many tasks each, all keys at the same time and in different order: each key is paid for once."""
    keys = [f"k{number}" for number in range(200)]
    paid: list[str] = []

    async def work(store: Store, key: str) -> None:
        found = await store.responses.claim(key, never)
        if found is True:
            paid.append(key)
            await asyncio.sleep(0.001)
            await store.responses.put(key, ANSWER)
        else:
            assert found == ANSWER

    async def main() -> None:
        with Store.open(url) as one, Store.open(url) as two:
            await asyncio.gather(
                *(work(one, key) for key in keys + keys[:50]), *(work(two, key) for key in reversed(keys))
            )

    asyncio.run(main())
    assert sorted(paid) == sorted(keys)


def test_answered_claims_do_not_pile_up(store: Store) -> None:
    def claims() -> int:
        with store.database.read() as connection:
            return len(connection.execute(select(schema.claims)).all())

    async def main() -> None:
        for key in "abc":
            assert await store.responses.claim(key, never) is True
            await store.responses.put(key, ANSWER)
            store.flush()
            assert claims() == 1  # the last one's; it ends with the next claim

    asyncio.run(main())
    store.close()
    with Store.open(store.url) as again, again.database.read() as connection:
        assert connection.execute(select(schema.claims)).all() == []


def test_an_ab_test_is_called_that(url: str) -> None:
    with (
        Store.open(url) as one,
        Store.open(url) as other,
        one.locks.hold("ab:t1"),
        pytest.raises(LockedError, match=r"^A/B test 't1' is being worked on by process"),
        other.locks.hold("ab:t1"),
    ):
        pass

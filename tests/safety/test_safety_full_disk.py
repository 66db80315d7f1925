"""A disk that is full: one clear message, nothing lost that was acknowledged, and `sharpen resume` once there is room.

Three kinds of full: a file that may not grow (``RLIMIT_FSIZE``, which needs no rights), a real file system of 1 MB
(a ``tmpfs`` in a mount namespace of its own, where the system lets us make one), and in ``tests/storage`` SQLite's own
page limit.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_server import LedgerServer
from safety_kit import project, right, rows_of, run_ids, store_of, without_times
from spawner import Spawner

from sharpen.executor.models import RunStatus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")

CASES = 300
IN_A_NAMESPACE = ["unshare", "--map-root-user", "--user", "--mount", "sh", "-euc"]


def long_winded(prompt: str) -> str:
    """Answers of 4 kB, so that the store outgrows its place soon."""
    return right(prompt) + " " + "because " * 500


@pytest.fixture
def directory(tmp_path: Path, server: LedgerServer) -> Path:
    server.answer, server.delay_s = long_winded, 0.001
    return project(tmp_path / "p", server, cache=False, cases=CASES, assertions=[{"type": "contains", "value": "bec"}])


def answers_lost(message: str) -> int:
    """What the message says: those are asked again. What the journal holds comes home."""
    if "(no answer is lost)" in message:
        return 0
    return int(message.partition("answers lost: ")[2].partition(",")[0])


def test_a_store_that_may_not_grow(directory: Path, server: LedgerServer, spawner: Spawner) -> None:
    code, stopped = spawner.run(directory, "run", "plan.json", "--quiet", file_size=600_000)
    assert code == 3
    (message,) = stopped.err.splitlines()
    (run_id,) = run_ids(directory)
    assert message.startswith(f"error: run '{run_id}' stopped, its results cannot be saved (")
    lost = answers_lost(message)
    assert lost <= 8
    assert stopped.out == ""
    with store_of(directory) as store:
        assert store.runs.get(run_id).status is RunStatus.RUNNING
        saved = len(store.results.list(run_id))
    assert len(server.calls) == saved + lost  # nothing is lost but what the message says
    assert 0 < saved < CASES

    code, again = spawner.run(directory, "resume", run_id, "--json")
    assert code == 0, again.err
    assert len(server.calls) == CASES + lost
    assert json.loads(again.out)["run"]["statistics"]["succeeded_tasks"] == CASES
    assert len(rows_of(directory, run_id)) == CASES


def test_a_store_that_cannot_even_begin(directory: Path, server: LedgerServer, spawner: Spawner) -> None:
    code, stopped = spawner.run(directory, "run", "plan.json", "--quiet", file_size=4096)
    assert code in (2, 3)
    (message,) = stopped.err.splitlines()
    assert message.startswith("error: store sqlite:///")
    assert server.calls == []
    code, again = spawner.run(directory, "run", "plan.json", "--json")
    assert code == 0, again.err


def may_mount() -> bool:
    try:
        return not subprocess.run(
            [*IN_A_NAMESPACE, "mount -t tmpfs -o size=1m none /mnt"], capture_output=True, check=False
        ).returncode
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="needs to mount a tmpfs in a namespace of its own")
def test_a_full_file_system(directory: Path, tmp_path: Path, server: LedgerServer, spawner: Spawner) -> None:
    """Run until the file system is full, make it larger, resume."""
    sharpen = f"{shlex.quote(sys.executable)} -c 'from sharpen.cli.main import main; main()'"
    store = directory / ".sharpen"
    store.mkdir()
    script = f"""
        cd {shlex.quote(str(directory))}
        mount -t tmpfs -o size=1m none .sharpen
        {sharpen} run plan.json --quiet > ../1.out 2> ../1.err && exit 70 || test $? -eq 3
        {sharpen} runs list --json > ../list.json
        mount -o remount,size=100m .sharpen
        run=$({sys.executable} -c 'import json; print(json.load(open("../list.json"))["runs"][0]["run_id"])')
        {sharpen} resume $run --json > ../2.out 2> ../2.err
        cp .sharpen/sharpen.db* ..
    """
    subprocess.run([*IN_A_NAMESPACE, script], check=True)
    (message,) = (tmp_path / "1.err").read_text("utf-8").splitlines()
    assert "its results cannot be saved (" in message
    assert "there is no space left for it; free some and resume (" in message
    lost = answers_lost(message)
    assert lost <= 8
    assert len(server.calls) == CASES + lost
    resumed = json.loads((tmp_path / "2.out").read_text("utf-8"))
    assert resumed["run"]["statistics"]["succeeded_tasks"] == CASES

    code, whole = spawner.run(directory, "run", "plan.json", "--json")
    assert code == 0, whole.err
    assert without_times(json.loads(whole.out)) == without_times(resumed)

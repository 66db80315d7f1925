"""Real processes: closed pipes, signals, kills, other encodings. Each costs a second, so there are few."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_kit import routing_plan

from servers.faulty import FaultyServer, Received, Reply, chat
from sharpen.executor.models import RunStatus
from sharpen.storage.records import RunSummary
from sharpen.wiring import open_store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")

COMMAND = [sys.executable, "-c", "from sharpen.cli.main import main; main()"]
TIMEOUT_S = 60


@pytest.fixture
def project(tmp_path: Path, openai_server: FaultyServer) -> Path:
    """A plan of 30 cases on a server that answers after 50 ms, two calls at a time."""
    openai_server.script(answer)
    openai_server.delay_s = 0.05
    plan = routing_plan(30) | {
        "target": {"kind": "openai", "model": "m", "base_url": openai_server.base_url},
        "execution": {"concurrency": 2, "cache": False},
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan), "utf-8")
    return tmp_path


def answer(received: Received) -> Reply:
    return chat("billing")


def start(directory: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=directory,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        encoding=options.pop("encoding", "utf-8"),
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"} | options.pop("env", {}),
    )


def run(directory: Path, *arguments: str, **options: Any) -> tuple[int, str, str]:
    process = start(directory, *arguments, **options)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def runs(directory: Path) -> Sequence[RunSummary]:
    with open_store(plan=directory / "plan.yaml") as store:
        return store.runs.list()


def test_ctrl_c_drains_and_resume_completes(project: Path, openai_server: FaultyServer) -> None:
    process = start(project, "run", "plan.yaml")
    wait_until(lambda: len(openai_server.requests) >= 5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 3
    called = len(openai_server.requests)
    assert called < 30
    assert f"{30 - called} did not run" in out
    assert "interrupted by SIGINT: the calls under way are finished first; once more stops at once\n" in err
    (stopped,) = runs(project)
    assert stopped.status is RunStatus.CANCELLED
    assert f"Go on: sharpen resume {stopped.run_id}\n" in out
    assert stopped.statistics is not None
    assert stopped.statistics.completed_tasks == called  # what was paid for is kept

    code, out, err = run(project, "resume", stopped.run_id, "--json")
    assert code == 1, err
    assert json.loads(out)["run"]["statistics"]["completed_tasks"] == 30
    assert len(openai_server.requests) == 30


def test_a_search_that_ctrl_c_stops_is_headed_so_and_goes_on(project: Path, openai_server: FaultyServer) -> None:
    process = start(project, "optimize", "plan.yaml", "-o", "report.md")
    wait_until(lambda: len(openai_server.requests) >= 33)  # the baseline takes 30
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 3
    assert out.startswith("! Unfinished: Stopped before the proof\n")
    assert "No improvement" not in out
    assert "- Stopped early: interrupted by SIGINT" in out
    assert "Go on: sharpen resume " in out
    assert "Stopped before the proof" in (project / "report.md").read_text("utf-8")


def test_ctrl_c_twice_stops_at_once(project: Path, openai_server: FaultyServer) -> None:
    openai_server.delay_s = 30
    process = start(project, "run", "plan.yaml")
    wait_until(lambda: len(openai_server.requests) >= 2)
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    while "once more stops at once" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert err.startswith("error: interrupted; results that were finished are kept")


def test_a_killed_run_is_listed_and_resumed_without_paying_twice(project: Path, openai_server: FaultyServer) -> None:
    process = start(project, "run", "plan.yaml")
    wait_until(lambda: len(openai_server.requests) >= 9)
    process.kill()
    process.communicate()
    called = len(openai_server.requests)
    (killed,) = runs(project)
    assert killed.status is RunStatus.RUNNING
    code, out, err = run(project, "runs", "show", killed.run_id, "--json")
    saved = len(json.loads(out)["run"]["task_results"])
    assert json.loads(out)["run"]["statistics"]["total_tasks"] == 30
    code, out, err = run(project, "runs", "show", killed.run_id)
    assert f" of {saved} that ran passed, {30 - saved} did not run" in out
    assert f"{saved} of 30 results were saved" in out

    code, out, err = run(project, "resume", killed.run_id, "--json")
    assert code == 1, err
    assert json.loads(out)["run"]["statistics"]["completed_tasks"] == 30
    again = len(openai_server.requests) - 30
    assert 0 <= again <= 2  # at most the calls that were in flight
    assert called < 30


def test_two_runs_share_one_store(project: Path) -> None:
    processes = [start(project, "run", "plan.yaml", "--json") for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 1, err
        assert json.loads(out)["run"]["statistics"]["completed_tasks"] == 30
    assert [found.status for found in runs(project)] == [RunStatus.COMPLETED] * 2


def test_a_reader_that_leaves_early_does_not_change_the_verdict(project: Path) -> None:
    processes = []
    for form in ((), ("--json",)):  # Rich and print answer a closed pipe differently
        reading, writing = os.pipe()
        processes.append(start(project, "run", "plan.yaml", "--quiet", *form, stdout=writing))
        os.close(writing)
        os.close(reading)
    for process in processes:
        _, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, err) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_document_for_nobody_does_not_change_the_verdict(project: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" run plan.yaml --quiet --json >&-', "sh", sys.executable, "-m", "sharpen"],
        cwd=project, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_a_message(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, err = run(tmp_path, "schema", stdout=full)
    assert (code, err) == (3, "error: the system refused to read or write: No space left on device\n")


def test_a_terminal_without_unicode(project: Path) -> None:
    code, out, err = run(project, "run", "plan.yaml", env={"PYTHONIOENCODING": "ascii"})
    assert code == 1, err
    assert out.isascii()
    assert err.isascii()
    assert "x Rules broken: 33.3% passed" in out


@pytest.mark.parametrize("encoding", ["ascii", "ascii:surrogateescape", "cp1252"])  # the second as in a C locale
def test_a_document_in_letters_that_stdout_does_not_know(project: Path, encoding: str) -> None:
    name = "prüfung ✓ 😀"
    run(project, "run", "plan.yaml", "--set", f"workflow_id={name}")
    code, out, err = run(project, "runs", "list", "--json", env={"PYTHONIOENCODING": encoding}, encoding="cp1252")
    assert (code, err) == (0, "")
    assert [found["workflow_id"] for found in json.loads(out)["runs"]] == [name]
    assert "\\u2713 \\ud83d\\ude00" in out

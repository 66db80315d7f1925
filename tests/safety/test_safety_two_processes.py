"""Two processes on one store: nothing is lost, nothing is paid for twice, nobody works on what another one does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_server import LedgerServer
from safety_kit import CASES, project, right, rows_of, run_ids, store_of, without_times
from spawner import Spawner

from sharpen.executor.models import RunStatus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork")


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_two_runs_of_one_plan_pay_once(tmp_path: Path, server: LedgerServer, spawner: Spawner) -> None:
    directory = project(tmp_path / "p", server)
    processes = [spawner.start(directory, "run", "plan.json", "--json") for _ in range(2)]  # on no store yet
    for process in processes:
        assert process.wait() == 0, process.err
    assert server.counts() == {f"Case {n}": 1 for n in range(CASES)}
    reports = [json.loads(process.out) for process in processes]
    assert [report["run"]["statistics"]["succeeded_tasks"] for report in reports] == [54, 54]
    results = [result for report in reports for result in report["run"]["task_results"]]
    assert sum(result["cached"] for result in results) == CASES
    paid = sum(result["cost"] for result in results)
    saved = sum(result["saved_cost"] for result in results)
    assert paid == pytest.approx(saved)
    assert paid > 0


def test_answers_are_waited_for_and_paid_for_when_who_pays_is_killed(
    tmp_path: Path, server: LedgerServer, spawner: Spawner
) -> None:
    directory = project(tmp_path / "p", server)
    server.delay_s = 60
    first = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(server.calls) == 8)
    second = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(run_ids(directory)) == 2)
    time.sleep(0.3)
    assert len(server.calls) == 8  # the second one waits for the answers that the first one pays for
    server.delay_s = 0.02
    first.kill()
    assert second.wait() == 0, second.err
    assert sorted(server.counts().values()) == [1] * (CASES - 8) + [2] * 8


def test_one_who_waits_for_answers_can_be_interrupted(tmp_path: Path, server: LedgerServer, spawner: Spawner) -> None:
    directory = project(tmp_path / "p", server)
    server.delay_s = 60
    first = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(server.calls) == 8)
    second = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(run_ids(directory)) == 2)
    time.sleep(0.2)
    began = time.monotonic()
    os.kill(second.pid, 2)
    assert second.wait() == 3, second.err
    assert time.monotonic() - began < 10
    first.kill()
    assert len(server.calls) == 8


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no-cache"])
def test_of_two_that_resume_one_run_one_works_and_the_other_refuses(
    tmp_path: Path, server: LedgerServer, spawner: Spawner, cache: bool
) -> None:
    directory = project(tmp_path / "p", server, cache)
    killed = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(server.calls) >= 20)
    killed.kill()
    (run_id,) = run_ids(directory)
    server.delay_s = 0.1
    processes = [spawner.start(directory, "resume", run_id, "--json") for _ in range(2)]
    codes = [process.wait() for process in processes]
    assert sorted(codes) == [0, 2]
    worked, refused = sorted(processes, key=lambda process: codes[processes.index(process)])
    assert f"process {killed.pid} on " in worked.err
    assert " worked on it and is gone: going on\n" in worked.err
    said = json.loads(refused.out)["error"]
    assert said["type"] == "LockedError"
    assert said["message"].startswith(f"run '{run_id}' is being worked on by process {worked.pid} on ")
    assert said["message"].endswith("; wait for it or stop it")
    assert f"error: {said['message']}\n" in refused.err
    assert "is gone" not in refused.err
    assert json.loads(worked.out)["run"]["statistics"]["completed_tasks"] == CASES
    assert sum(count - 1 for count in server.counts().values()) <= 8
    code, again = spawner.run(directory, "resume", run_id, "--json")  # nothing is left to do, nobody to take over from
    assert code == 0
    assert "is gone" not in again.err
    assert without_times(json.loads(again.out)) == without_times(json.loads(worked.out))


def test_a_run_under_way_cannot_be_resumed(tmp_path: Path, server: LedgerServer, spawner: Spawner) -> None:
    directory = project(tmp_path / "p", server)
    server.delay_s = 0.1
    running = spawner.start(directory, "run", "plan.json", "--json")
    wait_until(lambda: len(server.calls) >= 5)
    (run_id,) = run_ids(directory)
    code, refused = spawner.run(directory, "resume", run_id)
    assert code == 2
    assert refused.err.startswith(f"error: run '{run_id}' is being worked on by process {running.pid} on ")
    assert running.wait() == 0, running.err
    assert server.counts() == {f"Case {n}": 1 for n in range(CASES)}


def test_two_processes_that_write_thousands_of_results_lose_none(tmp_path: Path, spawner: Spawner) -> None:
    count = 2000
    for name in ("one", "two"):
        plan = {
            "workflow_id": name,
            "prompt": {"user": "Case {{ n }}"},
            "target": {"kind": "scripted", "default": {"output": f"{name} says 3"}},
            "dataset": [{"id": f"c{n:04}", "vars": {"n": n}} for n in range(count)],
            "assertions": [{"type": "contains", "value": "3"}],
            "execution": {"concurrency": 64, "cache": name == "one"},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(plan), "utf-8")
    processes = [spawner.start(tmp_path, "run", f"{name}.json", "--json", "--quiet") for name in ("one", "two")]
    for name, process in zip(("one", "two"), processes, strict=True):
        assert process.wait() == 0, process.err
        report = json.loads(process.out)["run"]
        assert report["statistics"]["succeeded_tasks"] == count
        rows = rows_of(tmp_path, report["run_id"])
        assert [row["output"] for row in rows] == [f"{name} says 3"] * count
    with store_of(tmp_path) as store:
        assert {run.status.value for run in store.runs.list()} == {"completed"}
        assert store.responses.count() == count


def optimizable(directory: Path) -> None:
    """A plan whose prompt can be improved."""
    queues = {"billing": "invoice", "shipping": "parcel", "technical": "crash"}
    plan = {
        "workflow_id": "w",
        "prompt": {"user": "Which queue does this message belong to?\n\n{{ message }}"},
        "target": {
            "kind": "scripted",  # says more than asked for, unless the prompt states the output format
            "rules": [
                *({"regex": f"(?s)(?=.*nswer with)(?=.*{word})", "output": queue} for queue, word in queues.items()),
                *({"contains": word, "output": f"I think it is {queue}."} for queue, word in queues.items()),
            ],
        },
        "dataset": [
            {"id": f"c{n:02}", "vars": {"message": f"My {word} number {n} is wrong."}, "expected": queue}
            for n, (queue, word) in enumerate(list(queues.items()) * 10)
        ],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "rules": {"min_success_rate": 0.9},
        "optimize": {"strategies": ["format_focus"], "budget": {"max_calls": 200}},
    }
    (directory / "plan.json").write_text(json.dumps(plan), "utf-8")


def test_two_optimizations_at_once_keep_each_prompt_once(tmp_path: Path, spawner: Spawner) -> None:
    optimizable(tmp_path)
    processes = [spawner.start(tmp_path, "optimize", "plan.json", "--json") for _ in range(3)]
    for process in processes:
        assert process.wait() == 0, process.err
    kept = [json.loads(process.out)["version"] for process in processes]
    assert len(set(map(str, kept))) == 1
    with store_of(tmp_path) as store:
        assert [version.kind for version in store.versions.list("w")] == ["baseline", "optimized"]


def test_versions_are_kept_one_process_at_a_time(tmp_path: Path, spawner: Spawner) -> None:
    optimizable(tmp_path)
    (tmp_path / ".sharpen").mkdir()
    with store_of(tmp_path) as store:

        def proved() -> bool:
            return any(run.status is RunStatus.COMPLETED for run in store.runs.list(purpose="holdout"))

        with store.locks.hold("versions:w"):
            process = spawner.start(tmp_path, "optimize", "plan.json", "--json")
            wait_until(proved)
            time.sleep(0.5)
            assert store.versions.list("w") == ()
        assert process.wait() == 0, process.err
        assert len(store.versions.list("w")) == 2


def test_right_answers_are_what_the_plan_expects() -> None:
    assert [right(f"Case {n}") for n in (0, 8)] == ["0", "1"]

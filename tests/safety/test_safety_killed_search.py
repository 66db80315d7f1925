"""``kill -9`` and Ctrl-C during ``sharpen optimize``: it goes on, and ends as the one that nobody interrupted.

One search is killed again and again, each process after a random time; between two kills it takes over what its dead
predecessors did. Asked twice may only be what was in flight at a kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_server import LedgerServer
from safety_kit import TIMES, store_of
from spawner import Spawner

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork")

KILLS, CONCURRENCY, CASES = 12, 2, 14
LATENCIES = frozenset({"avg_latency_ms", "p95_latency_ms"})


def reply(prompt: str) -> str:
    """Model and rewriter in one: ``yes`` only when the prompt asks for an answer alone."""
    if "The template:" in prompt:
        return '<message role="user">\nAnswer with yes or no alone.\n\n{{ n }}?\n</message>'
    return "yes" if "alone" in prompt else "I think so: yes"


@pytest.fixture
def server() -> Iterator[LedgerServer]:
    """A server that answers after 20 ms."""
    with LedgerServer(reply) as made:
        yield made


def project(directory: Path, server: LedgerServer, cache: bool) -> Path:
    price = {"input_usd_per_mtok": 100, "output_usd_per_mtok": 1000}
    target = {"kind": "openai", "model": "m", "base_url": server.base_url, "price": price}
    plan = {
        "workflow_id": "searched",
        "prompt": {"user": "{{ n }}?"},
        "target": target,
        "dataset": [{"id": f"c{n:02}", "vars": {"n": n}, "expected": "yes"} for n in range(CASES)],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "execution": {"concurrency": CONCURRENCY, "cache": cache},
        "rules": {"max_cost_per_request": 100},
        "optimize": {"strategies": ["rewrite", "efficiency_focus"], "rewriter": target | {"model": "r"}},
    }
    directory.mkdir()
    (directory / "plan.json").write_text(json.dumps(plan), "utf-8")
    return directory


def story(document: Any) -> Any:
    """An outcome without what differs between any two searches; floats to 12 digits: cost is summed in any order."""
    text = json.dumps(document).replace(document["run_id"], "OPT")
    return _plain(json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in (TIMES - {"run_id"}) | LATENCIES}
    if isinstance(value, float):
        return round(value, 12)
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def searches(directory: Path) -> list[str]:
    if not (directory / ".sharpen/sharpen.db").exists():
        return []
    with store_of(directory) as store:
        return [search.id for search in store.searches.list()]


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no-cache"])
def test_a_search_that_is_killed_again_and_again_ends_the_same(
    tmp_path: Path, spawner: Spawner, server: LedgerServer, cache: bool
) -> None:
    began = time.monotonic()
    code, whole = spawner.run(project(tmp_path / "whole", server, cache), "optimize", "plan.json", "--json")
    life = time.monotonic() - began
    assert code == 0, whole.err
    expected = json.loads(whole.out)
    asked = server.counts()
    assert expected["calls"] == asked.total()
    assert expected["version"] == "2.0.0"

    server.calls.clear()
    directory, rng, kills = project(tmp_path / "killed", server, cache), random.Random(3), 0
    for _ in range(KILLS):
        known = searches(directory)
        command = ["resume", known[0]] if known else ["optimize", "plan.json"]
        process = spawner.start(directory, *command, "--json")
        time.sleep(rng.uniform(0.15, 0.4) * life)
        process.kill()
        kills += 1
        if process.out:  # it was faster: its end must be the same
            break
    known = searches(directory)
    command = ["resume", known[0]] if known else ["runs", "show", _the_one(directory)]
    code, last = spawner.run(directory, *command, "--json")
    assert code == 0, last.err
    assert story(json.loads(last.out)) == story(expected)
    repeats = (server.counts() - asked).total()
    assert not asked - server.counts(), "nothing was left out"
    print(f"{kills} kills, {asked.total()} calls, {repeats} of them twice")
    assert repeats <= kills * (CONCURRENCY + 1)  # one more may be on its way into the store
    with store_of(directory) as store:
        assert [version.kind for version in store.versions.list("searched")] == ["baseline", "optimized"]
        assert store.searches.list() == ()


def _the_one(directory: Path) -> str:
    with store_of(directory) as store:
        (found,) = store.optimizations.list()
        return found.run_id


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_a_search_that_goes_on(
    tmp_path: Path, spawner: Spawner, server: LedgerServer, times: int
) -> None:
    code, whole = spawner.run(project(tmp_path / "whole", server, True), "optimize", "plan.json", "--json")
    assert code == 0, whole.err
    directory = project(tmp_path / "cut", server, True)
    server.calls.clear()
    process = spawner.start(directory, "optimize", "plan.json", "--quiet")
    while len(server.calls) < 5:
        time.sleep(0.005)
    if times == 2:
        server.delay_s = 30
        while len(server.calls) < 5 + CONCURRENCY:  # then all that is under way takes so long
            time.sleep(0.005)
    for _ in range(times):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.1)
    assert process.wait() == (3 if times == 1 else 130)
    server.delay_s = 0.02
    (search_id,) = searches(directory)
    assert f"sharpen resume {search_id}" in (process.out if times == 1 else process.err)
    code, listed = spawner.run(directory, "runs", "list")
    assert f"go on: sharpen resume {search_id}\n" in listed.out
    code, listed = spawner.run(directory, "resume", "--json", "--store", "sqlite:///.sharpen/sharpen.db")
    assert [one["id"] for one in json.loads(listed.out)["resumable"]] == [search_id]
    code, resumed = spawner.run(directory, "resume", search_id[:-1], "--json")
    assert code == 0, resumed.err
    assert story(json.loads(resumed.out)) == story(json.loads(whole.out))

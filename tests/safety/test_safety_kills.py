"""``kill -9`` at any moment: what was paid for is not paid again, and the report is that of a run nobody killed.

A real ``sharpen run`` talks to a real server, which keeps a ledger of what it was asked and when it answered, and is
killed at moments spread at random over its whole life, from before it opens its store to after its report. Then
``sharpen resume`` goes on (``sharpen run`` when there is no run yet). Asked twice may only be what was in flight: each
worker (there are ``CONCURRENCY``) saves a result before it asks for the next, so no more than so many calls.
"""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ledger_server import LedgerServer
from safety_kit import CASES, CONCURRENCY, project, right, rows_of, run_ids, without_times
from spawner import Spawner

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork")

KILLS = 30
ANSWERED_JUST_BEFORE_S = 0.5
"""An answer that left the server so long before the kill may not have been saved: it was on its way through a socket,
an event loop and a commit, on a machine that runs other things too."""


@dataclass(frozen=True)
class After:
    """So many seconds after the start: finds start-up and end, however long they take."""

    seconds: float

    def wait(self, started: float, server: LedgerServer) -> None:
        time.sleep(max(0.0, started + self.seconds - time.monotonic()))


@dataclass(frozen=True)
class Asked:
    """So many requests after the first, and a little later: finds work under way, however slow the machine is."""

    requests: int
    later_s: float

    def wait(self, started: float, server: LedgerServer) -> None:
        while len(server.calls) < min(self.requests + 1, CASES):
            assert time.monotonic() < started + 60, "it does not work"
            time.sleep(0.001)
        time.sleep(self.later_s)


Moment = After | Asked


@dataclass
class Tally:
    """What happened at the kills."""

    kills: int = 0
    before: int = 0
    after: int = 0
    requests: int = 0
    repeats: int = 0
    unanswered: int = 0
    oldest_s: float = 0.0


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no-cache"])
def test_only_calls_in_flight_are_repeated(tmp_path: Path, spawner: Spawner, cache: bool) -> None:
    with LedgerServer(right) as server:
        began = time.monotonic()
        code, whole = spawner.run(project(tmp_path / "whole", server, cache), "run", "plan.json", "--json")
        life = time.monotonic() - began
        assert code == 0, whole.err
        assert server.counts() == {f"Case {n}": 1 for n in range(CASES)}
    expected = json.loads(whole.out)
    rows = rows_of(tmp_path / "whole", expected["run"]["run_id"])
    assert len(rows) == CASES

    tally, rng = Tally(), random.Random(7)
    for number in range(KILLS):
        share = (number + rng.random()) / KILLS * 1.05  # of its life, or of its work
        with LedgerServer(right) as server:
            directory = project(tmp_path / f"killed-{number}", server, cache)
            moment: Moment = After(share * life) if number % 2 else Asked(int(share * CASES), rng.uniform(0, 0.02))
            finished = killed_and_resumed(directory, server, spawner, moment, tally)
        assert without_times(finished) == without_times(expected), f"killed {moment}"
        assert rows_of(directory, finished["run"]["run_id"]) == rows
    print(tally)
    assert tally.kills == KILLS
    assert tally.before >= 1
    assert tally.kills - tally.before - tally.after >= KILLS / 4  # most of the rest had calls in flight


def killed_and_resumed(directory: Path, server: LedgerServer, spawner: Spawner, moment: Moment, tally: Tally) -> Any:
    """Kill a run at a moment, go on, and look into the ledger. The final report."""
    process = spawner.start(directory, "run", "plan.json", "--json")
    moment.wait(process.started, server)
    killed_at = process.kill()
    first = server.counts()
    runs = run_ids(directory)
    assert len(runs) == 1 if first else len(runs) <= 1  # nothing is asked before the run is known
    unfinished = bool(runs) and sum(first.values()) < CASES
    code, again = spawner.run(directory, *(["resume", runs[0]] if runs else ["run", "plan.json"]), "--json")
    assert code == 0, again.err
    if unfinished:
        assert again.err.startswith(f"process {process.pid} on ")
        assert "worked on it and is gone: going on\n" in again.err

    counts = server.counts()
    assert set(counts) == {f"Case {n}" for n in range(CASES)}
    repeats = {prompt for prompt, count in counts.items() if count > 1}
    assert len(repeats) <= CONCURRENCY
    assert sum(counts.values()) == CASES + len(repeats)  # never three times
    for call in server.calls:
        if call.prompt in repeats and call.arrived <= killed_at and call.answered is not None:
            age = killed_at - call.answered
            assert age < ANSWERED_JUST_BEFORE_S, f"{call.prompt} was answered {age:.3f} s before the kill"
            tally.oldest_s = max(tally.oldest_s, age)
        elif call.prompt in repeats and call.arrived <= killed_at:
            tally.unanswered += 1
    tally.kills += 1
    tally.before += not first
    tally.after += sum(first.values()) >= CASES
    tally.requests += sum(counts.values())
    tally.repeats += len(repeats)
    assert len(run_ids(directory)) == 1
    return json.loads(again.out)

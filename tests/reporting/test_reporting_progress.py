"""Progress: what the live display says of limits, retries and the time left, and what counting costs."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from factories import STARTED, make_statistics, make_task
from sharpen.executor.limits import LimiterState
from sharpen.executor.models import TaskResult, TaskStatus
from sharpen.executor.ports import RunStart
from sharpen.reporting import progress_text
from sharpen.reporting.progress import RunProgress
from sharpen.reporting.tally import RECENT_S, LatencySketch, Tally

STATE = LimiterState(in_flight=12, waiting=3, concurrency=64, max_concurrency=64)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(progress: RunProgress, console: Console) -> list[str]:
    lines = console.render_lines(progress, console.options, pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80, markup=False, emoji=False, highlight=False)


def start(total: int = 100, state: LimiterState | None = None) -> RunStart:
    return RunStart("r1", "triage", STARTED, total, limits=(lambda: state) if state else None)


def count(progress: RunProgress, number: int, task: TaskResult | None = None, total: int = 100) -> None:
    task = task or make_task("c")
    for n in range(1, number + 1):
        statistics = make_statistics([task] * n)
        progress.task_finished(task, statistics.model_copy(update={"total_tasks": total, "success_rate": n / total}))


def test_the_live_display_says_what_runs_what_waits_and_what_is_left(console: Console) -> None:
    clock = Clock()
    progress = RunProgress(console, clock=clock, every_s=1e9)
    state = replace(STATE, concurrency=16, rate_per_s=2.5, paused_for_s=4.2, circuit="open")
    progress.run_started(start(100, state))
    assert [" ".join(line.split()) for line in drawn(progress, console)[1:3]] == [
        "results waiting for the first answer",
        "spent 0 calls · 0 tokens · $0",
    ]
    clock.now += 10
    count(progress, 20)
    for kind in ("rate_limit", "rate_limit", "server", "timeout", "rate_limit"):
        progress.attempt_failed("c", kind, 0.5)
    progress.attempt_failed("c", "timeout", None)  # given up: no retry
    lines = drawn(progress, console)
    assert lines[0].startswith("triage ━━━━")
    assert lines[0].endswith("20/100 40 s left")
    assert lines[1:] == [
        "  results  100% passed · 2 calls/s · p95 252 ms",
        "  spent    20 calls · 1,080 tokens · $0.0020",
        "  now      12 in flight · circuit open · paused for 4.2 s · limit 16 of 64",
        "  retries  3 rate limit · 1 server · 1 timeout",
    ]
    assert all(cell_len(line) <= 80 for line in lines)


def test_a_wide_terminal_shows_all_of_the_limits() -> None:
    state = replace(STATE, concurrency=16, rate_per_s=2.5, paused_for_s=0)
    tally = Tally()
    tally.total = 1000
    assert progress_text.now(tally, state) == [
        "12 in flight",
        "limit 16 of 64",
        "at most 2.5/s",
        "3 waiting",
        "985 to come",
    ]
    assert progress_text.now(tally, STATE)[1] == "limit 64"


def test_no_forecast_before_one_can_be_known() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.total = 100
    assert tally.seconds_left(tally.recent()) is None
    clock.now += 0.1
    tally.add(make_task("c"))
    assert tally.seconds_left(tally.recent()) is None  # one answer after 0.1 s: no speed yet
    for _ in range(9):
        tally.add(make_task("c"))
    assert tally.seconds_left(tally.recent()) == pytest.approx(0.9)


def test_the_forecast_follows_the_speed_of_now() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.total = 1000
    for _ in range(60):  # 10 a second for a minute …
        clock.now += 1
        for _ in range(10):
            tally.add(make_task("c"))
        tally.recent()
    assert tally.seconds_left(tally.recent()) == pytest.approx(40)
    for _ in range(int(RECENT_S) + 2):  # … then one a second
        clock.now += 1
        tally.add(make_task("c"))
        tally.recent()
    left = 1000 - tally.done
    assert tally.seconds_left(tally.recent()) == pytest.approx(left, rel=0.05)
    clock.now += RECENT_S + 1
    tally.recent()
    clock.now += RECENT_S + 1
    assert tally.seconds_left(tally.recent()) is None  # nothing gets done: nobody knows


def test_no_forecast_when_the_rest_will_not_be_run() -> None:
    tally = Tally(Clock())
    tally.total = 10
    for _ in range(10):
        tally.add(make_task("c"))
    tally.add(make_task("x", TaskStatus.CANCELLED))
    assert tally.seconds_left(tally.overall) is None
    assert "1 not run" in progress_text.results(tally, tally.overall)


def test_a_second_run_beside_the_first_loses_nothing() -> None:
    tally = Tally(Clock())
    task = make_task("c")
    tally.add(task, make_statistics([task]))
    tally.add(task)
    assert (tally.done, tally.passed, tally.tokens, tally.cost) == (2, 2, 108, pytest.approx(0.0002))


def test_percentiles_are_right_within_the_width_of_a_bucket() -> None:
    sketch = LatencySketch()
    assert sketch.percentile(0.95) is None
    for n in range(1, 1001):
        sketch.add(n / 1000)
    assert sketch.percentile(0.95) == pytest.approx(0.95, rel=0.026)
    sketch.add(0.0)
    sketch.add(1e9)
    assert sketch.percentile(0) is not None


def test_counting_costs_next_to_nothing(console: Console) -> None:
    """2 µs a task on the event loop; the bound here leaves room for a busy machine."""
    progress = RunProgress(console, every_s=1e9)
    progress.run_started(start())
    task = make_task("c")
    statistics = make_statistics([task])
    best = min(_seconds(progress, task, statistics) for _ in range(5))
    assert best / 5_000 < 10e-6


def _seconds(progress: RunProgress, task: TaskResult, statistics: object) -> float:
    began = time.process_time()
    for _ in range(5_000):
        progress.task_finished(task, statistics)  # type: ignore[arg-type]
    return time.process_time() - began

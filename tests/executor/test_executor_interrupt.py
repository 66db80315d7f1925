"""Real signals to a real process."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sharpen.executor.interrupt import interruptible

PROGRAM = """
import asyncio, json, sys
sys.path.insert(0, {kit!r})
from executor_kit import Journal, plan, scripted
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.interrupt import interruptible
from sharpen.executor.loop import run

class Tell(Journal):
    def run_started(self, start):
        print("started", flush=True)

    def task_finished(self, result, statistics):
        if result.status == "succeeded":
            print("task", flush=True)

async def main():
    service = ExecutorService(sink=Tell(), observer=Tell())
    first = {{"case_id": "c0", "output": "x", "latency_ms": 30}}
    manifest = plan(500, scripted(first, default="x", latency_ms={latency_ms}), concurrency=4)

    def cancel(reason):
        print("draining", flush=True)
        service.cancel(reason)

    with interruptible(cancel) as interrupts:
        try:
            result = await service.execute_test_plan_async(manifest)
        finally:
            print("cleaned up", len(asyncio.all_tasks()), flush=True)
    print(json.dumps([result.status, result.stop_reason, interrupts.count, interrupts.signal.name,
                      result.statistics.succeeded_tasks, result.statistics.cancelled_tasks]))

try:
    if {uvloop}:
        run(main())
    else:
        asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(130)
"""


def start(latency_ms: int, uvloop: bool = True) -> subprocess.Popen[str]:
    program = PROGRAM.format(kit=str(Path(__file__).parent), latency_ms=latency_ms, uvloop=uvloop)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def await_lines(process: subprocess.Popen[str], *lines: str) -> None:
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in lines] == [f"{line}\n" for line in lines]


@pytest.mark.parametrize(("uvloop", "number"), [(True, signal.SIGINT), (False, signal.SIGTERM)])
def test_the_first_signal_drains_and_marks_the_rest_cancelled(uvloop: bool, number: signal.Signals) -> None:
    process = start(latency_ms=30, uvloop=uvloop)
    await_lines(process, "started", *["task"] * 4)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    status, reason, count, name, succeeded, cancelled = json.loads(out.splitlines()[-1])
    assert (status, reason, count, name) == ("cancelled", f"interrupted by {number.name}", 1, number.name)
    assert succeeded + cancelled == 500
    assert 4 <= succeeded < 100


@pytest.mark.parametrize("uvloop", [True, False])
def test_the_second_signal_stops_at_once(uvloop: bool) -> None:
    process = start(latency_ms=60_000, uvloop=uvloop)
    await_lines(process, "started", "task")  # so that other calls are under way
    process.send_signal(signal.SIGINT)
    await_lines(process, "draining")
    time.sleep(0.1)
    assert process.poll() is None  # calls under way are waited for
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "")
    assert out.splitlines() == ["cleaned up 1", "interrupted"]


async def test_both_steps_within_this_process() -> None:
    reasons: list[str] = []
    with pytest.raises(KeyboardInterrupt), interruptible(reasons.append) as interrupts:  # noqa: PT012 - both steps
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.01)
        assert (reasons, interrupts.count, interrupts.signal) == (["interrupted by SIGTERM"], 1, signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(10)
    assert (len(reasons), interrupts.count, interrupts.signal) == (1, 2, signal.SIGTERM)
    await asyncio.sleep(0)  # the task is not left cancelled


async def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible(lambda reason: None) as interrupts:
        assert signal.getsignal(signal.SIGINT) != before[0]
        assert interrupts.count == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_any_other_cancellation_stays_one() -> None:
    async def block() -> None:
        with interruptible(lambda reason: None):
            await asyncio.sleep(60)

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_outside_the_main_thread_nothing_changes() -> None:
    seen = []

    async def block() -> None:
        with interruptible(lambda reason: None) as interrupts:
            seen.append((interrupts.count, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: asyncio.run(block()))
    thread.start()
    thread.join()
    assert seen == [(0, before)]

"""What it costs to turn a result of 100,000 tasks into a report and a decision, against the run's own CPU.

python benchmarks/conversion.py [--tasks 100000] [--runs 3] [--save]

Two figures: what the real command spends after its last task (conversion, static analysis, decision), and the library's
own calls, `TestExecutionReport.from_executor_result(result)` and `OptimizerService().decide(…)`, on a whole result in
memory with every status and error kind in it. Both over the CPU that the run of as many cases used.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import child, judged, median, sharpen_run, table, write_plan
from results import run_section
from server import serving

GOAL = 0.05
TASKS = 100_000


def whole_result(tasks: int) -> Any:
    """A result as the executor hands it out: 96 % succeed, the rest fails in all the ways there are."""
    from sharpen.assertions.base import AssertionResult
    from sharpen.errors import ErrorKind
    from sharpen.executor.models import RunExecutionResult, RunStatistics, TaskError, TaskResult, TaskStatus

    passed = AssertionResult(type="equals", passed=True, score=1.0)
    bad = [
        (TaskStatus.FAILED, ErrorKind.ASSERTION), (TaskStatus.TIMEOUT, ErrorKind.TIMEOUT),
        (TaskStatus.ERROR, ErrorKind.SERVER), (TaskStatus.ERROR, ErrorKind.RATE_LIMIT),
    ]  # fmt: skip

    def task(n: int) -> Any:
        status, kind = bad[n // 25 % 4] if n % 25 == 0 else (TaskStatus.SUCCEEDED, None)
        return TaskResult(
            task_id=f"c{n:07d}", case_id=f"c{n:07d}", status=status, execution_time=0.1 + (n * 7919 % 1000) / 5000,
            attempts=1, prompt_tokens=12, completion_tokens=1, total_tokens=13, cost=0.000014, output="yes",
            score=1.0 if kind is None else None, assertion_results=(passed,) if kind is None else (),
            error=TaskError(kind=kind, message="as scripted") if kind else None,
        )  # fmt: skip

    results = tuple(task(n) for n in range(tasks))
    by = {status: sum(result.status is status for result in results) for status in TaskStatus}
    started = datetime(2026, 1, 1, tzinfo=UTC)
    statistics = RunStatistics(
        total_tasks=tasks, completed_tasks=tasks, succeeded_tasks=by[TaskStatus.SUCCEEDED],
        failed_tasks=by[TaskStatus.FAILED], timeout_tasks=by[TaskStatus.TIMEOUT], error_tasks=by[TaskStatus.ERROR],
        success_rate=by[TaskStatus.SUCCEEDED] / tasks,
        avg_execution_time=sum(result.execution_time for result in results) / tasks,
        total_tokens=13 * tasks, total_cost=0.000014 * tasks,
    )  # fmt: skip
    return RunExecutionResult(
        run_id="bench", workflow_id="bench", started_at=started, finished_at=started + timedelta(minutes=1),
        statistics=statistics, task_results=results,
    )  # fmt: skip


def convert(tasks: int) -> dict[str, float]:
    """CPU seconds of the library's calls; the second time, so that no import is counted."""
    from sharpen.optimizer.models import Prompt, TestExecutionReport
    from sharpen.optimizer.optimizer_service import OptimizerService, analyze_prompt

    analysis = analyze_prompt(Prompt(id="bench", workflow_id="bench", messages=[{"role": "user", "content": "Fine?"}]))
    service, spent = OptimizerService(), {}
    for result in (whole_result(10), whole_result(tasks)):
        began = time.process_time()
        report = TestExecutionReport.from_executor_result(result)
        converted = time.process_time()
        service.decide(analysis, report)
        spent = {"convert_cpu_s": converted - began, "decide_cpu_s": time.process_time() - converted}
    return spent


def measure(runs: int = 3, tasks: int = TASKS, scale: dict[str, Any] | None = None) -> dict[str, Any]:
    """``scale``: what `scale.measure` found, so that runs of as many cases are not repeated."""
    command = [run for run in (scale or {"runs": []})["runs"] if run["cases"] == tasks]
    if not command:
        with tempfile.TemporaryDirectory() as name, serving() as server:
            plan = write_plan(Path(name), server.base_url, tasks, 64)
            command = [sharpen_run(plan, Path(name) / f"{n}.db", warm_up=0) for n in range(runs)]
    library = [child("conversion.py", "--library", "--tasks", str(tasks)) for _ in range(runs)]
    kept = [{key: run.get(key) for key in ("run_cpu_s", "tell_cpu_s")} for run in command]
    return {"tasks": tasks, "command": kept, "library": library}


def render(data: dict[str, Any]) -> str:
    run = median(run["run_cpu_s"] for run in data["command"])
    tells = [run["tell_cpu_s"] for run in data["command"] if run["tell_cpu_s"] is not None]
    convert_s, decide_s = (median(one[key] for one in data["library"]) for key in ("convert_cpu_s", "decide_cpu_s"))

    def row(name: str, seconds: float) -> list[str]:
        share = seconds / run
        return [name, f"{1000 * seconds:,.0f}", f"{share:.2%}", f"≤ {GOAL:.0%}: {judged(share, '≤', GOAL)}"]

    rows = [row("library: conversion + decision of the whole result", convert_s + decide_s)]
    if tells:
        rows.append(row("command: everything after the last task", median(tells)))
    head = (f"{data['tasks']:,} tasks (the run: {run:.1f} s of CPU)", "CPU ms", "share", "goal")
    return table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    parser.add_argument("--library", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        print(json.dumps(convert(options.tasks)))
    else:
        run_section("conversion", keep=options.save, runs=options.runs, tasks=options.tasks)


if __name__ == "__main__":
    main()

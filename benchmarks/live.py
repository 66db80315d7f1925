"""Searches on the embedded model, live: `sharpen optimize` from a careless prompt, on three tasks.

python benchmarks/live.py [--runs 3] [--save]

The tasks are those of `search/` on which no policy was tuned, with the whole command as a user gets it: baseline,
search, proof on held-out cases and a new version, nothing recorded, no cache from before. Two minutes each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from common import table
from results import benchmark_main
from search.tasks import HELD_OUT, Task, load_task

CASES = {"train": 50, "dev": 50, "holdout": 60}
"""So many of each of the task's parts; `sharpen optimize` is given them all and splits them by itself."""

MAX_CALLS = 480
"""Baseline, search and proof together, as in `make demo`."""


def plan_of(task: Task) -> dict[str, Any]:
    """The task as a user would write it down: the careless prompt, the cases and one strict assertion."""
    cases = [case for split, number in CASES.items() for case in task.cases[split][:number]]
    right: Any = {task.json_key: "{{ expected }}"} if task.kind == "json" else "{{ expected }}"
    return {
        "workflow_id": task.name,
        "prompt": {"user": f"{task.seed}\n\n{task.block.replace('{input}', '{{ input }}')}"},
        "target": {"kind": "local", "params": {"temperature": 0, "max_tokens": task.max_tokens, "stop": ["\n"]}},
        "dataset": [{"id": case.id, "vars": {"input": case.input}, "expected": case.target} for case in cases],
        "assertions": [{"type": "equals", "value": right, "transform": "strip"}],
        "execution": {"concurrency": 64},
        "optimize": {"budget": {"max_calls": MAX_CALLS}},
    }


def optimize(task: Task) -> dict[str, Any]:
    """One search in an empty directory, and what it said of itself."""
    with tempfile.TemporaryDirectory() as name:
        plan = Path(name) / "plan.yaml"
        plan.write_text(yaml.safe_dump(plan_of(task), allow_unicode=True, sort_keys=False))
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "sharpen", "optimize", str(plan), "--json", "--quiet"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        took_s = time.perf_counter() - started
    if done.returncode not in (0, 1):  # 1: better or not, the rules of the plan do not hold yet
        raise RuntimeError(f"{task.name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    proof = told["verification"]
    return {
        "seconds": took_s,
        "calls": told["calls"],
        "tokens": told["tokens"],
        "baseline": told["baseline"]["success_rate"],
        "version": told["version"],
        "strategy": next((each["strategy"] for each in told["candidates"] if each["status"] == "winner"), None),
        "proof": proof and {
            "accepted": proof["accepted"],
            "cases": proof["holdout_cases"],
            "before": proof["baseline"]["success_rate"],
            "after": proof["candidate"]["success_rate"],
            "low": proof["effect_low"],
            "high": proof["effect_high"],
            "p_value": proof["p_value"],
        },
    }  # fmt: skip


def measure(runs: int = 1) -> dict[str, Any]:
    """What came of each search, by task."""
    return {"tasks": {name: [optimize(load_task(name)) for _ in range(runs)] for name in HELD_OUT}}


def render(data: dict[str, Any]) -> str:
    rows = []
    for name, runs in data["tasks"].items():
        for run in runs:
            proof = run["proof"]
            rates = proof and f"{proof['before']:.0%} → {proof['after']:.0%} of {proof['cases']}"
            rows.append(
                [
                    name,
                    rates or "nothing to prove",
                    f"{100 * proof['low']:+.0f} to {100 * proof['high']:+.0f} points" if proof else "–",
                    f"{proof['p_value']:.2g}" if proof else "–",
                    f"yes: {run['version']}" if run["version"] else "no",
                    run["strategy"] or "–",
                    f"{run['calls']:,}", f"{run['tokens']:,}", f"{run['seconds']:.0f} s",
                ]
            )  # fmt: skip
    head = ("task", "held-out cases", "95 % interval", "p", "proved", "by", "calls", "tokens", "wall time")
    return table(head, rows)


if __name__ == "__main__":
    benchmark_main("live", __doc__)

"""Cases a second against a server that answers at once: a whole `sharpen run` and the bare loop, in turn.

python benchmarks/throughput.py [--runs 3] [--save]

Each pair is floor, then sharpen, so that a drifting machine hits both; each in a fresh process, warmed up by 64 cases.
sharpen's time is that of `run_plan` in the real command: data set read, prompts rendered, answers graded and priced,
every result durable in SQLite (fsync), statistics, live progress on a terminal, report and decision.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import child, judged, median, sharpen_run, table, write_plan
from results import benchmark_main
from server import RunningServer, serving

GOAL = 0.5
SIZES = (2_000, 10_000)
CONCURRENCY = (64, 256)


def pair(server: RunningServer, directory: Path, cases: int, concurrency: int, number: int) -> dict[str, float]:
    """One run of each, the floor first."""
    before = server.stats()
    bare = child("floor.py", server.base_url, "--cases", str(cases), "--concurrency", str(concurrency))
    between = server.stats()
    plan = write_plan(directory, server.base_url, cases, concurrency)
    ours = sharpen_run(plan, directory / f"{cases}-{concurrency}-{number}.db")
    served = between["requests"] - before["requests"]
    return {
        "floor_s": bare["run_s"], "floor_cpu_s": bare["run_cpu_s"],
        "sharpen_s": ours["run_s"], "sharpen_cpu_s": ours["run_cpu_s"], "command_s": ours["command_s"],
        "server_cpu_us": 1e6 * (between["cpu_s"] - before["cpu_s"]) / served,
    }  # fmt: skip


def setting(kind: str, cases: int, concurrency: int, runs: int) -> dict[str, Any]:
    """So many pairs on one kind of server."""
    with tempfile.TemporaryDirectory() as directory, serving(kind=kind) as server:
        pairs = [pair(server, Path(directory), cases, concurrency, number) for number in range(runs)]
    return {"server": kind, "cases": cases, "concurrency": concurrency, "pairs": pairs}


def measure(runs: int = 3) -> dict[str, Any]:
    """The four settings on the fast server, and one on the plain one."""
    settings = [setting("fast", cases, at_once, runs) for cases in SIZES for at_once in CONCURRENCY]
    return {"settings": [*settings, setting("plain", SIZES[0], CONCURRENCY[0], runs)]}


def render(data: dict[str, Any]) -> str:
    rows = []
    for s in data["settings"]:
        floor, ours, floor_cpu, ours_cpu, server = (
            median(pair[key] for pair in s["pairs"])
            for key in ("floor_s", "sharpen_s", "floor_cpu_s", "sharpen_cpu_s", "server_cpu_us")
        )
        cases = s["cases"]
        ratios = [pair["floor_s"] / pair["sharpen_s"] for pair in s["pairs"]]
        ratio = median(ratios)
        rows.append(
            [
                f"{s['server']}, {cases:,} cases, {s['concurrency']} at once",
                f"{cases / floor:,.0f}", f"{cases / ours:,.0f}", f"{ratio:.2f}", ", ".join(f"{r:.2f}" for r in ratios),
                f"≥ {GOAL}: {judged(ratio, '≥', GOAL)}",
                f"{1e6 * floor_cpu / cases:,.0f}", f"{1e6 * ours_cpu / cases:,.0f}", f"{floor_cpu / ours_cpu:.2f}",
                f"{server:,.0f}",
            ]
        )  # fmt: skip
    head = (
        "server, size", "bare aiohttp loop, cases/s", "sharpen run, cases/s", "ratio", "pair by pair", "goal",
        "bare loop, CPU µs a case", "sharpen, CPU µs a case", "ratio of CPU", "server, CPU µs a request",
    )  # fmt: skip
    return table(head, rows)


if __name__ == "__main__":
    benchmark_main("throughput", __doc__)

"""Many cases streamed from a JSONL file through the real command: time, memory, store, and exact percentiles.

python benchmarks/scale.py [--runs 3] [--full] [--save] [--sizes 10000 100000]

`--full` adds 1,000,000 cases (once; it takes minutes). Memory is the resident set of the command's process, sampled
four times a second, and its peak as the system counted it. The store is the SQLite file after the command has ended,
everything in it: results, cases, runs. The percentiles that the command reported are compared with those of the times
in the store, recomputed here by nearest rank over the whole sorted list.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from common import HERE, judged, median, memory_of, run_process, table, write_plan
from results import run_section
from server import serving

SIZES = (10_000, 100_000)
FULL = 1_000_000
CONCURRENCY = 64
MAX_RSS = 400 * 10**6
MAX_BYTES_A_CASE = 600
FLAT = 1.1
"""Memory of the largest run over that of the one before it: up to so much is flat."""
CURVE = 20


def measure(runs: int = 3, full: bool = False, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Each size so many times, the full size once."""
    todo = [(size, runs) for size in sizes] + ([(FULL, 1)] if full else [])
    found = []
    with serving() as server:
        for size, times in todo:
            for _ in range(times):
                found.append(one(server.base_url, size))
                last = found[-1]
                print(f"  {size:,} cases: {last['seconds']:.1f} s, peak {last['peak_rss'] / 1e6:.0f} MB", flush=True)
    return {"concurrency": CONCURRENCY, "runs": found}


def one(base_url: str, cases: int) -> dict[str, Any]:
    """One run of the command on a new store."""
    with tempfile.TemporaryDirectory() as name:
        plan, store = write_plan(Path(name), base_url, cases, CONCURRENCY), Path(name) / "store.db"
        samples: list[tuple[float, int]] = []
        started = time.perf_counter()

        def watch(pid: int) -> None:
            if (memory := memory_of(pid)) is not None:
                samples.append((time.perf_counter() - started, memory))

        command = [sys.executable, str(HERE / "command.py"), "run", str(plan), "--store", f"sqlite:///{store}"]
        ended = run_process(command, terminal=True, watch=watch)
        told = ended.json
        return {
            "cases": cases,
            "seconds": told["run_s"], "command_s": told["command_s"], "cpu_s": ended.cpu_s,
            "run_cpu_s": told["run_cpu_s"], "tell_cpu_s": told.get("tell_cpu_s"),
            "peak_rss": ended.peak_rss, "rss": _curve(samples),
            "store_bytes": sum(path.stat().st_size for path in Path(name).glob("store.db*")),
            "percentiles": _percentiles(store, told["report"]),
        }  # fmt: skip


def _curve(samples: list[tuple[float, int]]) -> list[int]:
    """At most ``CURVE`` samples at even distances, in bytes."""
    step = max(1, len(samples) // CURVE)
    return [memory for _, memory in samples[::step]]


def _percentiles(store: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Reported and recomputed, in ms."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        query = "SELECT execution_time FROM results WHERE status IN ('succeeded', 'failed', 'timeout', 'error')"
        times = sorted(row[0] for row in connection.execute(query))
    found: dict[str, Any] = {"times": len(times)}
    for percent in (95, 99):
        exact = 1000 * times[math.ceil(percent / 100 * len(times)) - 1]
        reported = report[f"p{percent}_response_time_ms"]
        found[f"p{percent}_ms"] = {"reported": reported, "recomputed": exact}
    return found


def is_exact(percentiles: dict[str, Any], cases: int) -> bool:
    """Equal up to the last digits of a float (seconds against milliseconds), over all cases."""
    pairs = [percentiles["p95_ms"], percentiles["p99_ms"]]
    return percentiles["times"] == cases and all(
        p["reported"] is not None and math.isclose(p["reported"], p["recomputed"], rel_tol=1e-9) for p in pairs
    )


def render(data: dict[str, Any]) -> str:
    by_size: dict[int, list[dict[str, Any]]] = {}
    for run in data["runs"]:
        by_size.setdefault(run["cases"], []).append(run)
    rows, said = [], []
    for cases, runs in by_size.items():
        seconds, rss, store = (median(run[key] for run in runs) for key in ("seconds", "peak_rss", "store_bytes"))
        exact = all(is_exact(run["percentiles"], cases) for run in runs)
        rows.append(
            [
                f"{cases:,}", len(runs), f"{seconds:,.1f}", f"{1e6 * seconds / cases:,.0f}",
                f"{1e6 * median(run['cpu_s'] for run in runs) / cases:,.0f}",
                f"{rss / 1e6:,.0f} MB ({judged(rss, '≤', MAX_RSS)})",
                f"{store / cases:,.0f} ({judged(store / cases, '≤', MAX_BYTES_A_CASE)})",
                "exact" if exact else "**differ**",
            ]
        )  # fmt: skip
        curve = runs[-1]["rss"]
        said.append(f"- {cases:,} cases, resident MB over time: {', '.join(f'{m / 1e6:.0f}' for m in curve)}")
    sizes = sorted(by_size)
    for small, large in itertools.pairwise(sizes):
        times, cpu = (
            [median(run[key] for run in by_size[size]) / size for size in (small, large)]
            for key in ("seconds", "cpu_s")
        )
        peaks = [median(run["peak_rss"] for run in by_size[size]) for size in (small, large)]
        flat = f"; goal ≤ {FLAT}: {judged(peaks[1] / peaks[0], '≤', FLAT)}" if small >= 100_000 else ""
        said.append(
            f"- From {small:,} to {large:,} cases: time a case × {times[1] / times[0]:.2f}, CPU a case × "
            f"{cpu[1] / cpu[0]:.2f} (1.00 is linear, less where the start-up is spread over more cases), "
            f"peak memory × {peaks[1] / peaks[0]:.2f}{flat}."
        )
    if FULL not in by_size:
        said.append(f"- {FULL:,} cases: not measured here (`--full`).")
    head = (
        "cases", "runs", "seconds", "µs a case", "CPU µs a case", f"peak memory (≤ {MAX_RSS / 1e6:.0f} MB)",
        f"store, bytes a case (≤ {MAX_BYTES_A_CASE})", "p95, p99",
    )  # fmt: skip
    return table(head, rows) + "\n\n" + "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--full", action="store_true", help=f"also {FULL:,} cases, once")
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    options = parser.parse_args()
    run_section("scale", keep=options.save, runs=options.runs, full=options.full, sizes=tuple(options.sizes))


if __name__ == "__main__":
    main()

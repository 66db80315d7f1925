"""How much of the server's time is used: a server that takes 100 ms for every answer, 64 and 256 calls in flight.

python benchmarks/efficiency.py [--runs 3] [--save]

The ideal is concurrency / latency; the share is ideal time / time taken, from the first case read to the decision.
The bare aiohttp loop runs beside it, in turn: what it misses, timers and transport miss. All calls start together, so
that in the first rounds the answers come in bursts and wait for one another; that start is part of what is measured
(``ROUNDS`` answers for each slot, ten seconds).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import child, judged, median, sharpen_run, table, write_plan
from results import benchmark_main
from server import serving

LATENCY_MS = 100
ROUNDS = 100
GOALS = {64: 0.95, 256: 0.90}


def measure(runs: int = 3) -> dict[str, Any]:
    """Shares of the ideal for both, by concurrency; ``ROUNDS`` answers for each slot."""
    settings = []
    with tempfile.TemporaryDirectory() as name, serving(LATENCY_MS) as server:
        for concurrency in GOALS:
            cases, ideal = concurrency * ROUNDS, ROUNDS * LATENCY_MS / 1000
            pairs = []
            for number in range(runs):
                bare = child("floor.py", server.base_url, "--cases", str(cases), "--concurrency", str(concurrency))
                plan = write_plan(Path(name), server.base_url, cases, concurrency)
                ours = sharpen_run(plan, Path(name) / f"{concurrency}-{number}.db")
                pairs.append({"floor": ideal / bare["run_s"], "sharpen": ideal / ours["run_s"]})
            settings.append({"concurrency": concurrency, "cases": cases, "pairs": pairs})
    return {"latency_ms": LATENCY_MS, "settings": settings}


def render(data: dict[str, Any]) -> str:
    rows = []
    for s in data["settings"]:
        floor, ours = (median(pair[key] for pair in s["pairs"]) for key in ("floor", "sharpen"))
        goal = GOALS[s["concurrency"]]
        rows.append(
            [
                f"{s['concurrency']} in flight, {s['cases']:,} cases",
                f"{1000 * s['concurrency'] / data['latency_ms']:,.0f}",
                f"{floor:.1%}", f"{ours:.1%}", ", ".join(f"{pair['sharpen']:.1%}" for pair in s["pairs"]),
                f"≥ {goal:.0%}: {judged(ours, '≥', goal)}",
            ]
        )  # fmt: skip
    head = ("server of 100 ms", "ideal, cases/s", "bare aiohttp loop", "sharpen run", "run by run", "goal")
    return table(head, rows)


if __name__ == "__main__":
    benchmark_main("efficiency", __doc__)

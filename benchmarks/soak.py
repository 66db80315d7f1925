"""Mixed faults for a long time: are memory, descriptors, threads and tasks flat, and is every call accounted for?

python benchmarks/soak.py --minutes 30 [--save]        also `make soak MINUTES=30`; may run in the background (nice 10)

Two processes work on one store and one faulty server (`faulty_server.py`): a long run, streamed from a file, which is
interrupted by SIGINT when the time is up and drains; and short runs of 200 cases, one after another in one process.
Both sample themselves. Flat means: between the first and the last third of the samples after a warm-up, the median of
what is open grows by at most ``SLACK``, resident memory by at most 5 % or 10 MB, whichever is more; and at rest,
between short runs, no descriptor, thread or task is left.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from common import HERE, judged, median, run_process, table, write_plan
from faulty_server import SHARES
from results import run_section
from server import running

CONCURRENCY = 32
LATENCY_MS = 100
TIMEOUT_S = 2
SHORT_CASES = 200
WARM_UP_SHARE = 0.15
SLACK = {"fds": 4, "threads": 1, "tasks": 4}
RSS_SHARE, RSS_BYTES = 0.05, 10 * 10**6
UNITS = {"rss": "resident memory, MB", "fds": "open descriptors", "threads": "threads", "tasks": "asyncio tasks"}


def measure(minutes: float = 30, every_s: float = 5, seed: int = 0) -> dict[str, Any]:
    """Both processes side by side; what they sampled, what the server saw, what the store holds."""
    seconds, ended = 60 * minutes, {}
    faulty = ("--latency-ms", str(LATENCY_MS), "--seed", str(seed))
    with tempfile.TemporaryDirectory() as name, running(*faulty, script=HERE / "faulty_server.py") as server:
        directory, store = Path(name), Path(name) / "store.db"
        enough = int(1.2 * seconds * 1000 / LATENCY_MS * CONCURRENCY)  # more than can be answered in that time
        resilient = {"timeout_s": TIMEOUT_S, "max_retries": 5}
        long = write_plan(directory, server.base_url, enough, CONCURRENCY, **resilient)
        short = write_plan(directory, server.base_url, SHORT_CASES, CONCURRENCY // 2, **resilient)

        def watched(kind: str, plan: Path, *arguments: str, stop: bool) -> None:
            deadline, told = time.monotonic() + seconds, False

            def watch(pid: int) -> None:
                nonlocal told
                if stop and not told and time.monotonic() >= deadline:
                    os.kill(pid, signal.SIGINT)
                    told = True

            script = [sys.executable, str(HERE / "soaked.py"), "--samples", f"{name}/{kind}.jsonl", *arguments]
            command = [*script, "--every", str(every_s), "run", str(plan), "--store", f"sqlite:///{store}"]
            ended[kind] = run_process(command, terminal=True, watch=watch)
            print(f"what the {kind} process said last:\n{_last_lines(ended[kind].said)}\n", flush=True)

        threads = [
            threading.Thread(target=watched, args=("long", long), kwargs={"stop": True}),
            threading.Thread(
                target=watched, args=("short", short, "--repeat-for", str(seconds)), kwargs={"stop": False}
            ),
        ]
        for thread in threads:
            thread.start()
            time.sleep(2)  # the first one makes the store
        for thread in threads:
            thread.join()
        samples = {kind: _samples(directory / f"{kind}.jsonl") for kind in ended}
        return {
            "minutes": minutes, "every_s": every_s, "shares": SHARES,
            "samples": samples, "told": {kind: end.json for kind, end in ended.items()},
            "cpu_s": {kind: end.cpu_s for kind, end in ended.items()},
            "peak_rss": {kind: end.peak_rss for kind, end in ended.items()},
            "server": server.stats(), "store": _store(store),
        }  # fmt: skip


def _last_lines(said: str, lines: int = 12) -> str:
    """The end of what was on the terminal, without its control sequences."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "\n")
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def _samples(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _store(store: Path) -> dict[str, Any]:
    """What the store says of all runs together, read past sharpen."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        ask = connection.execute
        retried: Counter[str] = Counter()
        for (text,) in ask("SELECT failed_attempts FROM results WHERE failed_attempts IS NOT NULL"):
            retried.update(attempt["kind"] for attempt in json.loads(text))
        return {
            "runs": dict(ask("SELECT status, count(*) FROM runs GROUP BY status").fetchall()),
            "results": dict(ask("SELECT status, count(*) FROM results GROUP BY status").fetchall()),
            "called": ask("SELECT count(*) FROM results WHERE attempts > 0").fetchone()[0],
            "attempts": ask("SELECT coalesce(sum(attempts), 0) FROM results").fetchone()[0],
            "errors": dict(
                ask(
                    "SELECT error_kind, count(*) FROM results WHERE error_kind IS NOT NULL AND attempts > 0 "
                    "GROUP BY error_kind"
                ).fetchall()
            ),
            "failed_attempts": dict(retried),
            "bytes": store.stat().st_size,
        }


def thirds(samples: Sequence[dict[str, Any]], key: str) -> tuple[float, float]:
    """Medians of the first and the last third of what was sampled while working, the warm-up left out."""
    working = [sample[key] for sample in samples if not sample["at_rest"] and sample[key] is not None]
    kept = working[int(WARM_UP_SHARE * len(working)) :]
    third = max(1, len(kept) // 3)
    return median(kept[:third]), median(kept[-third:])


def slope_per_hour(samples: Sequence[dict[str, Any]], key: str) -> float:
    """Least squares over the same samples, in units an hour."""
    working = [(sample["t"], sample[key]) for sample in samples if not sample["at_rest"] and sample[key] is not None]
    kept = working[int(WARM_UP_SHARE * len(working)) :]
    mean_t, mean_y = (sum(values) / len(kept) for values in zip(*kept, strict=True))
    spread = sum((t - mean_t) ** 2 for t, _ in kept)
    return 3600 * sum((t - mean_t) * (y - mean_y) for t, y in kept) / spread if spread else 0.0


def allowed(key: str, first: float) -> float:
    """Growth that still counts as flat."""
    return max(RSS_SHARE * first, RSS_BYTES) if key == "rss" else SLACK[key]


def render(data: dict[str, Any]) -> str:
    rows = []
    for kind, samples in data["samples"].items():
        for key, name in UNITS.items():
            scale = 1e6 if key == "rss" else 1
            first, last = thirds(samples, key)
            limit = allowed(key, first)
            flat = "flat" if last - first <= limit else "**grows**"
            figures = (f"{v / scale:,.1f}" for v in (first, last, slope_per_hour(samples, key)))
            rows.append([f"{kind}: {name}", *figures, f"+{limit / scale:,.1f}", flat])
    head = ("process: what", "median, first third", "last third", "slope an hour", "allowed", "verdict")
    return "\n\n".join([table(head, rows), _rest(data), _accounts(data)])


def _rest(data: dict[str, Any]) -> str:
    """What is left between short runs: the second time (all is loaded then) and the last."""
    rests = [sample for sample in data["samples"]["short"] if sample["at_rest"]]
    told = data["told"]
    said = f"{told['short']['runs']} short runs in one process (exit codes {told['short']['codes']})"
    if len(rests) < 3:
        return f"{said}: too few to compare what is left at rest."
    parts = []
    for key in ("fds", "threads", "tasks"):
        second, last = rests[1][key], rests[-1][key]
        parts.append(f"{UNITS[key]} {second} after the second, {last} after the last ({judged(last, '≤', second)})")
    return f"{said}; left at rest: {', '.join(parts)}."


def _accounts(data: dict[str, Any]) -> str:
    server, store = data["server"], data["store"]

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda c: -c[1])) or "none"

    lines = [
        f"- {data['minutes']:g} minutes, sampled every {data['every_s']:g} s; the long run ended with exit code "
        f"{data['told']['long']['codes']} after SIGINT; peak memory "
        + ", ".join(f"{kind} {peak / 1e6:.0f} MB" for kind, peak in data["peak_rss"].items()) + ".",
        f"- The server saw {server['requests']:,} calls ({listed(server['sent'])}); {server['open']} connections were "
        "still open at the end, this question's included.",
        f"- The store holds {store['called']:,} results that were called, with {store['attempts']:,} attempts: "
        f"{server['requests'] - store['attempts']:+,} calls of the server are in no result.",
        f"- Results: {listed(store['results'])}. Runs: {listed(store['runs'])}.",
        f"- Errors of results: {listed(store['errors'])}. Attempts that failed: {listed(store['failed_attempts'])}.",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=5, help="seconds between samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    options = parser.parse_args()
    os.nice(10)
    run_section("soak", keep=options.save, minutes=options.minutes, every_s=options.every, seed=options.seed)


if __name__ == "__main__":
    main()

"""All benchmarks but the peers, the searches, the proof and the soak: `make bench`.

python benchmarks/run.py [--runs 3] [--full] [--only throughput scale …] [--no-save]

Each keeps its section of results.json and RESULTS.md as soon as it is measured. `--full` adds the million cases.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from common import HERE
from results import load, run_section

PARTS = ("throughput", "efficiency", "ratelimit", "scale", "conversion", "startup", "profile_run")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="also a run of 1,000,000 cases: minutes more")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--no-save", action="store_true", help="print only")
    options = parser.parse_args()
    started = time.perf_counter()
    measured: dict[str, Any] = {}
    for part in PARTS:
        if part not in options.only:
            continue
        if part == "profile_run" and not hasattr(time, "pthread_getcpuclockid"):
            print("profile_run: this system has no CPU clock for each thread; left out")
            continue
        more: dict[str, Any] = {"runs": options.runs}
        if part == "ratelimit":
            more["runs"] = 1  # it measures what was learned in so many seconds, not what the machine can do
        elif part == "scale":
            more["full"] = options.full
        elif part == "conversion" and "scale" in measured:
            more["scale"] = measured["scale"]
        measured[part] = run_section(part, keep=not options.no_save, **more)
    print(f"{time.perf_counter() - started:.0f} s in all")
    if not options.no_save:
        print(f"kept in {(HERE / 'RESULTS.md').relative_to(HERE.parent)}: {', '.join(load())}")


if __name__ == "__main__":
    main()

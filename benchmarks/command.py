"""The `sharpen` command with a stop-watch, in a process of its own. Prints one JSON line at the end.

python benchmarks/command.py [--warm-up 64] run PLAN --store URL …

Everything is as a user gets it (same entry point, options, store, progress on stderr); only the calls in between are
timed: `run_plan` (read the cases, render, call, grade, price, store, count, show progress, report, decide) and, inside
it, what happens after the last task. stdout of the command is dropped. `--warm-up N` first runs N of the plan's cases,
so that modules are loaded and templates compiled when the clock starts.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

Timings = dict[str, Any]


def timed(name: str, function: Callable[..., Any], into: Timings) -> Callable[..., Any]:
    """``function``, which notes its seconds (clock and CPU, all threads) and keeps no result alive."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        started, cpu = time.perf_counter(), time.process_time()
        try:
            result = function(*args, **kwargs)
        finally:
            into[f"{name}_s"] = time.perf_counter() - started
            into[f"{name}_cpu_s"] = time.process_time() - cpu
        if report := getattr(result, "report", None):
            into["report"] = report.model_dump(mode="json", exclude={"metadata"})
        return result

    return watched


def invoke(arguments: list[str]) -> int:
    """The command as `sharpen` would run it; its exit code."""
    from sharpen.cli.main import main as sharpen

    sys.argv = ["sharpen", *arguments]
    try:
        with redirect_stdout(io.StringIO()):
            sharpen()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--warm-up", type=int, default=0)
    options, arguments = parser.parse_known_args()
    from sharpen import wiring
    from sharpen.wiring import running

    timings: Timings = {}
    running.tell = timed("tell", running.tell, timings)
    wiring.run_plan = timed("run", wiring.run_plan, timings)
    if options.warm_up:
        code = invoke([*arguments, "--quiet", "--set", f"dataset.limit={options.warm_up}"])
        assert code == 0, f"the warm-up ended with exit code {code}"
    timed("command", invoke, timings)(arguments)
    timings["cpu_s"] = time.process_time()  # of the whole process, interpreter and imports included
    print(json.dumps(timings))


if __name__ == "__main__":
    main()

"""Where the CPU of a run goes, by layer: a sampling profile of the real command, and of the bare loop beside it.

python benchmarks/profile_run.py [--cases 10000] [--concurrency 64] [--folded FILE] [--save]

A timer of the process's CPU time (`ITIMER_PROF`) interrupts the main thread every millisecond of CPU. What each thread
has used since the last tick (its own CPU clock) is charged to the stack it is seen in: the layer of the innermost frame
that belongs to one, so that json, asyncio, pydantic and the rest of the standard library count for their caller. Python
handles a signal between two lines: the time of C code (the event loop's polling, a socket, SQLite) counts for the line
that comes next. `--folded` writes whole stacks for any flame graph viewer (speedscope, flamegraph.pl).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from common import child, median, table, write_plan
from results import run_section
from server import serving

CASES = 10_000
CONCURRENCY = 64
TICK_S = 0.001

LAYERS = (
    ("event loop and kernel", ()),  # nothing below it is in a layer
    (
        "HTTP client",
        ("/sharpen/targets/http_", "/aiohttp/", "/yarl/", "/multidict/", "/aiosignal/", "/aiohappyeyeballs/"),
    ),
    ("target: request, answer, price", ("/sharpen/targets/", "/genai_prices/")),
    ("rendering", ("/sharpen/templating.py", "/sharpen/executor/rendering.py", "/jinja2/", "<template>")),
    ("grading", ("/sharpen/assertions/",)),
    ("store", ("/sharpen/storage/", "/sqlalchemy/", "/alembic/")),
    ("statistics", ("/sharpen/executor/statistics.py",)),
    ("progress", ("/sharpen/reporting/", "/rich/")),
    ("data set", ("/sharpen/config/",)),
    ("report and decision", ("/sharpen/optimizer/", "/sharpen/pipeline.py", "/scipy/", "/numpy/")),
    ("executor: scheduling, limits, retries, results", ("/sharpen/executor/",)),
    ("the command around it", ("/sharpen/", "/benchmarks/", "/typer/", "/click/")),
)


def layer_of(frame: FrameType) -> str:
    """The layer that the innermost recognised frame belongs to."""
    if frame.f_code.co_filename.endswith(("asyncio/runners.py", "asyncio/base_events.py", "/selectors.py")):
        return LAYERS[0][0]  # the loop runs, and no callback does
    inner: FrameType | None = frame
    while inner is not None:
        for name, parts in LAYERS:
            if any(part in inner.f_code.co_filename for part in parts):
                return name
        inner = inner.f_back
    return LAYERS[0][0]


class Sampler:
    """Charges CPU seconds to layers between ``start`` and ``stop``. Main thread only."""

    def __init__(self) -> None:
        self.layers: Counter[str] = Counter()
        self.threads: Counter[str] = Counter()
        self.folded: Counter[str] = Counter()
        self._used: dict[int, float] = {}

    def start(self) -> None:
        self._used = {thread.ident: _cpu_of(thread) for thread in threading.enumerate() if thread.ident}
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK_S, TICK_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _tick(self, _signal: int, here: FrameType | None) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            if thread.ident is None:
                continue
            used = _cpu_of(thread)
            spent, self._used[thread.ident] = used - self._used.get(thread.ident, 0.0), used
            frame = here if thread is threading.main_thread() else frames.get(thread.ident)
            if spent <= 0 or frame is None:
                continue
            name = layer_of(frame)
            self.layers[name] += spent  # type: ignore[assignment] # a Counter of seconds
            self.threads["main" if thread is threading.main_thread() else thread.name] += spent  # type: ignore[assignment]
            self.folded[_folded(frame)] += spent  # type: ignore[assignment]


def _cpu_of(thread: threading.Thread) -> float:
    assert thread.ident is not None
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    except OSError:  # it has just ended
        return 0.0


def _folded(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).stem}:{code.co_name}")
        frame = frame.f_back
    return ";".join(reversed(names))


def profile_command(arguments: list[str], warm_up: int, folded: Path | None) -> dict[str, Any]:
    """The `sharpen` command, its `run_plan` sampled."""
    from command import invoke

    from sharpen import wiring

    sampler, run_plan = Sampler(), wiring.run_plan
    cpu = 0.0

    def sampled(*args: Any, **kwargs: Any) -> Any:
        nonlocal cpu
        began = time.process_time()
        sampler.start()
        try:
            return run_plan(*args, **kwargs)
        finally:
            sampler.stop()
            cpu = time.process_time() - began

    invoke([*arguments, "--quiet", "--set", f"dataset.limit={warm_up}"])
    wiring.run_plan = sampled
    invoke(arguments)
    if folded:
        lines = (f"{stack} {round(1e6 * spent)}\n" for stack, spent in sampler.folded.most_common())
        folded.write_text("".join(lines))
    return {"cpu_s": cpu, "layers": dict(sampler.layers), "threads": dict(sampler.threads)}


def measure(
    runs: int = 3, cases: int = CASES, concurrency: int = CONCURRENCY, folded: Path | None = None
) -> dict[str, Any]:
    """So many profiles of a run, and the CPU of as many bare loops."""
    bare, profiles = [], []
    with serving() as server, tempfile.TemporaryDirectory() as name:
        plan = write_plan(Path(name), server.base_url, cases, concurrency)
        for number in range(runs):
            size = ("--cases", str(cases), "--concurrency", str(concurrency))
            bare.append(child("floor.py", server.base_url, *size)["run_cpu_s"])
            extra = ("--folded", str(folded)) if folded else ()
            store = ("--store", f"sqlite:///{name}/{number}.db")
            profiles.append(child("profile_run.py", *extra, "--child", "run", str(plan), *store, terminal=True))
    return {"cases": cases, "concurrency": concurrency, "bare_cpu_s": bare, "profiles": profiles}


def render(data: dict[str, Any]) -> str:
    cases, profiles = data["cases"], data["profiles"]
    whole = median(profile["cpu_s"] for profile in profiles)

    def of(kind: str, name: str) -> float:
        return median(profile[kind].get(name, 0.0) for profile in profiles)

    def row(name: str, seconds: float) -> list[str]:
        return [name, f"{1e6 * seconds / cases:,.0f}", f"{seconds / whole:.0%}"]

    layers = sorted({name for profile in profiles for name in profile["layers"]}, key=lambda n: -of("layers", n))
    rows = [row(name, of("layers", name)) for name in layers if of("layers", name) / whole >= 0.002]
    rows.append(row("**a whole run**", whole))
    rows.append(row("for comparison: the bare aiohttp loop, all of it", median(data["bare_cpu_s"])))
    threads = sorted({name for profile in profiles for name in profile["threads"]}, key=lambda n: -of("threads", n))
    split = ", ".join(f"{name} {of('threads', name) / whole:.0%}" for name in threads)
    head = (f"layer ({cases:,} cases, {data['concurrency']} at once)", "CPU µs a case", "share")
    return f"{table(head, rows)}\n\nBy thread: {split}. The sampling itself is in these figures."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    parser.add_argument("--folded", type=Path, help="write the stacks of the last run there")
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options, arguments = parser.parse_known_args()
    if options.child:
        print(json.dumps(profile_command(arguments, 64, options.folded)))
        return
    sizes = {"cases": options.cases, "concurrency": options.concurrency, "folded": options.folded}
    run_section("profile_run", keep=options.save, runs=options.runs, **sizes)


if __name__ == "__main__":
    main()

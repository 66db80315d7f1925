"""How long it takes until sharpen does anything, and which imports take it.

python benchmarks/startup.py [--runs 3] [--save]

Each command is started five times a run, in turn with the others and with `python -c pass`, the floor that every Python
program pays. Files are warm, and there is byte code, as pip leaves it, also where the environment forbids to write it.
The modules are timed by `python -X importtime`, which itself slows imports down: they tell shares, the first table
tells times.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from common import HERE, judged, median, table
from results import benchmark_main

PLAN = HERE.parent / "examples" / "reviews" / "plan.yaml"
STARTS = 5
TOP = 12
_MAIN = "import sys; sys.argv[0] = 'sharpen'; from sharpen.cli.main import main; main()"
COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["pass"], None),
    "import sharpen": (["import sharpen"], 150),
    "sharpen --help": ([_MAIN, "--help"], 150),
    "sharpen check": ([_MAIN, "check", str(PLAN)], 400),
}
"""Command → what `python -c` is given, and the goal in ms."""
_IMPORTED = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|\s*(\S+)")


def environment(byte_code: str) -> dict[str, str]:
    """This process's environment, with byte code kept in that directory: what pip installs is not compiled anew."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": byte_code}


def _seconds(arguments: list[str], env: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", *arguments], check=True, capture_output=True, env=env)
    return time.perf_counter() - began


def _modules(arguments: list[str], env: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Module → ms of its own, and with everything that it was first to import."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", *arguments], check=True, capture_output=True, text=True, env=env
    ).stderr
    return {name: (int(own) / 1000, int(all_) / 1000) for own, all_, name in _IMPORTED.findall(said)}


def measure(runs: int = 3) -> dict[str, Any]:
    """Milliseconds of every start; of the modules, medians over the runs."""
    with tempfile.TemporaryDirectory() as byte_code:
        return _measure(runs, environment(byte_code))


def _measure(runs: int, env: Mapping[str, str]) -> dict[str, Any]:
    for arguments, _ in COMMANDS.values():
        _seconds(arguments, env)  # byte code is written, files are in memory
    starts: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs * STARTS):
        for name, (arguments, _) in COMMANDS.items():
            starts[name].append(round(1000 * _seconds(arguments, env), 2))
    modules = {}
    for name, (arguments, goal) in COMMANDS.items():
        if goal is None:
            continue
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(runs):
            for module, times in _modules(arguments, env).items():
                found[module].append(times)
        medians = {
            module: [round(median(one[n] for one in times), 2) for n in (0, 1)] for module, times in found.items()
        }
        largest = sorted(medians.items(), key=lambda item: -item[1][1])[:TOP]
        modules[name] = {"modules": len(medians), "largest": dict(largest)}
    return {"starts_ms": starts, "imports": modules}


def render(data: dict[str, Any]) -> str:
    floor = median(data["starts_ms"]["python -c pass"])
    rows = []
    for name, times in data["starts_ms"].items():
        goal = COMMANDS[name][1]
        middle = median(times)
        told = "" if goal is None else f"≤ {goal:.0f}: {judged(middle, '≤', goal)}"
        rows.append([name, f"{middle:.0f}", f"{min(times):.0f}", f"{max(times):.0f}", f"{middle - floor:.0f}", told])
    parts = [table(("warm start, ms", "median", "least", "most", "above the floor", "goal"), rows)]
    for name, found in data["imports"].items():
        head = (f"{name}: {found['modules']} modules", "own ms", "with its imports, ms")
        rows = [[f"`{module}`", f"{own:.1f}", f"{whole:.1f}"] for module, (own, whole) in found["largest"].items()]
        parts.append(table(head, rows))
    return "\n\n".join(parts)


def main() -> None:
    benchmark_main("startup", __doc__)


if __name__ == "__main__":
    main()

"""What the benchmarks share: child processes, plans to run, medians, goals, the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = ("sharpen", "aiohttp", "uvloop", "pydantic", "sqlalchemy", "jinja2", "rich")
LOADED = 0.7
"""A load average above which the numbers say more about the neighbours than about the program."""


# ---------------------------------------------------------------------------------------------------- child processes


@dataclass
class Ended:
    """A child process that has ended. Times in seconds, ``peak_rss`` in bytes.

    ``said`` is the end of what it showed on its terminal.
    """

    code: int
    stdout: str
    said: str
    cpu_s: float
    peak_rss: int

    @property
    def json(self) -> Any:
        assert self.code == 0, f"a child process ended with code {self.code}; what it said is above"
        return json.loads(self.stdout.splitlines()[-1])


def child(script: str, *arguments: str, terminal: bool = False, **options: Any) -> Any:
    """Run a script of this directory with this Python; the JSON of its last line."""
    return run_process([sys.executable, str(HERE / script), *arguments], terminal=terminal, **options).json


def run_process(
    command: Sequence[str],
    *,
    terminal: bool = False,
    watch: Callable[[int], None] | None = None,
    every_s: float = 0.25,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ended:
    """Run a command to its end. ``terminal``: stderr is a terminal, so that live progress is drawn as for a user.

    ``watch`` is called with the process id every ``every_s`` seconds.
    """
    said = bytearray()
    ours, theirs = os.openpty() if terminal else (-1, None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=_environment(env), cwd=cwd)
    if theirs is not None:
        os.close(theirs)
        threading.Thread(target=_drain, args=(ours, said), daemon=True).start()
    assert process.stdout is not None
    text: list[bytes] = []
    reader = threading.Thread(target=lambda: text.append(process.stdout.read()), daemon=True)  # type: ignore[union-attr] # asserted above
    reader.start()
    while watch is not None and reader.is_alive():
        watch(process.pid)
        reader.join(every_s)
    _, status, usage = os.wait4(process.pid, 0)
    reader.join()
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    kilo = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss differs
    seen = said.decode("utf-8", "replace")
    if process.returncode:
        sys.stderr.write(seen)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Ended(process.returncode, text[0].decode(), seen, cpu_s, usage.ru_maxrss * kilo)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment without what would change a measured run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHARPEN_", "OPENAI_"))}
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "100", **(extra or {})}


def _drain(descriptor: int, into: bytearray) -> None:
    """Read a terminal's other end like a user would; the last page is kept, for what went wrong."""
    try:
        while chunk := os.read(descriptor, 65536):
            into[:] = (into + chunk)[-8000:]
    except OSError:  # the other end is closed
        pass
    os.close(descriptor)


def memory_of(pid: int) -> int | None:
    """Resident bytes of a process; None when it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return None
    except OSError:
        if Path("/proc/self/status").exists():
            return None
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return int(said) * 1024 if said.strip() else None


# -------------------------------------------------------------------------------------------------------- plans to run


def write_plan(directory: Path, base_url: str, cases: int, concurrency: int, **execution: Any) -> Path:
    """A plan with one assertion, a price, caching off, and its data set as a JSONL file. The plan's path."""
    dataset = directory / f"cases-{cases}.jsonl"
    if not dataset.exists():
        with dataset.open("w") as file:
            file.writelines(
                f'{{"id": "c{n:07d}", "vars": {{"text": "item number {n}"}}, "expected": "yes"}}\n'
                for n in range(cases)
            )
    plan = {
        "workflow_id": "bench",
        "prompt": {"user": "Is this fine? {{ text }}"},
        "target": {
            "kind": "openai", "model": "constant", "base_url": base_url,
            "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2},
        },
        "dataset": dataset.name,
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "execution": {"concurrency": concurrency, "cache": False, **execution},
    }  # fmt: skip
    path = directory / f"plan-{cases}-{concurrency}.json"
    path.write_text(json.dumps(plan))
    return path


def sharpen_run(plan: Path, store: Path, warm_up: int = 64, **options: Any) -> Any:
    """One whole `sharpen run`, its progress drawn on a terminal; what `command.py` printed."""
    url = f"sqlite:///{store}"
    warm = ["--warm-up", str(warm_up)] if warm_up else []
    found = child("command.py", *warm, "run", str(plan), "--store", url, terminal=True, **options)
    assert found["command_s"] > 0
    assert found["report"]["success_rate"] == 1.0, found["report"]
    return found


# ----------------------------------------------------------------------------------------------- medians, goals, tables


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def judged(value: float, sense: str, bound: float) -> str:
    """``met`` or ``missed``. ``sense`` is ≥ or ≤."""
    return "met" if (value >= bound if sense == "≥" else value <= bound) else "**missed**"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[n]) for row in cells)) for n in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        return f"| {' | '.join((first.strip().ljust(widths[0]), *rest))} |"

    rule = ["-" * w if n == 0 else "-" * (w - 1) + ":" for n, w in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


# --------------------------------------------------------------------------------------------------------- the machine


def environment() -> dict[str, Any]:
    """What a number depends on: no host name, no path."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{os.cpu_count()} cores, {_cpu_model()}, {platform.system()} {platform.release()}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "revision": _revision(),
        "load": round(os.getloadavg()[0], 2),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _revision() -> str | None:
    try:
        asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

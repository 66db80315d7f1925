"""sharpen and its peers on the same server, with the same 2,000 cases and one exact-match check each.

python benchmarks/bench_peers.py [--runs 3] [--save] [--only openai pydantic-evals …]

The peers are installed, pinned (`peers/requirements.txt`), into an environment of their own, `benchmarks/.peers`; they
are no dependency of sharpen. Each is run as its documentation shows it, and once more tuned: with what its
documentation offers for speed, and with uvloop where it leaves the choice of the event loop to the caller. Every run is
a fresh process, warmed up by 64 cases; imports and start-up are not counted. What each keeps differs: sharpen and
Inspect AI write every result to disk, pydantic-evals holds a report in memory, the openai loop keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import HERE, judged, median, run_process, sharpen_run, table, write_plan
from results import run_section
from server import serving

CASES = 2_000
ROOM = HERE / ".peers"
PINS = HERE / "peers" / "requirements.txt"


@dataclass(frozen=True)
class Peer:
    """A way to use a peer. ``goal``: how many times as fast sharpen is to be."""

    name: str
    settings: str
    script: str
    arguments: tuple[str, ...] = ()
    concurrency: tuple[int, ...] = (64, 256)
    goal: float | None = None


_TUNED_HTTP = ("--http", "aiohttp", "--loop", "uvloop")
_AS_SHOWN = ("--http", "default", "--loop", "asyncio")
PEERS = (
    Peer("openai", "a loop, its default HTTP client, asyncio", "openai_loop.py", _AS_SHOWN),
    Peer("openai, tuned", "a loop, its aiohttp backend, uvloop", "openai_loop.py", _TUNED_HTTP),
    Peer("pydantic-evals", "openai package as installed, asyncio", "pydantic_evals_loop.py", _AS_SHOWN, goal=8),
    Peer("pydantic-evals, tuned", "openai package on aiohttp, uvloop", "pydantic_evals_loop.py", _TUNED_HTTP),
    Peer("inspect-ai", "no display, the rest as it comes", "inspect_loop.py", (), (64,), goal=50),
    Peer("inspect-ai, tuned", "no realtime log, no API log, large buffer", "inspect_loop.py", ("--tuned",)),
)


def peers_python() -> str:
    """The Python of the peers' environment, made and filled when it is not there yet."""
    return environment_of(ROOM, PINS)


def environment_of(room: Path, requirements: Path) -> str:
    """The Python of an environment for these pinned packages alone, made and filled when it is not there yet."""
    python, stamp, pins = room / "bin" / "python", room / "installed.txt", requirements.read_text()
    if not stamp.exists() or stamp.read_text() != pins:
        print(f"installing the peers into {room.relative_to(HERE.parent)} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(room)], check=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-r", str(requirements)]
        subprocess.run(pip, check=True)
        stamp.write_text(pins)
    return str(python)


def measure(runs: int = 3, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Seconds and CPU of every peer and of sharpen, in turn, ``runs`` times."""
    python = peers_python()
    chosen = [peer for peer in PEERS if not only or peer.name in only]
    found: list[dict[str, Any]] = []
    with serving() as server, tempfile.TemporaryDirectory() as name:
        for number in range(runs):
            for concurrency in (64, 256):
                plan = write_plan(Path(name), server.base_url, CASES, concurrency)
                ours = sharpen_run(plan, Path(name) / f"{concurrency}-{number}.db")
                found.append(_row("sharpen", concurrency, ours))
                for peer in chosen:
                    if concurrency in peer.concurrency:
                        found.append(_row(peer.name, concurrency, _run(python, peer, server.base_url, concurrency)))
                        print(f"  {peer.name}, {concurrency} at once: {found[-1]['run_s']:.1f} s", flush=True)
    return {"cases": CASES, "runs": found, "versions": _versions(python)}


def _run(python: str, peer: Peer, base_url: str, concurrency: int) -> dict[str, Any]:
    command = [python, str(HERE / "peers" / peer.script), base_url, "--cases", str(CASES)]
    alone = {"PYTHONPATH": "", "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    told = run_process([*command, "--concurrency", str(concurrency), *peer.arguments], env=alone).json
    assert told["passed"] == CASES, f"{peer.name}: {told}"
    return dict(told)


def _row(name: str, concurrency: int, told: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "concurrency": concurrency, "run_s": told["run_s"], "run_cpu_s": told["run_cpu_s"]}


def _versions(python: str) -> dict[str, str]:
    asked = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({n: m.version(n) for n in ('openai', 'pydantic-evals', 'inspect-ai', 'aiohttp', 'uvloop')}))"
    )
    return dict(json.loads(subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout))


def render(data: dict[str, Any]) -> str:
    cases, rows = data["cases"], []
    for concurrency in (64, 256):
        ours = _of(data, "sharpen", concurrency)
        ourselves = f"**sharpen**, {concurrency} at once"
        rows.append([ourselves, "a whole run, stored", *_figures(ours, cases), "1", "1", ""])
        for peer in PEERS:
            theirs = _of(data, peer.name, concurrency)
            if theirs:
                ratio = theirs["run_s"] / ours["run_s"]
                goal = f"≥ {peer.goal:g}: {judged(ratio, '≥', peer.goal)}" if peer.goal else ""
                cpu = f"{theirs['run_cpu_s'] / ours['run_cpu_s']:.1f}"
                name = f"{peer.name}, {concurrency} at once"
                rows.append([name, peer.settings, *_figures(theirs, cases), f"{ratio:.1f}", cpu, goal])
    head = ("who", "how", "cases/s", "CPU ms a case", "sharpen: so many times as fast", "CPU, × sharpen's", "goal")
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    return f"{table(head, rows)}\n\n{cases:,} cases each; in the peers' environment: {versions}."


def _of(data: dict[str, Any], name: str, concurrency: int) -> dict[str, float]:
    """Medians over the runs; empty when there are none."""
    runs = [run for run in data["runs"] if (run["name"], run["concurrency"]) == (name, concurrency)]
    return {key: median(run[key] for run in runs) for key in ("run_s", "run_cpu_s")} if runs else {}


def _figures(run: dict[str, float], cases: int) -> tuple[str, str]:
    return f"{cases / run['run_s']:,.0f}", f"{1000 * run['run_cpu_s'] / cases:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[peer.name for peer in PEERS], default=[])
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    options = parser.parse_args()
    run_section("bench_peers", keep=options.save, runs=options.runs, only=tuple(options.only))


if __name__ == "__main__":
    main()

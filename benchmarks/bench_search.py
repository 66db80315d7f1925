"""How good a prompt for how few calls, and how often a claim is false: `make bench-search`.

python benchmarks/bench_search.py [--seeds 20] [--more-seeds 100] [--null-seeds 100] [--peers] [--searchbench DIR]

Replays recorded answers (`search/`), so it calls no model. What peers reached is kept in
`search/results/peers.jsonl.gz`; `--peers` runs what is missing there, in an environment of their own (`.peers-search`).
`--searchbench DIR` adds the tasks of such a directory. The page is docs/search-benchmark.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench_peers import environment_of
from common import HERE, environment
from results import provenance
from search.external import load_external
from search.report import MAIN, chart, page
from search.run import chosen_tasks, jobs, key, read, run
from search.table import Table, load_table
from search.tasks import task_names

SEARCH = HERE / "search"
OURS, PEERS = SEARCH / "results" / "sharpen.jsonl.gz", SEARCH / "results" / "peers.jsonl.gz"
PAGE = HERE.parent / "docs" / "search-benchmark.md"
PICTURE = PAGE.parent / "images" / "search-benchmark.svg"
ROOM, PINS = HERE / ".peers-search", SEARCH / "peers" / "requirements.txt"

GRID = (50, 100, 150, 200, 300, 375, 400, 600, 800, 1600)
SHORT_GRID = (100, 150, 200, 300, 400, 600, 800)
"""Of the peers that take a tenth of a second for a search; the slow one, which takes seconds, is run at MAIN only."""
PLAIN = ("everything", "uniform", "halving", "race")
INSTALLED = ("gepa", "gepa-small", "mipro", "copro")
SLOW = ("capo",)
CURVE = tuple(budget for budget in GRID if MAIN[0] <= budget <= MAIN[-1])
CLOSE = ("halving", "race")
"""Peers as quick as sharpen that come near it: on the CURVE over as many seeds as it, for narrower intervals."""
NULLS = ("null-sim", "null-dealt", "null-groups", "null-wording")
NULL_BUDGET = 400
"""At which false claims are counted, sharpen's over many more seeds."""


class Round(NamedTuple):
    """Searches that are run alike."""

    methods: tuple[str, ...]
    starts: tuple[str, ...]
    budgets: tuple[int, ...]
    seeds: int


def rounds(methods: tuple[str, ...], grid: tuple[int, ...], seeds: int) -> list[Round]:
    """The whole curve from the careless seed; the budgets of the tables from the best prompt; one for each null."""
    return [
        Round(methods, ("weak",), grid, seeds),
        Round(methods, ("strong",), MAIN, seeds),
        Round(methods, NULLS, (NULL_BUDGET,), seeds),
    ]


def run_rounds(parts: Sequence[Round], out: Path, searchbench: Path | None, processes: int) -> None:
    """Run what is not in the file yet. Only own tasks have sets of demonstrations."""
    for part in parts:
        known, every = {key(line) for line in read(out)}, chosen_tasks(searchbench)
        tasks = {name: path for name, path in every.items() if path is None or part.starts != ("demos",)}
        run(jobs(part.methods, part.starts, tasks, part.budgets, part.seeds, known), out, processes)


def run_installed(parts: Sequence[Round], out: Path, searchbench: Path | None, processes: int) -> None:
    """The same for peers that need their own environment: in a process of its Python."""
    python = environment_of(ROOM, PINS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHARPEN_", "PYTHON"))}
    for part in parts:
        more = ["--searchbench", str(searchbench)] if searchbench else []
        more += ["--tasks", *task_names()] if part.starts == ("demos",) else []
        command = [
            python, "-W", "ignore", "-m", "search.run", "--methods", *part.methods, "--starts", *part.starts,
            "--budgets", *map(str, part.budgets), "--seeds", str(part.seeds), "--processes", str(processes),
            "--out", str(out), *more,
        ]  # fmt: skip
        subprocess.run(command, check=True, env={**kept, "PYTHONPATH": str(HERE)})


def write_page(searchbench: Path | None) -> None:
    """The page and its picture, from the results that are kept."""
    lines = [*read(OURS), *read(PEERS)]
    tables: dict[str, Table] = {
        name: load_external(path, name) if path else load_table(name)
        for name, path in chosen_tasks(searchbench).items()
    }
    tables |= {name: load_table(name) for name in task_names(null=True)}
    about = f"{provenance(environment()).strip('*')} Peers: {_pins()}. Recorded with {_recorded(tables)}."
    PICTURE.write_text(chart(lines, tables))
    PAGE.write_text(page(lines, tables, about, PICTURE.relative_to(PAGE.parent).as_posix()))


def _pins() -> str:
    pins = [line.replace("==", " ") for line in PINS.read_text().splitlines() if "==" in line]
    return ", ".join(pins)


def _recorded(tables: dict[str, Table]) -> str:
    found = {json.dumps(table.recorded, sort_keys=True): table.recorded for table in tables.values() if table.recorded}
    kinds = {(one["model"], one["sha256"][:12], one["xllamacpp"]) for one in found.values()}
    return "; ".join(f"{model} (sha256 {digest}…), xllamacpp {version}" for model, digest, version in sorted(kinds))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument(
        "--more-seeds", type=int, default=100, help=f"of sharpen and {', '.join(CLOSE)}, {MAIN[0]} to {MAIN[-1]}"
    )
    parser.add_argument("--null-seeds", type=int, default=100, help=f"of sharpen on null tasks at {NULL_BUDGET} calls")
    parser.add_argument("--peers", action="store_true", help="run the installed peers, too, where they were not yet")
    parser.add_argument("--only-page", action="store_true", help="write the page anew from what is kept")
    parser.add_argument("--searchbench", type=Path, help="a directory with more tasks (search/external.py)")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    started, seeds = time.perf_counter(), options.seeds
    if not options.only_page:
        OURS.parent.mkdir(exist_ok=True)
        run_rounds(
            [
                *rounds(PLAIN, GRID, seeds),
                Round(PLAIN, ("demos",), MAIN, seeds),
                Round(CLOSE, ("weak",), CURVE, options.more_seeds),
            ],
            PEERS,
            options.searchbench,
            options.processes,
        )
        if options.peers:
            parts = [
                *rounds(INSTALLED, SHORT_GRID, seeds),
                Round(("bootstrap-random",), ("demos",), MAIN, seeds),
                *rounds(SLOW, MAIN, seeds),
            ]
            run_installed(parts, PEERS, options.searchbench, options.processes)
        if find_spec("search.ours"):
            OURS.unlink(missing_ok=True)
            nulls = Round(("sharpen",), NULLS, (NULL_BUDGET,), options.null_seeds)
            parts = [*rounds(("sharpen",), GRID, seeds), nulls, Round(("sharpen",), ("demos",), MAIN, seeds)]
            parts.append(Round(("sharpen",), ("weak",), CURVE, options.more_seeds))
            if hasattr(import_module("search.ours"), "search_only"):
                parts.append(Round(("sharpen-search",), ("weak",), GRID, seeds))
                parts.append(Round(("sharpen-search",), ("weak",), CURVE, options.more_seeds))
            run_rounds(parts, OURS, options.searchbench, options.processes)
    write_page(options.searchbench)
    print(f"{time.perf_counter() - started:.0f} s; {PAGE.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()

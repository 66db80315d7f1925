"""Searches by the hundred: every method from the same starts, with the same seeds, on the same recorded answers.

PYTHONPATH=benchmarks python -m search.run --methods halving race --starts weak --seeds 20 --out FILE.jsonl.gz

A method is a name below, or `path/to/file.py:function` for an optimizer of your own (`search/session.py` says what it
is given and what it returns). `--searchbench DIR` adds the tasks of such a directory (`search/external.py`).
A file of results that is there already is added to: runs it holds are not made again.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.util
import json
import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.external import external_names, load_external
from search.session import Optimizer, search
from search.table import Table, load_table
from search.tasks import task_names
from search.worlds import make_world

METHODS = {
    "everything": "search.peers.plain:everything",
    "uniform": "search.peers.plain:uniform",
    "halving": "search.peers.plain:halving",
    "race": "search.peers.plain:race",
    "gepa": "search.peers.gepa_peer:stock",
    "gepa-small": "search.peers.gepa_peer:small",
    "mipro": "search.peers.dspy_peers:mipro",
    "copro": "search.peers.dspy_peers:copro",
    "bootstrap-random": "search.peers.dspy_peers:bootstrap_random",
    "capo": "search.peers.capo_peer:capo",
    "sharpen": "search.ours:optimize",
    "sharpen-search": "search.ours:search_only",
}
BUDGETS = (100, 200, 400, 800)
SEEDS = 20


@dataclass(frozen=True)
class Job:
    """All searches of one method on one task from one start."""

    method: str
    start: str
    task: str
    external: Path | None
    pairs: tuple[tuple[int, int], ...]
    """(budget, seed)."""


def optimizer(method: str) -> Optimizer:
    """The function of a method's name or of `file.py:function`."""
    module, _, function = METHODS.get(method, method).rpartition(":")
    if not module.endswith(".py"):
        return getattr(importlib.import_module(module), function)
    spec = importlib.util.spec_from_file_location(Path(module).stem, module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, function)


def table_of(task: str, external: Path | None) -> Table:
    return load_external(external, task) if external is not None else load_table(task)


def run_job(job: Job) -> list[dict[str, Any]]:
    """One line for each search."""
    optimize, table, lines = optimizer(job.method), table_of(job.task, job.external), []
    for budget, seed in job.pairs:
        outcome = search(optimize, make_world(table, job.start, seed), budget, seed)
        lines.append({"method": job.method, "start": job.start, "task": job.task, **outcome})
    return lines


def jobs(
    methods: Iterable[str],
    starts: Iterable[str],
    tasks: dict[str, Path | None],
    budgets: Iterable[int],
    seeds: int,
    known: set[tuple[Any, ...]],
) -> Iterator[Job]:
    """What is to be run and is not known yet. The real null has tasks of its own."""
    budgets = tuple(budgets)
    for start in starts:
        chosen: dict[str, Path | None] = dict.fromkeys(task_names(null=True)) if start == "null-wording" else tasks
        for task, external in chosen.items():
            for method in methods:
                pairs = tuple(
                    (budget, seed)
                    for budget in budgets
                    for seed in range(seeds)
                    if (method, start, task, budget, seed) not in known
                )
                if pairs:
                    yield Job(method, start, task, external, pairs)


def chosen_tasks(external: Path | None) -> dict[str, Path | None]:
    """Our tasks, then those of an external directory."""
    ours: dict[str, Path | None] = dict.fromkeys(task_names())
    return {**ours, **(dict.fromkeys(external_names(external), external) if external else {})}


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one search from all others."""
    return tuple(line[name] for name in ("method", "start", "task", "budget", "seed"))


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results; none when there is no file."""
    if not path.exists():
        return []
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Sorted and without a time stamp, so that equal results make equal files."""
    text = "".join(json.dumps(line) + "\n" for line in sorted(lines, key=key))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def run(todo: Iterable[Job], path: Path, processes: int) -> list[dict[str, Any]]:
    """Run the jobs, keeping what is done after each; all lines of the file."""
    lines = read(path)
    todo, started = list(todo), time.monotonic()
    if not todo:
        return lines
    # a peer that runs out of calls says so as an error; only in its own process is that silenced
    with ProcessPoolExecutor(processes, initializer=logging.disable, initargs=(logging.CRITICAL,)) as pool:
        for number, (job, found) in enumerate(zip(todo, pool.map(run_job, todo), strict=True), 1):
            lines += found
            write(path, lines)
            took = time.monotonic() - started
            print(f"  {number}/{len(todo)} {job.method}, {job.start}, {job.task}: {took:.0f} s", flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=["halving", "race"])
    parser.add_argument("--starts", nargs="+", default=["weak"])
    parser.add_argument("--tasks", nargs="+", help="left out: all that have a table")
    parser.add_argument("--budgets", nargs="+", type=int, default=BUDGETS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--searchbench", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="a .jsonl.gz file")
    options = parser.parse_args()
    tasks = chosen_tasks(options.searchbench)
    if options.tasks:
        tasks = {name: tasks[name] for name in options.tasks}
    known = {key(line) for line in read(options.out)}
    todo = jobs(options.methods, options.starts, tasks, options.budgets, options.seeds, known)
    lines = run(todo, options.out, options.processes)
    for method in options.methods:
        for start in options.starts:
            mine = [line for line in lines if (line["method"], line["start"]) == (method, start)]
            means = [
                f"{budget}: {100 * sum(found) / len(found):.1f}"
                for budget in options.budgets
                if (found := [line["best"] for line in mine if line["budget"] == budget and line["task"] in tasks])
            ]
            print(f"{method:18} {start:12} {', '.join(means)}")


if __name__ == "__main__":
    main()

"""Keeps what was measured: `results.json` for programs, `RESULTS.md` and the tables of the guide for people.

python benchmarks/results.py      write both pages anew from results.json

Each section stands by itself, with the date, versions and machine of its own measurement: a benchmark that is run
again replaces its section alone. Nothing is written here by hand.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from common import LOADED, environment

HERE = Path(__file__).parent
DATA = HERE / "results.json"
PAGE = HERE / "RESULTS.md"
GUIDES = tuple(HERE.parent / "docs" / name for name in ("performance.md", "store.md", "proof.md", "search.md"))

SECTIONS = {
    "throughput": "Throughput: a server that answers at once",
    "efficiency": "Efficiency: a server that takes its time",
    "ratelimit": "Limits: a server that refuses",
    "scale": "Scale: a data set that is never held whole",
    "conversion": "Conversion and decision",
    "startup": "Start-up",
    "profile_run": "Where the time goes",
    "bench_peers": "Peers on the same server",
    "soak": "Soak: mixed faults for a long time",
    "store_scale": "The store: ten million results",
    "proof": "The proof: false claims, and what it takes to prove a gain",
    "live": "Live: careless prompts made better on the embedded model",
}
"""Name of the module that measured it (``measure``, ``render``) → heading."""

INTRO = """# Benchmark results

Written by `make bench`, `make bench-live`, `make bench-peers`, `make bench-proof` and `make soak` from `results.json`;
the scripts beside this page say exactly what is timed. Ratios are what counts: each is taken against a floor or a peer
in the same run on the same machine. Absolute numbers say as much about the machine.
"""


def load() -> dict[str, Any]:
    """Everything measured so far, by section."""
    return json.loads(DATA.read_text()) if DATA.exists() else {}


def save(name: str, data: dict[str, Any], measured: dict[str, Any]) -> None:
    """Replace one section, and write the pages anew."""
    with _alone():
        kept = {**load(), name: {"measured": measured, "data": data}}
        ordered = {key: kept[key] for key in SECTIONS if key in kept}
        DATA.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
        write_pages()


@contextmanager
def _alone() -> Iterator[None]:
    """One benchmark at a time reads the sections and writes them: what another one keeps meanwhile would be lost.

    The lock (flock(2)) is on the directory, and leaves nothing there.
    """
    directory = os.open(DATA.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)  # which gives the lock up


def write_pages() -> None:
    """`RESULTS.md` whole, and every table of the guide that has its markers there."""
    kept = load()
    rendered = {name: _render(name, kept[name]["data"]) for name in SECTIONS if name in kept}
    parts = [INTRO]
    for name, text in rendered.items():
        parts.append(f"## {SECTIONS[name]}\n\n{text}\n\n{provenance(kept[name]['measured'])}\n")
    PAGE.write_text("\n".join(parts))
    for page in GUIDES:
        guide = page.read_text()
        for name, text in rendered.items():
            block = rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)"  # markers stand alone on their lines
            new = f"\n{text}\n\n{provenance(kept[name]['measured'])}\n\n"
            guide = re.sub(block, lambda found, new=new: found[1] + new + found[2], guide, flags=re.DOTALL)
        page.write_text(guide)


def _render(name: str, data: dict[str, Any]) -> str:
    try:
        return str(import_module(name).render(data)).strip()
    except KeyError as missing:  # one section that was kept by an earlier version must not cost all the others
        return f"*Kept in an earlier format, without {missing}: measure it again.*"


def provenance(measured: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in measured["packages"].items())
    revision = f", revision {measured['revision']}" if measured.get("revision") else ""
    busy = "; the machine was busy with other work" if measured["load"] > LOADED else ""
    return (
        f"*{measured['date']}{revision}; {measured['python']}, {packages}; {measured['machine']}; "
        f"load {measured['load']:.2f} before{busy}.*"
    )


def run_section(name: str, *, keep: bool, **options: Any) -> dict[str, Any]:
    """Measure one section, print its table, and keep it when asked."""
    measured = environment()
    if measured["load"] > LOADED:
        print(f"note: the machine is busy (load {measured['load']:.2f}); ratios hold better than rates", flush=True)
    started = time.perf_counter()
    data: dict[str, Any] = import_module(name).measure(**options)
    measured["took_s"] = round(time.perf_counter() - started, 1)
    print(f"{SECTIONS[name]} ({measured['took_s']:.0f} s)\n\n{_render(name, data)}\n", flush=True)
    if keep:
        save(name, data, measured)
    return data


def benchmark_main(name: str, doc: str | None) -> None:
    """The command line of a benchmark that only has a number of runs."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    options = parser.parse_args()
    run_section(name, keep=options.save, runs=options.runs)


if __name__ == "__main__":
    write_pages()

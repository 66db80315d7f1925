"""The process that a soak watches from inside: the real command, once or again and again, with a sampling thread.

python benchmarks/soaked.py --samples FILE --every 5 run PLAN --store URL …              one run, until interrupted
python benchmarks/soaked.py --samples FILE --every 5 --repeat-for 60 run PLAN …          the same run again and again

Samples are JSON lines: resident bytes, open descriptors, threads, asyncio tasks, by seconds since the start. With
`--repeat-for`, one more after each run, marked `at_rest`: what is left when nothing runs. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import uvloop
from command import invoke
from common import memory_of

_loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
_new_event_loop = uvloop.new_event_loop


def _remembered() -> Any:
    loop = _new_event_loop()
    _loops.add(loop)
    return loop


def tasks() -> int:
    """asyncio tasks of all loops that are not done."""
    found = 0
    for loop in list(_loops):
        with contextlib.suppress(RuntimeError):  # the set of tasks changes while it is read, too often to be read
            found += len(asyncio.all_tasks(loop))
    return found


def descriptors() -> int:
    """Open file descriptors; the one that lists them apart."""
    room = Path("/proc/self/fd")
    return sum(1 for _ in (room if room.exists() else Path("/dev/fd")).iterdir()) - 1


class Sampler(threading.Thread):
    """Writes a sample every so often."""

    def __init__(self, path: Path, every_s: float) -> None:
        super().__init__(name="soak-sampler", daemon=True)
        self._file = path.open("w", buffering=1)
        self._every_s = every_s
        self._began = time.monotonic()

    def sample(self, at_rest: bool = False) -> None:
        values = {
            "t": round(time.monotonic() - self._began, 2), "rss": memory_of(os.getpid()), "fds": descriptors(),
            "threads": threading.active_count(), "tasks": tasks(), "at_rest": at_rest,
        }  # fmt: skip
        self._file.write(json.dumps(values) + "\n")

    def run(self) -> None:
        while True:
            self.sample()
            time.sleep(self._every_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--repeat-for", type=float, default=0, help="seconds")
    options, arguments = parser.parse_known_args()
    uvloop.new_event_loop = _remembered
    sampler = Sampler(options.samples, options.every)
    sampler.start()
    ends, codes = time.monotonic() + options.repeat_for, [invoke(arguments)]
    while options.repeat_for and time.monotonic() < ends:
        sampler.sample(at_rest=True)
        codes.append(invoke(arguments))
    sampler.sample(at_rest=True)
    print(json.dumps({"runs": len(codes), "codes": sorted(set(codes))}))


if __name__ == "__main__":
    main()

"""The command line in real processes that start at once: one process has everything imported and forks the others.

A forked child is a process like any other: it can be killed, it shares no memory, no thread and no connection with its
parent. Only its imports are paid for already, which lets a test kill a hundred of them.

As a program it reads commands, one JSON document a line: ``{"start": {…}}`` forks and answers with the child's id,
``{"wait": id}`` answers with the child's exit status as ``subprocess`` gives it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Process:
    """A command under way."""

    spawner: Spawner
    pid: int
    directory: Path
    name: str
    started: float

    def kill(self) -> float:
        """SIGKILL, and wait until it is dead. When it was sent (``time.monotonic``)."""
        at = time.monotonic()
        os.kill(self.pid, 9)  # until it is waited for, the id is its own
        self.wait()
        return at

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that killed it."""
        return int(self.spawner.ask({"wait": self.pid}))

    @property
    def out(self) -> str:
        return (self.directory / f"{self.name}.out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.directory / f"{self.name}.err").read_text("utf-8")


class Spawner:
    """``start`` commands of the command line. Made by ``spawning``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._count = 0

    def ask(self, command: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def start(self, directory: Path, *arguments: object, file_size: int | None = None, **more: Any) -> Process:
        """Start ``sharpen ARGUMENTS`` in a directory; ``file_size`` (bytes): no file may grow beyond that."""
        self._count += 1
        name, started = f"command-{self._count}", time.monotonic()
        what = {"arguments": [str(a) for a in arguments], "directory": str(directory), "name": name}
        pid = self.ask({"start": what | {"file_size": file_size} | more})
        return Process(self, pid, directory, name, started)

    def run(self, directory: Path, *arguments: object, **more: Any) -> tuple[int, Process]:
        """A command from its start to its end."""
        process = self.start(directory, *arguments, **more)
        return process.wait(), process

    def warm_up(self, directory: Path, *arguments: object) -> None:
        """Import what this command imports."""
        modules = directory / "modules.json"
        code, process = self.run(directory, *arguments, modules=str(modules))
        assert code in (0, 1), process.err
        self.ask({"import": json.loads(modules.read_text("utf-8"))})


@contextmanager
def spawning() -> Iterator[Spawner]:
    """A spawner, and its end."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Spawner(process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    for line in sys.stdin:
        ((command, value),) = json.loads(line).items()
        print(json.dumps({"start": start, "wait": wait, "import": load}[command](value)), flush=True)


def load(names: list[str]) -> int:
    for name in names:  # modules beginning with _ come with those they belong to, and are no use before them
        if name.startswith("_"):
            continue
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return len(sys.modules)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def start(what: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = become(what)
        finally:
            os._exit(code)
    return pid


def become(what: dict[str, Any]) -> int:
    os.chdir(what["directory"])
    for number, ending in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{what['name']}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if what["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (what["file_size"], what["file_size"]))
    from sharpen.cli.main import main as sharpen

    sys.argv = ["sharpen", *what["arguments"]]
    code = 0
    try:
        sharpen()
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    if "modules" in what:
        Path(what["modules"]).write_text(json.dumps(sorted(sys.modules)), "utf-8")
    return code


if __name__ == "__main__":
    main()

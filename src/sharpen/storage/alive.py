"""Is a process still there? What the operating system says, for processes of this machine.

A process is known by its id and the time of its birth, for ids are used again. One that sleeps or was stopped
(``SIGSTOP``, a closed lid) is alive: it goes on where it was. One that was killed and that nobody has buried yet
(a zombie) is not.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path

PROC = Path("/proc")
UNKNOWN = -1.0
"""The birth of a process that exists, and about which the system tells us no more."""


@functools.cache
def this_host() -> str:
    """``name/…``: the machine, and on Linux also its boot and the namespace of its process ids.

    Two containers may have one name, and both a process 7; after a restart, the processes from before are gone.
    """
    parts = [socket.gethostname()]
    try:
        parts.append((PROC / "sys/kernel/random/boot_id").read_text("ascii").strip().partition("-")[0])
        parts.append(str((PROC / "self/ns/pid").stat().st_ino))
    except OSError:
        pass  # not Linux, or a sandbox: the name has to do
    return "/".join(parts)


def birth_of(pid: int) -> float | None:
    """When a process of this machine began; None when there is none, ``UNKNOWN`` when that is kept from us.

    Linux: seconds since the machine's start, which no change of the clock moves; elsewhere seconds since 1970. Either
    is to be compared with an earlier answer only.
    """
    if not (PROC / "self/stat").exists():
        return _asked_of_psutil(pid)
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return UNKNOWN if _exists(pid) else None  # /proc may hide what belongs to other users
    state, ticks = fields[0], fields[19]  # the 3rd and 22nd of proc_pid_stat(5)
    return None if state in "ZX" else int(ticks) / os.sysconf("SC_CLK_TCK")


def is_running(pid: int, born_at: float) -> bool:
    """Whether process ``pid`` of this machine is still the one that was born then. In doubt it is."""
    birth = birth_of(pid)
    return birth is not None and (UNKNOWN in (birth, born_at) or abs(birth - born_at) < 0.01)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and not ours
        return True
    return True


def _asked_of_psutil(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return UNKNOWN

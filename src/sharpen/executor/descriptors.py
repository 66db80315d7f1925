"""Room for as many connections as calls in flight: the limit of open files, which is low on many systems."""

from __future__ import annotations

from sharpen.errors import UserError

SPARE = 64
"""For the store, the reports, the event loop and whatever else is open."""


def make_room(connections: int) -> None:
    """Raise this process's own limit of open files as far as need be.

    Raises ``UserError`` when the system allows no more. Does nothing where there is no such limit (Windows).
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE
    if soft in (resource.RLIM_INFINITY, -1) or soft >= needed:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        raise UserError(
            f"execution.concurrency {connections} needs {needed} open files, and this system allows a process {hard} "
            f"(ulimit -Hn); expected {f'at most {hard - SPARE}, or ' if hard > SPARE else ''}a higher limit"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))

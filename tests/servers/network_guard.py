"""No test reaches a network: only addresses of this machine can be connected to or resolved.

An audit hook, so that it holds for every library of this process (sockets of asyncio and uvloop alike are connected
through Python's socket objects). It cannot be taken out again, which is what a guard should be like.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any


class NetworkBlocked(OSError):
    """A test tried to leave this machine."""


class NameBlocked(NetworkBlocked, socket.gaierror):
    """A test tried to resolve a name that is not this machine's."""


def is_loopback(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text in ("", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise NetworkBlocked(f"tests may not connect to {address[0]!r}")
    elif event == "socket.getaddrinfo" and not is_loopback(arguments[0]):
        raise NameBlocked(socket.EAI_NONAME, f"tests may not resolve {arguments[0]!r}")


def install() -> None:
    """For the rest of this process."""
    sys.addaudithook(_audit)

"""Local-only mode (``--offline``, ``SHARPEN_OFFLINE=1``): no target outside of this machine is called.

The environment variable is the mode: one switch for the process and all that it starts. ``build_target`` asks here for
every target of every kind, so that judges, rewriters and plug-ins cannot slip by. A name other than ``localhost`` is
refused without being looked up: the question alone would leave the machine.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sharpen.config.redact import mask
from sharpen.errors import OfflineError, Problem, UserError

OFFLINE_VARIABLE = "SHARPEN_OFFLINE"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"", "0", "false", "no", "off"})


def local_only(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the mode is on. Raises ``UserError`` for a value that says neither yes nor no."""
    value = environ.get(OFFLINE_VARIABLE, "").strip().lower()
    if value not in _ON | _OFF:
        raise UserError(f"the environment variable {OFFLINE_VARIABLE} is {value!r}; expected 1 or 0")
    return value in _ON


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by what it says: a loopback address, ``localhost`` or a name below it."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0] if ":" in name else name)  # only IPv6 has zones
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def refuse_elsewhere(kind: str, address: str | None) -> None:
    """Raise ``OfflineError`` unless ``address`` (a URL or a host) is this machine's; None: it calls no address."""
    if address is None:
        return
    if not address:
        raise OfflineError(
            Problem(
                f"local-only mode is on (--offline, {OFFLINE_VARIABLE}), and the target {kind!r} does not tell where "
                "it calls",
                key="target.kind",
                expected="a target whose address() is a URL on this machine, or None when nothing leaves the process",
            )
        )
    host = urlsplit(address).hostname if "://" in address else address
    if host is None or not is_loopback(host):
        raise OfflineError(
            Problem(
                f"local-only mode is on (--offline, {OFFLINE_VARIABLE}), and the target {kind!r} calls "
                f"{mask(host or address)!r}",
                key="target.base_url",
                expected="an address of this machine, such as http://127.0.0.1:8080/v1",
            )
        )


async def resolve_here(host: str, port: int) -> list[tuple[Any, ...]]:
    """The loopback addresses of a name or address of this machine, as ``getaddrinfo`` gives them.

    Nobody is asked, so no answer can lead elsewhere (DNS rebinding). Raises ``gaierror`` for any other host.
    """
    if not is_loopback(host):
        raise socket.gaierror(socket.EAI_NONAME, f"local-only mode looks up no name, and {host!r} is not this machine")
    try:
        addresses = [str(ipaddress.ip_address(host.strip("[]")))]
    except ValueError:
        addresses = ["127.0.0.1", "::1"]
    return [
        info
        for address in addresses
        for info in socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    ]

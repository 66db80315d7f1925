"""The guard itself: nothing of this suite leaves the machine."""

from __future__ import annotations

import asyncio
import socket

import pytest

from servers.network_guard import NameBlocked, NetworkBlocked, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", b"localhost", "", None])
def test_this_machine(host: object) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com", "localhost.example.com", b"10.0.0.1"])
def test_elsewhere(host: object) -> None:
    assert not is_loopback(host)


def test_connecting_is_refused() -> None:
    with socket.socket() as outside, pytest.raises(NetworkBlocked):
        outside.connect(("192.0.2.1", 80))


def test_resolving_is_refused() -> None:
    with pytest.raises(NameBlocked):
        socket.getaddrinfo("example.com", 80)


def test_uvloop_is_guarded_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def leave() -> None:
        with socket.socket() as outside:
            outside.setblocking(False)
            await asyncio.get_running_loop().sock_connect(outside, ("192.0.2.1", 80))

    with pytest.raises(NetworkBlocked), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(leave())

"""Ctrl-C: once drains, twice stops."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # SIGHUP: the terminal was closed; Windows has none


@dataclass(slots=True)
class Interrupts:
    """What came in. ``signal`` is the first one: SIGINT (Ctrl-C) or SIGTERM; None when nothing came."""

    count: int = 0
    signal: signal.Signals | None = None


@contextmanager
def interruptible(cancel: Callable[[str], None]) -> Iterator[Interrupts]:
    """Within this block (inside a coroutine of the main thread) SIGINT and SIGTERM are answered in two steps.

    The first calls ``cancel(reason)``, so that calls under way finish and the rest is marked cancelled. The second
    cancels the surrounding task, and ``KeyboardInterrupt`` is raised once that has cleaned up. In another thread, where
    Python delivers no signals, the block changes nothing.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def answer(number: int) -> None:
        interrupts.count += 1
        if interrupts.count == 1:
            interrupts.signal = signal.Signals(number)
            cancel(f"interrupted by {interrupts.signal.name}")
        else:
            task.cancel()

    def handler(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(answer, number)

    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield interrupts
    except asyncio.CancelledError:
        if interrupts.count < 2:
            raise
        task.uncancel()
        raise KeyboardInterrupt from None
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)

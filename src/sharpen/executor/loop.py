"""The one edge between synchronous callers and the async core."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], instead: str = "the async twin") -> T:
    """Run to the end on an event loop of its own: uvloop's where it is installed, asyncio's otherwise.

    Raises ``RuntimeError`` inside a running event loop; ``instead`` names what to await there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        coroutine.close()
        raise RuntimeError(f"an event loop is running already (a notebook, an async function?): await {instead}")
    answer: list[T] = []

    async def answered() -> None:  # asyncio's runner writes out the repr of what a task returns: slow, for a large run
        answer.append(await coroutine)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(answered())
    return answer[0]


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # Windows, PyPy
        return None
    return uvloop.new_event_loop

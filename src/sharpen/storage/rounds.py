"""What the coroutines of an event loop bring within one of its rounds, handed over together.

With many calls under way a round brings many answers: one write for all of them costs hardly more than for one of
them, and the thread gives up Python's lock once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(slots=True, eq=False)
class _Round(Generic[Item]):
    items: list[Item] = field(default_factory=list)
    failed: BaseException | None = None


class Rounds(Generic[Item]):
    """Calls ``handle`` with what came, in the order in which it came, on the event loop that it came from."""

    def __init__(self, handle: Callable[[Sequence[Item]], None]) -> None:
        self._handle = handle
        self._open: dict[asyncio.AbstractEventLoop, _Round[Item]] = {}

    async def submit(self, item: Item) -> None:
        """Return when ``handle`` has had ``item``, in the loop's next round. Raises what it raised.

        Cancelling the waiter does not take the item back.
        """
        loop = asyncio.get_running_loop()
        current = self._open.get(loop)
        if current is None:
            current = self._open[loop] = _Round()
            loop.call_soon(self._close, loop)
        current.items.append(item)
        await asyncio.sleep(0)  # a loop calls in the order in which it was asked to: `_close` comes before us
        if current.failed is not None:
            raise current.failed

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        current = self._open.pop(loop)
        try:
            self._handle(current.items)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            current.failed = error

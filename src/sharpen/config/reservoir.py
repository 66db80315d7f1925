"""A uniform sample of a stream whose length nobody knows yet."""

from __future__ import annotations

import random
from math import exp, log
from typing import Generic, TypeVar

T = TypeVar("T")


class Reservoir(Generic[T]):
    """Algorithm L (Li 1994, doi:10.1145/198429.198435), seeded to be repeatable: which items it keeps depends on
    their number alone.

    ``next`` is the number of the next item it takes; those before it need only be counted (``number``).
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._random = random.Random(0)
        self._kept: list[tuple[int, T]] = []
        self._weight = 1.0
        self.number = 0
        self.next = 1

    def offer(self, item: T) -> None:
        """Count an item, and perhaps take it in the place of another."""
        self.number += 1
        if self.number != self.next:
            return
        if len(self._kept) < self._size:
            self._kept.append((self.number, item))
            self.next += 1
            if len(self._kept) < self._size:
                return
        else:
            self._kept[self._random.randrange(self._size)] = (self.number, item)
        self._weight *= exp(log(1 - self._random.random()) / self._size)
        self.next = self.number + int(log(1 - self._random.random()) / log(1 - self._weight)) + 1

    def in_order(self) -> tuple[T, ...]:
        """The items kept, in the order of their coming."""
        return tuple(item for _, item in sorted(self._kept, key=lambda pair: pair[0]))


def sampled_numbers(count: int, size: int) -> tuple[int, ...]:
    """Which of ``count`` items (numbered from 0) a reservoir of ``size`` keeps."""
    sample = Reservoir[int](size)
    while sample.next <= count:
        sample.number = sample.next - 1
        sample.offer(sample.number)
    return sample.in_order()

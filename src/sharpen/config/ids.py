"""Is every id of a data set its own? Exactly for small data sets, in eight bytes a row for large ones."""

from __future__ import annotations

from array import array
from collections.abc import Collection

EXACT = 10_000
"""So many ids are kept as texts, with their places; beyond, 64-bit hashes have to do until the end."""

_MASK = (1 << 64) - 1
Place = tuple[int, str]
"""A case's number, counted from 1, and where it stands in the user's files."""


class Ids:
    """The ids seen so far. Up to ``EXACT`` of them a repetition is told at once, later ones by ``repeated``.

    The hashes are Python's own (SipHash, keyed anew in each process). Two ids share one by chance in 3 of 100 million
    data sets of 1,000,000 rows (birthday bound n² / 2⁶⁵), and then only a second look is wasted.
    """

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._hashes: array[int] | None = None
        self._told: set[int] = set()

    def first(self, identity: str, number: int, where: str) -> Place | None:
        """Note the id of case ``number``; the place where it stood before, if that is known."""
        if self._hashes is not None:
            self._hashes.append(hash(identity) & _MASK)
            return None
        here = (number, where)
        found = self._places.setdefault(identity, here)
        if found is not here:
            self._told.add(hash(identity) & _MASK)
            return found
        if len(self._places) > EXACT:
            self._hashes = array("Q", [hash(seen) & _MASK for seen in self._places])
            self._places = {}
        return None

    def repeated(self) -> frozenset[int]:
        """The hashes that came up more than once; none when every repetition has been told already."""
        if self._hashes is None:
            return frozenset()
        import numpy as np

        ordered = np.frombuffer(self._hashes, dtype=np.uint64).copy()
        ordered.sort()
        untold = ordered[1:][ordered[1:] == ordered[:-1]].tolist()
        return frozenset(untold) | self._told if untold else frozenset()


class Watched(Ids):
    """The second look: only ids with one of these hashes are kept, so that both places of a repetition can be told."""

    def __init__(self, hashes: Collection[int]) -> None:
        super().__init__()
        self._watched = hashes

    def first(self, identity: str, number: int, where: str) -> Place | None:
        if hash(identity) & _MASK not in self._watched:
            return None
        found = self._places.setdefault(identity, (number, where))
        return None if found[0] == number else found

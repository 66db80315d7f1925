"""Two runs folded case by case into columns of numbers: 100,000 pairs take some ten megabytes. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sharpen.history.case_tally import CaseTally

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PairedColumns:
    """One row a case that ran in both runs. Measurements are NaN where a side has none.

    ``passes`` and ``runs`` have shape (2, cases); ``unit`` numbers the unit of each case (its group,
    or the case itself) from 0 without gaps. Latency in ms, cost in USD.
    """

    passes: NDArray[np.int64]
    runs: NDArray[np.int64]
    unit: NDArray[np.int64]
    latency: NDArray[np.float64]
    tokens: NDArray[np.float64]
    cost: NDArray[np.float64]
    cached: tuple[int, int]
    unpriced: tuple[int, int]
    unanswered: int

    @property
    def cases(self) -> int:
        return len(self.unit)

    @property
    def units(self) -> int:
        return int(self.unit.max()) + 1 if len(self.unit) else 0

    @property
    def grouped(self) -> bool:
        """Some unit holds several cases."""
        return self.units < self.cases

    @property
    def repeated(self) -> bool:
        """Some case was run more than once."""
        return bool((self.runs > 1).any())


class PairedFold:
    """Collects pairs. Every pair must have run on both sides."""

    def __init__(self) -> None:
        self._whole = [array("q") for _ in range(4)]
        self._unit = array("q")
        self._groups: dict[str, int] = {}
        self._units = 0
        self._measured = [array("d") for _ in range(6)]
        self._cached, self._unpriced = [0, 0], [0, 0]
        self._unanswered = 0

    def add(self, before: CaseTally, after: CaseTally, group: str | None = None) -> None:
        """One case. ``group``: of the cases that succeed and fail together (None: it stands alone)."""
        passes1, passes2, runs1, runs2 = self._whole
        passes1.append(before.passes)
        passes2.append(after.passes)
        runs1.append(before.runs)
        runs2.append(after.runs)
        if group is None:
            number, self._units = self._units, self._units + 1
        else:
            number = self._groups.setdefault(group, self._units)
            self._units += number == self._units
        self._unit.append(number)
        for at, side in enumerate((before, after)):
            for column, value in ((at, side.latency_ms), (2 + at, side.tokens), (4 + at, side.cost)):
                self._measured[column].append(NAN if value is None else value)
            self._cached[at] += side.cached
            self._unpriced[at] += side.unpriced
        self._unanswered += not (before.answered and after.answered)

    def columns(self) -> PairedColumns:
        """All that was added."""
        passes1, passes2, runs1, runs2 = (np.frombuffer(column, dtype=np.int64) for column in self._whole)
        latency1, latency2, tokens1, tokens2, cost1, cost2 = (
            np.frombuffer(column, dtype=np.float64) for column in self._measured
        )
        return PairedColumns(
            passes=np.stack([passes1, passes2]),
            runs=np.stack([runs1, runs2]),
            unit=np.frombuffer(self._unit, dtype=np.int64),
            latency=np.stack([latency1, latency2]),
            tokens=np.stack([tokens1, tokens2]),
            cost=np.stack([cost1, cost2]),
            cached=(self._cached[0], self._cached[1]),
            unpriced=(self._unpriced[0], self._unpriced[1]),
            unanswered=self._unanswered,
        )

"""Units of two variants as they come in → comparable blocks, each with one unbiased difference. Pure.

A block takes the next outcomes of either variant, as many as its weight asks for (one of each when they are equal, nine
and one at 90 : 10). Its difference is that of their means: in [-1, 1], with the difference of the variants' means as
its expectation. So online and offline are judged by the same bets. Blocks for sequential tests of two samples are those
of Turner, R., Ly, A. & Grünwald, P. (2024), "Generic e-variables for exact sequential k-sample tests that allow for
optional stopping", J. Stat. Plan. Inference 230. Outcomes of about the same time meet in a block, so that a trend over
time, which both variants share, cancels out; what is needed is only that a value does not depend on when it comes in.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

LARGEST = 10
"""So many outcomes of the heavier variant meet one of the lighter at most; more would add almost nothing."""


def block_sizes(control: float, variant: float) -> tuple[int, int]:
    """Outcomes of either in one block, for their weights."""
    heavier = max(control, variant) / min(control, variant)
    ratio = Fraction(min(heavier, LARGEST)).limit_denominator(3)
    if ratio.numerator > LARGEST:
        ratio = Fraction(round(heavier))
    large, small = ratio.numerator, ratio.denominator
    return (large, small) if control >= variant else (small, large)


class Blocks:
    """Collects outcomes of a control and a variant, each in 0..1 (above: better)."""

    def __init__(self, control_size: int, variant_size: int, factor: float = 1.0) -> None:
        self._sizes = (control_size, variant_size)
        self._factor = factor
        self._waiting: tuple[deque[float], deque[float]] = (deque(), deque())

    def add(self, value: float, *, variant: bool) -> float | None:
        """The difference of a block that this outcome completes: variant - ``factor`` · control."""
        self._waiting[variant].append(value)
        if any(len(waiting) < size for waiting, size in zip(self._waiting, self._sizes, strict=True)):
            return None
        control, other = (
            sum(waiting.popleft() for _ in range(size)) / size
            for waiting, size in zip(self._waiting, self._sizes, strict=True)
        )
        return other - self._factor * control

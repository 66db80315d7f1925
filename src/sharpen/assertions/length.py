"""``length``: the output's length lies between ``min`` and ``max``, both included."""

from __future__ import annotations

from collections.abc import Callable

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.config.assertions import AssertionPart, LengthAssertion

_COUNTS: dict[str, Callable[[str], int]] = {
    "characters": len,
    "words": lambda text: len(text.split()),
    "lines": lambda text: len(text.splitlines()),
}


class Length(Assertion):
    """Score 1 or 0. Characters are Unicode code points, words are separated by white space."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, LengthAssertion)
        self._count = _COUNTS[config.unit]
        self._unit, self._min, self._max = config.unit, config.min, config.max

    def check(self, context: AssertionContext) -> Verdict:
        length = self._count(context.output)
        if self._min is not None and length < self._min:
            return Verdict(False, 0.0, f"{length} {self._unit}, at least {self._min} wanted")
        if self._max is not None and length > self._max:
            return Verdict(False, 0.0, f"{length} {self._unit}, at most {self._max} allowed")
        return PASSED

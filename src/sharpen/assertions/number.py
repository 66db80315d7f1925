"""``is-number``: the output is a number, and with ``value`` one within ``tolerance`` of it."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.assertions.values import is_template
from sharpen.config.assertions import AssertionPart, NumberAssertion
from sharpen.errors import PlanError, Problem

_number = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?"
)  # decimal holds exponents of 9 digits
_exact = Context(prec=200)  # decimal: |1.1 - 1.0| is within 0.1, which binary floats deny


def read_number(text: str) -> Decimal | None:
    """The whole of ``text`` (white space around it apart) as a decimal number, else None.

    Strict: no thousands separators, units, underscores, NaN or infinity; the transform ``extract-number`` is for those.
    """
    match = _number.fullmatch(text.strip())
    return Decimal(match.group()) if match else None


class Number(Assertion):
    """Score 1 or 0."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, NumberAssertion)
        self._tolerance = Decimal(str(config.tolerance))
        self._constant: Decimal | None = None
        if config.value is not None and not is_template(config.value):
            try:
                self._constant = _target(config.value)
            except ValueError as error:
                raise PlanError(Problem(str(error), key="value", expected="a number")) from None

    def check(self, context: AssertionContext) -> Verdict:
        target = self._constant
        if target is None and context.value is not None:
            target = _target(context.value)
        number = read_number(context.output)
        if number is None:
            return Verdict(False, 0.0, f"{quoted(context.output)} is no number")
        if target is None:
            return PASSED
        distance = abs(_exact.subtract(number, target))
        if distance <= self._tolerance:
            return PASSED
        allowed = f" ± {self._tolerance}" if self._tolerance else ""
        return Verdict(False, 0.0, f"expected {target}{allowed}, got {quoted(context.output.strip())}")


def _target(value: Any) -> Decimal:
    number = None if isinstance(value, bool) else read_number(str(value))
    if number is None:
        raise ValueError(f"the value {quoted(value)} is no number")
    return number

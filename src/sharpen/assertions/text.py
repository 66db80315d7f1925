"""``equals``, ``contains``, ``starts-with``, ``ends-with`` and their case-insensitive forms: against one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sharpen.assertions import json_text
from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.config.assertions import AssertionPart, TextAssertion
from sharpen.errors import PlanError, Problem

_CHECKS: dict[str, tuple[Callable[[str, str], bool], str]] = {
    "equals": (lambda output, value: output == value, "equal"),
    "iequals": (lambda output, value: output.casefold() == value.casefold(), "equal (in any case)"),
    "contains": (lambda output, value: value in output, "contain"),
    "icontains": (lambda output, value: value.casefold() in output.casefold(), "contain (in any case)"),
    "starts-with": (lambda output, value: output.startswith(value), "start with"),
    "ends-with": (lambda output, value: output.endswith(value), "end with"),
}
_MAY_BE_EMPTY = ("equals", "iequals")


def literal_text(value: Any) -> str:
    """A scalar as the plan's author sees it: booleans as YAML and JSON write them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Text(Assertion):
    """Score 1 or 0. A mapping or list as the value of ``equals`` is compared with the output read as JSON."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, TextAssertion)
        self._name = config.name
        self._holds, self._verb = _CHECKS[config.name]
        self._literal = literal_text(config.value) if isinstance(config.value, bool) else None
        if config.value == "" and self._name not in _MAY_BE_EMPTY:
            raise PlanError(Problem("the value is empty, which every output satisfies", key="value", expected="a text"))

    def check(self, context: AssertionContext) -> Verdict:
        value = context.value
        if self._name == "equals" and isinstance(value, dict | list | tuple):
            return _equals_json(context.output, value)
        text = value if isinstance(value, str) else self._literal or str(value)
        if not text and self._name not in _MAY_BE_EMPTY:
            raise ValueError("the value rendered to nothing, which every output satisfies")
        if self._holds(context.output, text):
            return PASSED
        return Verdict(False, 0.0, f"expected the output to {self._verb} {quoted(text)}, got {quoted(context.output)}")


def _equals_json(output: str, value: Any) -> Verdict:
    try:
        found = json_text.parse(output)
    except ValueError as error:
        return Verdict(False, 0.0, f"expected JSON equal to {quoted(value)}, but the output is {error}")
    if json_text.same(found, value):
        return PASSED
    return Verdict(False, 0.0, f"expected JSON equal to {quoted(value)}, got {quoted(found)}")

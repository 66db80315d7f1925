"""``contains-any``, ``contains-all`` (and ``i…``) and ``one-of``: against a list of values."""

from __future__ import annotations

import re
from typing import Any

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.assertions.text import literal_text
from sharpen.assertions.values import is_template
from sharpen.config.assertions import AssertionPart, ListAssertion
from sharpen.errors import PlanError, Problem

_field = re.compile(r'[\s,]*(?:"((?:[^"\\]|\\.|"")*)"\s*(?=,|$)|([^",\s][^,]*))', re.DOTALL)
_escaped = re.compile(r'\\(["\\])|""')


def split(text: str) -> list[str]:
    r"""The values of a comma-separated text, trimmed; empty ones are dropped.

    ``"…"`` around a value keeps its commas and spaces; inside, ``""`` or ``\"`` is a quotation mark. Raises
    ``ValueError`` for a quotation mark that is not closed, or closed before the value ends.
    """
    values, position, end = [], 0, len(text.rstrip(", \t\r\n"))
    while position < end:
        match = _field.match(text, position)
        if match is None:
            raise ValueError(f"cannot split {quoted(text)}: a quoted value must be closed and followed by a comma")
        inside, bare = match.groups()
        if bare is None:
            values.append(_escaped.sub(lambda found: found.group(1) or '"', inside))
        else:
            values.append(bare.strip())
        position = match.end()
    return values


def _items(value: Any) -> list[str]:
    if isinstance(value, str):
        return split(value)
    if not isinstance(value, list | tuple | set | frozenset):
        value = (value,)
    return [item if isinstance(item, str) else literal_text(item) for item in value]


class OfList(Assertion):
    """Score: the share of the values found for ``…-all``, otherwise 1 or 0."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, ListAssertion)
        self._one_of = config.name == "one-of"
        self._all = config.name.endswith("-all")
        self._fold = config.name.startswith("i")
        self._constant: list[str] | None = None
        if is_template(config.value) or (isinstance(config.value, tuple) and any(map(is_template, config.value))):
            return
        try:
            self._constant = self._prepare(config.value)
        except ValueError as error:
            raise PlanError(Problem(str(error), key="value", expected="a list of texts")) from None

    def _prepare(self, value: Any) -> list[str]:
        items = _items(value)
        if not items:
            raise ValueError("the list of values is empty")
        if not self._one_of and "" in items:
            raise ValueError("one of the values is empty, which every output contains")
        return [item.casefold() for item in items] if self._fold else items

    def check(self, context: AssertionContext) -> Verdict:
        items = self._constant or self._prepare(context.value)
        output = context.output.casefold() if self._fold else context.output
        if self._one_of:
            return PASSED if output in items else _failed("be one of", items, output)
        found = [item in output for item in items]
        if self._all:
            missing = [item for item, there in zip(items, found, strict=True) if not there]
            return Verdict(False, 1 - len(missing) / len(items), _missing(missing, output)) if missing else PASSED
        return PASSED if any(found) else _failed("contain one of", items, output)


def _missing(missing: list[str], output: str) -> str:
    return f"expected the output to contain all values, missing: {quoted(missing)}, got {quoted(output)}"


def _failed(verb: str, items: list[str], output: str) -> Verdict:
    return Verdict(False, 0.0, f"expected the output to {verb} {quoted(items)}, got {quoted(output)}")

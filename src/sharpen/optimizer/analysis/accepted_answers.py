"""The answer that the assertions accept for a case, read off the one that compares the whole output with a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sharpen.assertions.values import compile_value
from sharpen.config.assertions import AssertionPart, TextAssertion
from sharpen.config.models import Case
from sharpen.errors import TemplateError
from sharpen.optimizer.ports import LabelledCase

AnyCase = Case | LabelledCase


def variables_of_case(case: AnyCase) -> Mapping[str, Any]:
    """The inputs of a case, whichever of the two models it is."""
    return case.vars if isinstance(case, Case) else case.variables


def value_of(value: Any) -> Callable[[AnyCase], Any]:
    """From a case to the ``value`` of an assertion as it is for that case: a text, or JSON as mapping or list.

    It is None when it is the same for every case, or cannot be known (no expected answer, a variable is missing).
    """
    render, expects = compile_value(value), "expected" in str(value)

    def found(case: AnyCase) -> Any:
        if render is None or (expects and case.expected is None):
            return None
        try:
            return render({**variables_of_case(case), "expected": case.expected})
        except TemplateError:  # its own run says so
            return None

    return found


def answer_of(assertions: Sequence[AssertionPart]) -> Callable[[AnyCase], str | None]:
    """What to answer to a case so that it passes, as far as one single ``equals`` or ``iequals`` tells; else None.

    An output that must be equal to a mapping or a list is written as JSON.
    """
    whole = [
        each
        for each in assertions
        if isinstance(each, TextAssertion) and each.name in ("equals", "iequals") and each.weight and not each.negated
    ]
    value = value_of(whole[0].value if len(whole) == 1 else None)

    def answer(case: AnyCase) -> str | None:
        found = value(case)
        if isinstance(found, dict | list | tuple):
            return json.dumps(found, ensure_ascii=False, default=str)
        return None if found is None else str(found)

    return answer

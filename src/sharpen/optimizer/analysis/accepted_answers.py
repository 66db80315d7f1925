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


def value_for(value: Any, case: AnyCase) -> Any:
    """The ``value`` of an assertion as it is for ``case``: a text, or JSON as mapping or list.

    None: it is the same for every case, or cannot be known (no expected answer, a variable that the case lacks).
    """
    render = compile_value(value)
    if render is None or (case.expected is None and "expected" in str(value)):
        return None
    try:
        return render({**variables_of_case(case), "expected": case.expected})
    except TemplateError:  # its own run says so
        return None


def answer_of(assertions: Sequence[AssertionPart]) -> Callable[[AnyCase], str | None]:
    """What to answer to a case so that it passes, as far as one single ``equals`` or ``iequals`` tells; else None.

    An output that must be equal to a mapping or a list is written as JSON.
    """
    whole = [
        each
        for each in assertions
        if isinstance(each, TextAssertion) and each.name in ("equals", "iequals") and each.weight and not each.negated
    ]
    value = whole[0].value if len(whole) == 1 else None

    def answer(case: AnyCase) -> str | None:
        found = value_for(value, case)
        if isinstance(found, dict | list | tuple):
            return json.dumps(found, ensure_ascii=False, default=str)
        return None if found is None else str(found)

    return answer

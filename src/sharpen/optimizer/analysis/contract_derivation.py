"""Reads off the assertions, and the answers they expect, what form they demand of every answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sharpen.config.assertions import (
    AssertionPart,
    JsonAssertion,
    LengthAssertion,
    LevenshteinAssertion,
    ListAssertion,
    NumberAssertion,
    RegexAssertion,
    TextAssertion,
)
from sharpen.errors import TemplateError
from sharpen.optimizer.analysis.accepted_answers import AnyCase, value_of, variables_of_case
from sharpen.optimizer.analysis.output_contract import Key, OutputContract, is_number, listing
from sharpen.templating import render

MAX_LABELS = 20
MAX_LABEL_WORDS = 5
JSON_TYPES = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object", type(None): "null"
}  # fmt: skip
UNSEEN_RATE = 0.25
"""A set of answers counts as closed when the chance that the next case brings a new one is at most this.

The chance is estimated as answers seen once / cases (I. J. Good, The population frequencies of species, 1953).
"""


def derive_contract(assertions: Sequence[AssertionPart], cases: Sequence[AnyCase] = ()) -> OutputContract | None:
    """The contract of ``assertions`` over ``cases`` (give the train split only); None when none can be read off.

    Negated assertions, those of weight 0 and those that judge content alone (python, llm-rubric, latency, cost) are
    passed over, except ``not-contains`` of a fixed text.
    """
    active = [assertion for assertion in assertions if assertion.weight > 0]
    asked = [assertion for assertion in active if not assertion.negated]
    extras = tuple(text for assertion in active if (text := _extra(assertion, cases)))
    candidates = (_from_one(assertion, cases) for assertion in asked)
    found = sorted((contract for contract in candidates if contract), key=_rank)
    if not found:
        return OutputContract("text", exact=False, extras=extras) if extras else None
    return replace(found[0], extras=extras)


def closed_set(answers: Sequence[str]) -> tuple[str, ...]:
    """The distinct answers, sorted, when they look like a closed set of labels; else nothing."""
    counted = Counter(answers)
    if not 2 <= len(counted) <= MAX_LABELS or any(_too_long(answer) for answer in counted):
        return ()
    seen_once = sum(number == 1 for number in counted.values())
    return tuple(sorted(counted)) if seen_once <= UNSEEN_RATE * len(answers) else ()


def _rank(contract: OutputContract) -> int:
    order = {"json": 0, "labels": 1, "number": 2, "text": 3}
    return order[contract.kind]


def _from_one(assertion: AssertionPart, cases: Sequence[AnyCase]) -> OutputContract | None:
    match assertion:
        case JsonAssertion():
            return OutputContract("json", keys=_schema_keys(assertion.value), exact=assertion.name == "is-json")
        case ListAssertion() if assertion.name == "one-of":
            labels = _list_values(assertion.value, cases)
            return OutputContract("labels", labels=labels) if labels else None
        case NumberAssertion():
            return OutputContract("number", exact="extract-number" not in assertion.transform)
        case RegexAssertion():
            return _alternatives(assertion.value)
        case TextAssertion() | LevenshteinAssertion():
            return _from_text(assertion, cases)
    return None


def _from_text(assertion: TextAssertion | LevenshteinAssertion, cases: Sequence[AnyCase]) -> OutputContract | None:
    template = str(assertion.value)
    if "{{" not in template:
        return None
    value_of_case = value_of(assertion.value)
    values = [value for case in cases if (value := value_of_case(case)) is not None]
    if assertion.name == "equals" and (found := _from_structures(values, assertion.transform)):
        return found
    exact = assertion.name in ("equals", "iequals", "levenshtein")
    exact = exact and not {"first-word", "last-word", "extract-json", "extract-number"} & set(assertion.transform)
    answers = [str(value).strip() for value in values]
    variable = re.fullmatch(r"\{\{\s*(\w+)(?:\s*\|.*)?\s*\}\}", template.strip())
    name = variable.group(1) if variable and variable.group(1) != "expected" else ""
    if labels := closed_set(answers):
        return OutputContract("labels", labels=labels, exact=exact, name=name)
    if not answers or assertion.name not in ("equals", "iequals", "levenshtein"):
        return None
    if all(map(is_number, answers)):
        return OutputContract("number", exact=exact, name=name)
    shape = _shape(answers, cases, exact)
    return OutputContract("text", exact=exact, shape=shape, name=name) if shape else None


def _from_structures(values: Sequence[Any], transform: Sequence[str]) -> OutputContract | None:
    """What mappings or lists that outputs must be equal to, read as JSON, have in common; None for anything else."""
    if not values or not all(isinstance(value, dict | list | tuple) for value in values):
        return None
    mappings = [value for value in values if isinstance(value, dict)]
    names = mappings[0] if len(mappings) == len(values) else ()
    shared = [name for name in names if isinstance(name, str) and all(name in value for value in mappings)]
    return OutputContract(
        "json", keys=tuple(_key_of(name, mappings) for name in shared), exact="extract-json" not in transform
    )


def _key_of(name: str, mappings: Sequence[Mapping[str, Any]]) -> Key:
    values = [value[name] for value in mappings]
    kinds = sorted({JSON_TYPES[type(value)] for value in values if type(value) in JSON_TYPES})
    choices = closed_set(values) if kinds == ["string"] else ()
    return Key(name, " or ".join(kinds), choices)


def _shape(answers: Sequence[str], cases: Sequence[AnyCase], exact: bool) -> str:
    if all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", answer) for answer in answers):
        return "Answer with a date in the form YYYY-MM-DD" + (" and nothing else." if exact else ".")
    if all(len(answer.split()) == 1 for answer in answers):
        return "Answer with one word only." if exact else "Answer with one word."
    inputs = [[str(value) for value in variables_of_case(case).values()] for case in cases]
    copied = sum(any(answer in text for text in texts) for answer, texts in zip(answers, inputs, strict=False))
    if len(answers) == len(cases) and copied >= 0.9 * len(answers):
        return "Copy the answer exactly as it stands in the text. No other words."
    return "Give only the answer itself, with no other words." if exact else ""


def _extra(assertion: AssertionPart, cases: Sequence[AnyCase]) -> str:
    """A demand that stands beside the main form."""
    if assertion.negated:
        fixed = assertion.name in ("contains", "icontains") and isinstance(assertion, TextAssertion)
        text = str(assertion.value) if fixed and isinstance(assertion, TextAssertion) else ""
        return f'Do not write "{text}".' if text and "{{" not in text else ""
    match assertion:
        case LengthAssertion():
            return _length(assertion)
        case ListAssertion() if assertion.name.endswith(("contains-all", "contains-any")):
            values = _list_values(assertion.value, cases)
            many = "all" if assertion.name.endswith("all") else "at least one"
            return f"Mention {many} of: {listing(values)}." if values else ""
        case TextAssertion() if "{{" not in str(assertion.value):
            verb = {"starts-with": "Begin", "ends-with": "End"}.get(assertion.name)
            if verb:
                return f'{verb} the answer with "{assertion.value}".'
            return f'Mention "{assertion.value}".' if assertion.name in ("contains", "icontains") else ""
    return ""


def _length(assertion: LengthAssertion) -> str:
    low, high, unit = assertion.min, assertion.max, assertion.unit
    if low == high:
        return f"Use exactly {high} {_unit(high, unit)}."
    if high is None:
        return f"Use at least {low} {_unit(low, unit)}."
    return f"Use at most {high} {_unit(high, unit)}." if not low else f"Use {low} to {high} {unit}."


def _unit(number: int | None, unit: str) -> str:
    return unit[:-1] if number == 1 else unit


def _schema_keys(schema: dict[str, Any] | None) -> tuple[Key, ...]:
    properties = (schema or {}).get("properties")
    if not isinstance(properties, dict):
        required = (schema or {}).get("required")
        return tuple(Key(str(name)) for name in required) if isinstance(required, list) else ()
    return tuple(_key(str(name), part if isinstance(part, dict) else {}) for name, part in properties.items())


def _key(name: str, part: Mapping[str, Any]) -> Key:
    kind, choices = part.get("type", ""), part.get("enum", ())
    return Key(
        name,
        kind if isinstance(kind, str) else " or ".join(map(str, kind)),
        tuple(map(str, choices)) if isinstance(choices, list | tuple) else (),
    )


def _list_values(value: tuple[Any, ...] | str, cases: Sequence[AnyCase]) -> tuple[str, ...]:
    """The fixed values of a list assertion; a templated list counts when it is the same for every case."""
    texts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [str(part) for part in value]
    if not any("{{" in text for text in texts):
        return tuple(text for text in texts if text)
    rendered = {tuple(_value(text, case) or "" for text in texts) for case in cases}
    return next(iter(rendered)) if len(rendered) == 1 else ()


def _alternatives(pattern: str) -> OutputContract | None:
    """``^(a|b|c)$`` → its plain words (exact when anchored at both ends); None for any other expression."""
    found = re.fullmatch(r"(?:\(\?i\))?(\^?)(?:\((?:\?:)?)?([\w \-]+(?:\|[\w \-]+)+)\)?(\$?)", pattern)
    if not found:
        return None
    return OutputContract(
        "labels", labels=tuple(found.group(2).split("|")), exact=bool(found.group(1) and found.group(3))
    )


def _value(template: str, case: AnyCase) -> str | None:
    try:
        rendered = render(template, {**variables_of_case(case), "expected": case.expected})
    except TemplateError:  # the case lacks a variable: the run reports it, no answer can be read off here
        return None
    return rendered.strip() if case.expected is not None or "expected" not in template else None


def _too_long(answer: str) -> bool:
    return not answer or "\n" in answer or len(answer.split()) > MAX_LABEL_WORDS or len(answer) > 40

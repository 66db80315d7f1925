"""``is-json`` and ``contains-json``: JSON in the output, optionally held against a JSON Schema."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from jsonschema import exceptions
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing.jsonschema import EMPTY_REGISTRY

from sharpen.assertions import json_text
from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.assertions.values import compile_value
from sharpen.config.assertions import AssertionPart, JsonAssertion
from sharpen.errors import PlanError, Problem, TemplateError

_CACHED_SCHEMAS = 256


def compile_schema(schema: Any) -> Validator:
    """A validator for ``schema``: the draft its ``$schema`` names, else 2020-12. Raises ``ValueError``.

    ``format`` is checked where Python's standard library can. A reference out of the schema is an error: nothing is
    ever fetched.
    """
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except exceptions.SchemaError as error:
        raise ValueError(f"no JSON Schema: at {error.json_path}: {error.message}") from None
    return kind(schema, format_checker=kind.FORMAT_CHECKER, registry=EMPTY_REGISTRY)


def _objection(validator: Validator, value: Any) -> str | None:
    """What is wrong with ``value``, with its JSON path; None when it satisfies the schema."""
    error = exceptions.best_match(validator.iter_errors(value))
    if error is None:
        return None
    message = error.message if len(error.message) <= 200 else f"{error.validator} {quoted(error.validator_value)} fails"
    return f"at {error.json_path}: {message}"


class Json(Assertion):
    """Score 1 or 0. The schema is compiled once; a templated one once for each text it renders to."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, JsonAssertion)
        self._anywhere = config.name == "contains-json"
        self._constant: Validator | None = None
        self._compiled: OrderedDict[str, Validator] = OrderedDict()
        try:
            if config.value is not None and compile_value(config.value) is None:
                self._constant = compile_schema(config.value)
        except (ValueError, TemplateError) as error:
            raise PlanError(Problem(str(error), key="value", expected="a JSON Schema")) from None

    def check(self, context: AssertionContext) -> Verdict:
        validator = self._constant or (self._validator(context.value) if context.value is not None else None)
        return self._find(context.output, validator) if self._anywhere else self._read(context.output, validator)

    def _read(self, output: str, validator: Validator | None) -> Verdict:
        try:
            value = json_text.parse(output)
        except ValueError as error:
            return Verdict(False, 0.0, f"{error}: {quoted(output)}")
        objection = _objection(validator, value) if validator else None
        return PASSED if objection is None else Verdict(False, 0.0, f"the JSON breaks its schema {objection}")

    def _find(self, output: str, validator: Validator | None) -> Verdict:
        objection = None
        for found in json_text.find_all(output):
            complaint = _objection(validator, found.value) if validator else None
            if complaint is None:
                return PASSED
            objection = objection or complaint
        if objection:
            return Verdict(False, 0.0, f"no JSON in the output satisfies the schema; the first fails {objection}")
        return Verdict(False, 0.0, f"no JSON object or array in {quoted(output)}")

    def _validator(self, schema: Any) -> Validator:
        key = json.dumps(schema, sort_keys=True, default=str)
        validator = self._compiled.pop(key, None) or compile_schema(schema)
        self._compiled[key] = validator  # most recent last
        if len(self._compiled) > _CACHED_SCHEMAS:
            self._compiled.popitem(last=False)
        return validator

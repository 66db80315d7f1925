"""From a plan's entry to the object that checks: one table, imported lazily."""

from __future__ import annotations

from pathlib import Path

from sharpen.assertions.base import Assertion
from sharpen.config.assertions import AssertionPart, PluginAssertion
from sharpen.config.references import load_reference
from sharpen.errors import PlanError, Problem, UnknownNameError, UserError

_TEXT = "sharpen.assertions.text:Text"
_LIST = "sharpen.assertions.lists:OfList"
_JSON = "sharpen.assertions.json_schema:Json"

ASSERTIONS: dict[str, str] = {
    "equals": _TEXT,
    "iequals": _TEXT,
    "contains": _TEXT,
    "icontains": _TEXT,
    "starts-with": _TEXT,
    "ends-with": _TEXT,
    "contains-any": _LIST,
    "contains-all": _LIST,
    "icontains-any": _LIST,
    "icontains-all": _LIST,
    "one-of": _LIST,
    "regex": "sharpen.assertions.regex:Regex",
    "is-json": _JSON,
    "contains-json": _JSON,
    "is-number": "sharpen.assertions.number:Number",
    "levenshtein": "sharpen.assertions.levenshtein:EditDistance",
    "length": "sharpen.assertions.length:Length",
    "latency": "sharpen.assertions.measured:Latency",
    "cost": "sharpen.assertions.measured:Cost",
    "python": "sharpen.assertions.python_code:PythonCode",
    "llm-rubric": "sharpen.assertions.rubric:Rubric",
}
"""Name without ``not-`` → ``module:Class``."""


def build_assertion(config: AssertionPart, base_dir: Path | None = None) -> Assertion:
    """The compiled assertion of one plan entry.

    Raises ``PlanError`` (its problems' keys relative to the entry) and ``UnknownNameError``.
    """
    reference = config.name if isinstance(config, PluginAssertion) else ASSERTIONS.get(config.name)
    if reference is None:
        raise UnknownNameError("assertion", config.name, ASSERTIONS)
    kind = load_reference(reference, base_dir, key="type")
    if not (isinstance(kind, type) and issubclass(kind, Assertion)):
        expected = "a subclass of sharpen.assertions.base.Assertion"
        raise PlanError(Problem(f"{reference!r} is no assertion", key="type", expected=expected))
    if not isinstance(config, PluginAssertion):
        return kind.from_config(config, base_dir)
    try:
        return kind(config, **config.options)
    except UserError:
        raise
    except Exception as error:  # the user's constructor may raise anything, an unknown option among it
        problem = Problem(f"{reference!r} cannot be built: {type(error).__name__}: {error}", key="options")
        raise PlanError(problem) from error

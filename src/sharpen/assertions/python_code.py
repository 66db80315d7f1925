"""``python``: a function of the user's (``module:function``), or a one-line expression in a sandbox."""

from __future__ import annotations

import inspect
import math
import numbers
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.config.assertions import AssertionPart, PythonAssertion
from sharpen.config.references import load_reference
from sharpen.errors import PlanError, Problem

_reference = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*:[A-Za-z_][\w.]*")
_ANSWERS = "a bool, a number in 0..1, a pair of that and a reason, or a mapping of pass, score and reason"


class PythonCode(Assertion):
    """Calls the function with the ``AssertionContext``, or evaluates the expression (see ``expression``).

    Either returns a bool, a score, ``(bool or score, reason)``, a mapping with ``pass``, ``score`` and ``reason``, or a
    ``Verdict``. A score alone passes when it reaches ``threshold``; where both are given, ``pass`` decides. The
    function may be a coroutine function; any other runs on the event loop, so it should be quick.
    """

    templated: ClassVar[bool] = False  # code filled in with data would be an injection; data comes in by name

    def __init__(self, config: AssertionPart, base_dir: Path | None = None) -> None:
        assert isinstance(config, PythonAssertion)
        self._threshold = config.threshold
        source = config.value.strip()
        self._call = _function(source, base_dir) if _reference.fullmatch(source) else _expression(source)

    @classmethod
    def from_config(cls, config: AssertionPart, base_dir: Path | None) -> Self:
        return cls(config, base_dir)

    def check(self, context: AssertionContext) -> Verdict | Awaitable[Verdict]:
        answer = self._call(context)
        if inspect.isawaitable(answer):
            return self._later(answer)
        return read_answer(answer, self._threshold)

    async def _later(self, answer: Awaitable[Any]) -> Verdict:
        return read_answer(await answer, self._threshold)


def _function(reference: str, base_dir: Path | None) -> Callable[[AssertionContext], Any]:
    function = load_reference(reference, base_dir, key="value")
    if not callable(function):
        message = f"{reference!r} is a {type(function).__name__}, which cannot be called"
        raise PlanError(Problem(message, key="value", expected="a function"))
    found: Callable[[AssertionContext], Any] = function
    return found


def _expression(source: str) -> Callable[[AssertionContext], Any]:
    from sharpen.assertions.expression import Expression

    try:
        expression = Expression(source)
    except ValueError as error:
        expected = "module:function, or an expression over output, expected, vars and context"
        raise PlanError(Problem(str(error), key="value", expected=expected)) from None

    def call(context: AssertionContext) -> Any:
        variables = dict(context.variables)
        about = {
            "case_id": context.case_id, "latency_ms": context.latency_ms, "cost": context.cost, "vars": variables,
            "prompt_tokens": context.prompt_tokens, "completion_tokens": context.completion_tokens,
            "raw_output": context.raw_output,
        }  # fmt: skip
        names = {"output": context.output, "expected": context.expected, "vars": variables, "context": about}
        answer = expression(names)
        if isinstance(answer, bool | int | float | tuple | Mapping):
            return answer
        return bool(answer)  # `search(…)` or `expected in …`: truth, as in an `if`

    return call


def read_answer(answer: Any, threshold: float) -> Verdict:
    """What user code returned, as a verdict. Raises ``TypeError`` and ``ValueError`` that say what was expected."""
    if isinstance(answer, Verdict):
        return answer
    if isinstance(answer, Mapping):
        return _from_mapping(answer, threshold)
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], str):
        verdict = _from_scalar(answer[0], threshold)
        return Verdict(verdict.passed, verdict.score, answer[1])
    return _from_scalar(answer, threshold)


def _from_mapping(answer: Mapping[str, Any], threshold: float) -> Verdict:
    unknown = set(answer) - {"pass", "score", "reason"}
    if unknown or not {"pass", "score"} & set(answer):
        raise ValueError(f"the code returned {quoted(dict(answer))}; expected the keys pass or score, and reason")
    verdict = _from_scalar(answer["score" if answer.get("score") is not None else "pass"], threshold)
    passed = answer.get("pass", verdict.passed)
    if not isinstance(passed, bool):
        raise TypeError(f"the code returned {quoted(passed)} as pass; expected a bool")
    reason = answer.get("reason")
    return Verdict(passed, verdict.score, "" if reason is None else str(reason))


def _from_scalar(answer: Any, threshold: float) -> Verdict:
    if type(answer).__module__ == "numpy" and hasattr(answer, "item"):
        answer = answer.item()  # numpy's bool is no bool
    if isinstance(answer, bool):
        return PASSED if answer else Verdict(False, 0.0, "the code returned False")
    if not isinstance(answer, numbers.Real):
        raise TypeError(f"the code returned {quoted(answer)}; expected {_ANSWERS}")
    score = float(answer)
    if not math.isfinite(score) or not 0 <= score <= 1:
        raise ValueError(f"the code returned the score {answer!r}; expected one in 0..1")
    if score >= threshold:
        return Verdict(True, score)
    return Verdict(False, score, f"the code returned the score {score:g}, below the threshold {threshold:g}")

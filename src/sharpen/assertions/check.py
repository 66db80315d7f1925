"""One entry of a plan, ready to be checked for any case: transforms, rendering, negation, crashes as values."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.assertions import transforms
from sharpen.assertions.base import Assertion, AssertionContext, AssertionResult, Judge, Verdict
from sharpen.assertions.reasons import of_exception, quoted, storable
from sharpen.assertions.registry import build_assertion
from sharpen.assertions.values import compile_value
from sharpen.config.assertions import AssertionPart, RubricAssertion
from sharpen.errors import ErrorKind, PlanError, Problem, TemplateError

JudgeFor = Callable[[RubricAssertion], Judge]
"""The judge of one rubric, with the executor's limits behind it."""


@dataclass(slots=True)
class GradedCase:
    """What is the same for all assertions of one case. ``names`` is what templates see."""

    output: str
    expected: Any
    variables: Mapping[str, Any]
    names: Mapping[str, Any]
    case_id: str = ""
    latency_ms: float = 0.0
    cost: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    judge_for: JudgeFor | None = None


class Check:
    """A plan's entry and its compiled assertion."""

    __slots__ = ("_assertion", "_config", "_negated", "_plain_pass", "_render", "_transforms", "_value", "weight")

    def __init__(self, config: AssertionPart, assertion: Assertion) -> None:
        """Raises ``PlanError`` when ``value`` is a template with a syntax error."""
        self._config = config
        self._assertion = assertion
        self._negated = config.negated
        self.weight = config.weight
        self._transforms = transforms.functions(config.transform)
        self._value = getattr(config, "value", None)
        try:
            self._render = compile_value(self._value) if assertion.templated else None
        except TemplateError as error:
            raise PlanError(Problem(f"{quoted(self._value)} is no template: {error}", key="value")) from error
        self._plain_pass = AssertionResult(type=config.type, passed=True, score=1.0, weight=config.weight)

    @classmethod
    def build(cls, config: AssertionPart, base_dir: Path | None) -> Check:
        """Compile ``config``. Raises ``UserError``; the keys of a ``PlanError`` are relative to the entry."""
        return cls(config, build_assertion(config, base_dir))

    @classmethod
    def broken(cls, config: AssertionPart, error: Exception) -> Check:
        """A check that fails with ``error`` for every case: the entry could not be compiled."""
        return cls(config, _Broken(config, error))

    def start(self, case: GradedCase) -> AssertionResult | Awaitable[Verdict]:
        """The result, or the verdict still to come. Raises what the assertion raises."""
        output = case.output
        for transform in self._transforms:
            output = transform(output)
        config = self._config
        verdict = self._assertion.check(
            AssertionContext(
                output=output,
                raw_output=case.output,
                value=self._render(case.names) if self._render else self._value,
                expected=case.expected,
                variables=case.variables,
                case_id=case.case_id,
                latency_ms=case.latency_ms,
                cost=case.cost,
                prompt_tokens=case.prompt_tokens,
                completion_tokens=case.completion_tokens,
                judge=case.judge_for(config) if case.judge_for and isinstance(config, RubricAssertion) else None,
            )
        )
        if isinstance(verdict, Verdict) or not inspect.isawaitable(verdict):
            return self.finish(verdict)
        return verdict

    def finish(self, verdict: Verdict) -> AssertionResult:
        """The verdict as it is stored. Raises ``TypeError`` and ``ValueError`` for what is no verdict."""
        passed, score, reason = _checked(verdict)
        if self._negated and verdict.decided:
            passed, score, reason = not passed, 1 - score, self._negated_reason(passed, reason)
        if passed and score == 1.0 and not reason:
            return self._plain_pass
        return AssertionResult(
            type=self._config.type, passed=passed, score=score, weight=self.weight, reason=storable(reason)
        )

    def crashed(self, error: Exception) -> AssertionResult:
        """The failure of the assertion itself, negated or not."""
        return AssertionResult(
            type=self._config.type,
            passed=False,
            score=0.0,
            weight=self.weight,
            reason=storable(f"the assertion broke: {of_exception(error)}"),
            error=ErrorKind.ASSERTION_CRASH,
        )

    def _negated_reason(self, held: bool, reason: str) -> str:
        if not held:
            return ""  # what was found missing is what was wanted: nothing to explain
        what = self._config.name if self._value is None else f"{self._config.name} {quoted(self._value)}"
        return f"{what} holds, and must not" + (f": {reason}" if reason else "")


def _checked(verdict: Any) -> tuple[bool, float, str]:
    if not isinstance(verdict, Verdict):
        raise TypeError(f"the assertion returned {quoted(verdict)}, expected a Verdict")
    score = float(verdict.score)
    if not 0 <= score <= 1:
        raise ValueError(f"the assertion returned the score {score!r}, expected one in 0..1")
    return bool(verdict.passed), score, str(verdict.reason)


class _Broken(Assertion):
    templated = False

    def __init__(self, config: AssertionPart, error: Exception) -> None:  # noqa: ARG002 - the seam's signature
        self._error = error

    def check(self, context: AssertionContext) -> Verdict:  # noqa: ARG002 - the seam's signature
        raise self._error

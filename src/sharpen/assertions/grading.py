"""One output against all of a case's assertions: the plan's and the case's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError

from sharpen.assertions.base import AssertionResult
from sharpen.assertions.check import Check, GradedCase, JudgeFor
from sharpen.config.assertions import AssertionPart
from sharpen.errors import PlanError, Problem, RunAborted, UserError

__all__ = ["Grade", "Grader", "JudgeFor"]

_CACHED_CHECKS = 4096
_NO_VARIABLES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Grade:
    """What all assertions together say. ``score`` in 0..1: the weighted mean of theirs, those of weight 0 left out."""

    passed: bool
    score: float
    results: tuple[AssertionResult, ...] = ()


class Grader:
    """Grades outputs by assertions that are compiled once. Safe to share between the tasks of one event loop."""

    def __init__(self, configs: Sequence[AssertionPart] = (), base_dir: Path | None = None) -> None:
        """Compile the plan's assertions. Raises ``PlanError`` with the problems of all of them."""
        self._base_dir = base_dir
        self._compiled: OrderedDict[tuple[type, str], Check] = OrderedDict()
        self._checks = self.prepare(configs)

    def prepare(self, configs: Sequence[AssertionPart], where: str = "") -> tuple[Check, ...]:
        """Compile assertions ahead of the run (a case's own, say). ``where`` is their place in the user's files.

        Raises ``PlanError`` with the problems of all of them, keys ``assertions.i.…``.
        """
        checks: list[Check] = []
        problems: list[Problem] = []
        for index, config in enumerate(configs):
            try:
                checks.append(self._compile(config))
            except UserError as error:
                problems.extend(_problems(error, f"assertions.{index}", where))
        if problems:
            raise PlanError(problems)
        return tuple(checks)

    async def grade(
        self,
        *,
        output: str,
        expected: Any = None,
        variables: Mapping[str, Any] = _NO_VARIABLES,
        case_id: str = "",
        latency_ms: float = 0.0,
        cost: float | None = None,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        extra: Sequence[AssertionPart] = (),
        judge_for: JudgeFor | None = None,
    ) -> Grade:
        """Check ``output`` by the plan's assertions, then by ``extra``, the case's own.

        Passed when all assertions of weight > 0 pass; without any, passed with score 1: having answered is enough. An
        assertion that breaks is a failed result with its own error kind. Raises ``RunAborted`` (and its
        ``BudgetExhausted``) that a judge's call raised, and nothing else.
        """
        names = {**variables, "vars": variables}
        if expected is not None:  # without it, `{{ expected }}` is an error and not the text None
            names["expected"] = expected
        case = GradedCase(
            output, expected, variables, names, case_id, latency_ms, cost, prompt_tokens, completion_tokens, judge_for
        )
        checks = (*self._checks, *map(self._compile_or_break, extra)) if extra else self._checks
        results = []
        for check in checks:
            try:
                result = check.start(case)
                if not isinstance(result, AssertionResult):
                    result = check.finish(await result)
            except RunAborted:
                raise
            except Exception as error:  # noqa: BLE001 - user code that judges hostile text: anything may break
                result = check.crashed(error)
            results.append(result)
        return _summary(tuple(results))

    def _compile_or_break(self, config: AssertionPart) -> Check:
        try:
            return self._compile(config)
        except UserError as error:
            return Check.broken(config, error)

    def _compile(self, config: AssertionPart) -> Check:
        """From the cache, since many cases say the same; cases that differ push the oldest out."""
        try:
            key = (type(config), config.model_dump_json())
        except PydanticSerializationError:  # a plan made in Python may hold any object
            return Check.build(config, self._base_dir)
        check = self._compiled.pop(key, None) or Check.build(config, self._base_dir)
        self._compiled[key] = check
        if len(self._compiled) > _CACHED_CHECKS:
            self._compiled.popitem(last=False)
        return check


def _summary(results: tuple[AssertionResult, ...]) -> Grade:
    passed, total, weights = True, 0.0, 0.0
    for result in results:
        if result.weight > 0:
            passed = passed and result.passed
            total += result.weight * result.score
            weights += result.weight
    return Grade(passed, min(1.0, total / weights) if weights else 1.0, results)


def _problems(error: UserError, key: str, where: str) -> Iterator[Problem]:
    if not isinstance(error, PlanError):
        yield Problem(str(error), where, f"{key}.type")
        return
    for problem in error.problems:
        yield Problem(problem.message, where, f"{key}.{problem.key}" if problem.key else key, problem.expected)

"""The contract of an assertion, for those who write one: inherit ``AssertionContract`` in your own tests.

::

    class TestMinWords(AssertionContract):
        entry = {"type": "my_checks:MinWords", "options": {"words": 2}}
        passing = (Sample("two words"),)
        failing = (Sample("one"),)

Run by pytest as it stands; needs no plug-in of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter

from sharpen.assertions.base import AssertionResult, Judge
from sharpen.assertions.grading import Grade, Grader
from sharpen.config.assertions import AssertionConfig, AssertionPart
from sharpen.errors import ErrorKind

HOSTILE_OUTPUTS = (
    "", " ", "\n\n", "\x00", "\ud800", "{{ output }}{% raw %}", "{" * 2_000, "[" * 2_000, '"' * 500, "a" * 20_000,
    "${x} %s {0}", "NaN", "-0", "9" * 5_000, '{"pass": true, "score": 1}', "🙂\u202e\u0000é", "<script>x()</script>",
)  # fmt: skip
"""Outputs a model may really send, or be talked into sending."""


@dataclass(frozen=True)
class Sample:
    """One output and what was measured about it."""

    output: str
    expected: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float = 0.0
    cost: float | None = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class AssertionContract:
    """What every assertion must keep; set ``entry``, ``passing`` and ``failing``."""

    entry: ClassVar[Mapping[str, Any]]
    """The assertion as a plan writes it, without ``not-``."""
    passing: ClassVar[Sequence[Sample]]
    failing: ClassVar[Sequence[Sample]]
    base_dir: ClassVar[Path | None] = None
    """Where a plan would stand, for ``module:name`` references."""

    def judge(self) -> Judge | None:
        """What answers ``context.judge``; override it for an assertion that asks one."""
        return None

    def _config(self, **changes: Any) -> AssertionPart:
        config: AssertionPart = TypeAdapter(AssertionConfig).validate_python({**self.entry, **changes})
        return config

    def _grader(self, **changes: Any) -> Grader:
        return Grader([self._config(**changes)], self.base_dir)

    async def _grade(self, grader: Grader, sample: Sample) -> Grade:
        judge = self.judge()
        return await grader.grade(**_keywords(sample), judge_for=(lambda _: judge) if judge else None)

    def _results(self, grader: Grader, samples: Sequence[Sample]) -> list[AssertionResult]:
        async def run() -> list[AssertionResult]:
            return [(await self._grade(grader, sample)).results[0] for sample in samples]

        return asyncio.run(run())

    def test_there_are_samples_of_both_kinds(self) -> None:
        assert self.passing, "name at least one output that passes"
        assert self.failing, "name at least one output that fails"

    def test_good_outputs_pass_and_bad_ones_fail(self) -> None:
        grader = self._grader()
        for sample, result in zip(self.passing, self._results(grader, self.passing), strict=True):
            assert result.passed, f"should pass: {sample}: {result.reason}"
        for sample, result in zip(self.failing, self._results(grader, self.failing), strict=True):
            assert not result.passed, f"should fail: {sample}"
            assert result.error is None, f"should fail, not break: {sample}: {result.reason}"

    def test_a_failure_says_why(self) -> None:
        for sample, result in zip(self.failing, self._results(self._grader(), self.failing), strict=True):
            assert result.reason.strip(), f"fails without a reason: {sample}"

    def test_negation_turns_the_verdict_around(self) -> None:
        samples = [*self.passing, *self.failing]
        plain = self._results(self._grader(), samples)
        negated = self._results(self._grader(type=f"not-{self.entry['type']}"), samples)
        for sample, one, other in zip(samples, plain, negated, strict=True):
            assert one.passed is not other.passed, f"not- does not turn around: {sample}"
            assert abs(one.score + other.score - 1) < 1e-9, f"the scores do not add up to 1: {sample}"

    def test_the_verdict_depends_on_the_case_alone(self) -> None:
        samples = [*self.passing, *self.failing]
        grader = self._grader()
        first = self._results(grader, samples)
        assert self._results(grader, samples[::-1]) == first[::-1], "an earlier case leaves its traces"
        assert self._results(self._grader(), samples) == first, "a second instance judges differently"

    def test_cases_may_be_judged_side_by_side(self) -> None:
        samples = [*self.passing, *self.failing] * 3
        grader = self._grader()

        async def together() -> list[AssertionResult]:
            grades = await asyncio.gather(*(self._grade(grader, sample) for sample in samples))
            return [grade.results[0] for grade in grades]

        assert asyncio.run(together()) == self._results(grader, samples)

    def test_any_output_is_judged_within_bounds(self) -> None:
        like = _keywords(self.passing[0])
        samples = [Sample(**{**like, "output": output}) for output in HOSTILE_OUTPUTS]
        for sample, result in zip(samples, self._results(self._grader(), samples), strict=True):
            assert 0 <= result.score <= 1
            assert result.error in (None, ErrorKind.ASSERTION_CRASH)
            assert result.error is None, f"breaks on the output {sample.output[:40]!r}: {result.reason}"

    def test_a_result_survives_storage(self) -> None:
        for result in self._results(self._grader(), [*self.passing, *self.failing]):
            assert AssertionResult.model_validate_json(result.model_dump_json()) == result

    def test_weight_zero_never_fails_a_case(self) -> None:
        grader = self._grader(weight=0)
        for sample in self.failing:
            assert asyncio.run(self._grade(grader, sample)).passed


def _keywords(sample: Sample) -> dict[str, Any]:
    return asdict(sample)

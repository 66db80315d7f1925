"""What the executor tells the optimizer of a run (contract section 2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sharpen.executor.models import RATE_TOLERANCE, AwareDatetime, Record, RunExecutionResult, RunStatistics


class ErrorDistribution(Record):
    """Failures by category; ``total_errors`` left out is computed, given and different is rejected."""

    timeout_errors: int = Field(default=0, ge=0)
    api_errors: int = Field(default=0, ge=0)
    validation_errors: int = Field(default=0, ge=0)
    llm_errors: int = Field(default=0, ge=0)
    total_errors: int = Field(default=-1, ge=0)  # -1, which no caller may give: to be computed

    CATEGORIES: ClassVar = ("timeout_errors", "api_errors", "validation_errors", "llm_errors")

    @model_validator(mode="after")
    def _sum_matches(self) -> Self:
        total = sum(getattr(self, name) for name in self.CATEGORIES)
        if self.total_errors == -1:
            object.__setattr__(self, "total_errors", total)
        if self.total_errors != total:
            raise ValueError(f"total_errors is {self.total_errors}, but the four categories add up to {total}")
        return self


class TestExecutionReport(BaseModel):
    """What a run says about a prompt. Times in ms, cost in USD (None: the price is unknown). Assignments are checked.

    An assignment that breaks a rule raises ``ValidationError`` and leaves the report as it was.
    """

    __test__: ClassVar[bool] = False  # the name begins with "Test": not a test class
    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    workflow_id: str
    run_id: str
    total_tests: int = Field(ge=1)
    successful_tests: int = Field(ge=0)
    failed_tests: int = Field(ge=0)
    success_rate: float = Field(ge=0, le=1)
    avg_response_time_ms: float = Field(ge=0)
    p95_response_time_ms: float | None = Field(default=None, ge=0)
    p99_response_time_ms: float | None = Field(default=None, ge=0)
    total_tokens: int = Field(ge=0)
    avg_tokens_per_request: float = Field(ge=0)
    total_cost: float | None = Field(ge=0)
    cost_per_request: float | None = Field(ge=0)
    error_distribution: ErrorDistribution = ErrorDistribution()
    executed_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.successful_tests + self.failed_tests > self.total_tests:
            raise ValueError(
                f"successful_tests {self.successful_tests} + failed_tests {self.failed_tests} "
                f"exceed total_tests {self.total_tests}"
            )
        rate = self.successful_tests / self.total_tests
        if abs(rate - self.success_rate) > RATE_TOLERANCE + 1e-12:
            raise ValueError(f"success_rate is {self.success_rate}, but successful_tests / total_tests is {rate:.4f}")
        p95, p99 = self.p95_response_time_ms, self.p99_response_time_ms
        if p95 is not None and p99 is not None and p95 > p99:
            raise ValueError(f"p95_response_time_ms {p95} is above p99_response_time_ms {p99}")
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).model_fields:  # pydantic sets before it runs an "after" validator: check a copy first
            type(self).model_validate({**dict(self), name: value})
        super().__setattr__(name, value)

    @classmethod
    def from_executor_result(cls, result: RunExecutionResult) -> TestExecutionReport:
        """Lossless conversion. Raises ``NoTasksError`` when the result holds no task."""
        from sharpen.optimizer.converter import to_report

        return to_report(result)

    def to_run_statistics(self) -> RunStatistics:
        """The executor's statistics, rebuilt exactly. Raises ``KeyError`` for a report of other origin."""
        from sharpen.optimizer.converter import to_statistics

        return to_statistics(self)

    @property
    def ran_tests(self) -> int:
        """Tests that ran to an end; cancelled ones say nothing about a prompt."""
        return self.successful_tests + self.failed_tests

    def has_timeout_errors(self) -> bool:
        return self.error_distribution.timeout_errors > 0

    def has_api_errors(self) -> bool:
        return self.error_distribution.api_errors > 0

    def get_error_rate(self) -> float:
        """1 − success_rate."""
        return 1.0 - self.success_rate

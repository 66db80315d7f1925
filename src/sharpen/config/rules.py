"""The thresholds of contract section 3: the numbers alone. What they decide stands in ``optimizer.scoring_rules``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, Strict
from pydantic.fields import FieldInfo

Percent = Annotated[float, Strict(), Field(ge=0, le=100)]
Rate = Annotated[float, Strict(), Field(ge=0, le=1)]
Count = Annotated[int, Strict(), Field(ge=1)]
NonNegative = Annotated[float, Strict(), Field(ge=0)]


def _means(text: str) -> FieldInfo:
    return Field(description=text)  # type: ignore[no-any-return] # Field's declared type serves attribute defaults


@dataclass(frozen=True)
class Thresholds:
    """When a prompt is worth optimizing, and how large a step a new version is. Scores and gaps are on 0..100."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    optimization_threshold: Annotated[Percent, _means("Optimize below this overall static score.")] = 80.0
    critical_issue_threshold: Annotated[Count, _means("Optimize at so many critical issues.")] = 1
    clarity_efficiency_gap: Annotated[Percent, _means("A score this far behind the other picks the strategy.")] = 10.0
    low_score_threshold: Annotated[Percent, _means("A clarity or efficiency score below it is low.")] = 70.0
    min_confidence: Annotated[Rate, _means("The least confidence of an improvement that may be kept.")] = 0.6
    high_confidence: Annotated[Rate, _means("Confidence from here on is called high.")] = 0.8
    major_version_min_improvement: Annotated[Percent, _means("Points of improvement that make a major version.")] = 15.0
    minor_version_min_improvement: Annotated[Percent, _means("Points of improvement that make a minor version.")] = 5.0
    min_success_rate: Annotated[Rate, _means("Optimize below this share of passed tests.")] = 0.8
    max_acceptable_latency_ms: Annotated[NonNegative, _means("Optimize above this mean response time, in ms.")] = 5000.0
    max_cost_per_request: Annotated[NonNegative, _means("Optimize above this mean cost of a request, in USD.")] = 0.1
    max_timeout_error_rate: Annotated[Rate, _means("Optimize above this share of tests that timed out.")] = 0.05
    max_tokens_per_request: Annotated[
        NonNegative | None, _means("Optimize above so many tokens a request; null: off.")
    ] = None


@dataclass(frozen=True)
class PlanRules(Thresholds):
    """A plan's ``rules``: the thresholds, and the version that may stand in place of a fixed one."""

    no_worse_than: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        _means(
            "A version or alias (`production`, `latest`): optimize when fewer cases pass than of it when it was "
            "accepted, beyond chance, in place of `min_success_rate`."
        ),
    ] = None

    def __eq__(self, other: object) -> bool:
        """Without a version they are the thresholds that they hold."""
        if not isinstance(other, Thresholds):
            return NotImplemented
        return self.no_worse_than == getattr(other, "no_worse_than", None) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))


def _values(rules: Thresholds) -> tuple[Any, ...]:
    return tuple(getattr(rules, field.name) for field in fields(Thresholds))

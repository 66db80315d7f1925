"""The thresholds of contract section 3: the numbers alone. What they decide stands in ``optimizer.scoring_rules``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

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

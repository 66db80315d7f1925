"""The thresholds of contract section 3: the numbers alone. What they decide stands in ``optimizer.scoring_rules``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

Percent = Annotated[float, Field(ge=0, le=100)]
Rate = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class Thresholds:
    """When a prompt is worth optimizing, and how large a step a new version is. Scores and gaps are on 0..100."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    optimization_threshold: Percent = 80.0
    critical_issue_threshold: Annotated[int, Field(ge=1)] = 1
    clarity_efficiency_gap: Percent = 10.0
    low_score_threshold: Percent = 70.0
    min_confidence: Rate = 0.6
    high_confidence: Rate = 0.8
    major_version_min_improvement: Percent = 15.0
    minor_version_min_improvement: Percent = 5.0
    min_success_rate: Rate = 0.8
    max_acceptable_latency_ms: NonNegative = 5000.0
    max_cost_per_request: NonNegative = 0.1
    max_timeout_error_rate: Rate = 0.05
    max_tokens_per_request: NonNegative | None = None

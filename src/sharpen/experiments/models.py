"""What an experiment found, offline or online: one report for the terminal, pages and programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record

Verdict = Literal["win", "loss", "futility", "harm", "undecided", "running", "mismatch"]
"""``win``: a variant is better than the control. ``loss``: every variant is worse. ``futility``: none is better by the
effect of interest. ``harm``: a guardrail stopped what was left. ``undecided``: it was stopped before anything was
proved. ``mismatch``: units are not split as they were assigned, so that nothing can be concluded."""
ComparisonState = Literal["open", "win", "loss", "futility", "harm"]


class Look(Record):
    """One look at one comparison: the estimated difference and its always-valid interval."""

    samples: int
    estimate: float
    low: float
    high: float


class Comparison(Record):
    """A variant against the control on the metric that decides. Differences above 0: the variant is better.

    ``e_better`` and ``e_worse``: the largest wealth of the bets so far; 1 / e is an always-valid p value.
    """

    variant: str
    state: ComparisonState
    reason: str
    samples: int
    estimate: float
    low: float
    high: float
    e_better: float = 1.0
    e_worse: float = 1.0
    looks: tuple[Look, ...] = ()


class MetricRow(Record):
    """One metric of one variant beside the control's. ``low`` and ``high``: always-valid interval of the difference.

    ``method``: ``exact`` holds for any sample; ``asymptotic`` needs some tens of samples (None below). ``goal``: which
    direction is better. ``decides``: the metric that the verdict is about. Units: ``unit``.
    """

    metric: str
    unit: str = ""
    variant: str
    control_mean: float
    variant_mean: float
    difference: float
    low: float | None = None
    high: float | None = None
    samples: int
    method: Literal["exact", "asymptotic"] = "exact"
    goal: Literal["higher", "lower"] = "higher"
    decides: bool = False


class GuardrailCheck(Record):
    """Whether a variant harms a metric by more than its margin. ``known``: enough was seen of it to say so.

    ``low``: the end of ``difference``'s interval on the harmless side; None when it is unknown.
    """

    guardrail: str
    variant: str
    harmed: bool
    samples: int
    difference: float
    low: float | None = None
    allowed: float
    reason: str
    known: bool = True

    @property
    def state(self) -> Literal["broken", "holds", "unknown"]:
        """What becomes of it."""
        if self.harmed:
            return "broken"
        return "holds" if self.known and self.samples else "unknown"


class VariantSummary(Record):
    """One variant: what it stands for, and how much was seen of it. Costs in USD, None when unknown."""

    name: str
    label: str
    control: bool = False
    samples: int = 0
    mean: float | None = None
    calls: int = 0
    cost: float | None = 0.0
    share: float | None = None
    expected_share: float | None = None
    run_ids: tuple[str, ...] = ()
    prompt_hash: str | None = None
    version: str | None = None


class SplitCheck(Record):
    """Whether units came in as they were assigned. ``e_value`` ≥ 1 / ``level`` is a mismatch."""

    mismatch: bool
    e_value: float
    level: float
    counts: dict[str, int]
    expected: dict[str, float]


class Promotion(Record):
    """An alias that the verdict moved, or why it did not. ``version`` None: it was not moved."""

    alias: str
    version: str | None = None
    previous: str | None = None
    reason: str


class ExperimentReport(Record):
    """How an experiment stands, or ended. ``samples``: how many were looked at; ``sample_name``: what they are.

    A sample is a case (offline; all cases of one group are one) or a unit (online). ``available``: how many there are.
    """

    id: str
    kind: Literal["offline", "online"]
    workflow_id: str | None = None
    metric: str
    verdict: Verdict
    winner: str | None = None
    headline: str
    reason: str
    control: str
    variants: tuple[VariantSummary, ...]
    comparisons: tuple[Comparison, ...]
    metrics: tuple[MetricRow, ...] = ()
    guardrails: tuple[GuardrailCheck, ...] = ()
    split: SplitCheck | None = None
    alpha: float
    power: float
    effect: float
    samples: int
    available: int | None = None
    sample_name: str = "case"
    refused: dict[str, int] = Field(default_factory=dict)
    promotion: Promotion | None = None
    stop_reason: str | None = None
    calls: int = 0
    cost: float | None = 0.0
    started_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    finished_at: AwareDatetime | None = None

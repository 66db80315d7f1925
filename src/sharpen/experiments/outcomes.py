"""Outcomes of units, as they come in: which count, and why others do not. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record
from sharpen.experiments.experiment import Experiment


class Outcome(Record):
    """What became of one unit on one metric. ``variant``: what it was served, when the caller knows.

    ``at``: when it happened; ``exposed_at``: when the unit first met its variant, for experiments with a ``window``.
    """

    unit_id: str = Field(min_length=1)
    value: float
    metric: str = "success"
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    variant: str | None = None
    exposed_at: AwareDatetime | None = None


class Refusal(StrEnum):
    """Why an outcome does not count. ``duplicate``: the same value again; ``conflict``: another one."""

    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    LATE = "late"
    NOT_ENROLLED = "not enrolled"
    WRONG_VARIANT = "wrong variant"
    UNKNOWN_METRIC = "unknown metric"
    OUT_OF_RANGE = "out of range"


class Admitted(Record):
    """An outcome that counts, with the variant of its unit; ``value`` capped at the metric's ``high``."""

    unit_id: str
    metric: str
    variant: str
    value: float
    at: AwareDatetime


def admit(experiment: Experiment, outcome: Outcome, stopped_at: datetime | None = None) -> Admitted | Refusal:
    """Whether an outcome counts. Duplicates are for the repository to find: it knows what came before."""
    metric = next((metric for metric in experiment.metrics if metric.name == outcome.metric), None)
    if metric is None:
        return Refusal.UNKNOWN_METRIC
    variant = experiment.assign(outcome.unit_id)
    if variant is None:
        return Refusal.NOT_ENROLLED
    if outcome.variant is not None and outcome.variant != variant:
        return Refusal.WRONG_VARIANT
    if not math.isfinite(outcome.value) or outcome.value < metric.low:
        return Refusal.OUT_OF_RANGE
    if _late(experiment, outcome, stopped_at):
        return Refusal.LATE
    return Admitted(
        unit_id=outcome.unit_id,
        metric=outcome.metric,
        variant=variant,
        value=min(outcome.value, metric.high),
        at=outcome.at,
    )


def _late(experiment: Experiment, outcome: Outcome, stopped_at: datetime | None) -> bool:
    if stopped_at is not None:  # the verdict is spoken, whenever this happened
        return True
    if experiment.ends_at is not None and outcome.at > experiment.ends_at:
        return True
    window, exposed_at = experiment.window, outcome.exposed_at
    return window is not None and exposed_at is not None and outcome.at - exposed_at > window

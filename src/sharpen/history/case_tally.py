"""What the repeats of one case come to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sharpen.executor.models import TaskStatus

_ANSWERED = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED})


class Outcome(NamedTuple):
    """What a comparison needs of one task. Time in seconds; costs in USD, None when unknown."""

    status: TaskStatus
    execution_time: float
    total_tokens: int
    cost: float | None
    saved_cost: float | None
    cached: bool


@dataclass(slots=True)
class CaseTally:
    """A case in one run, its repeats added up. A cancelled repeat counts for nothing.

    ``runs``: repeats that came to an end, ``errors`` those among them without an answer (a timeout is one), which did
    not pass either. Tokens and cost are those of answered repeats; a remembered answer counts with the price that was
    paid for it. Latency is that of answers given in this run: a remembered one's is of another day.
    """

    case_id: str
    passes: int = 0
    runs: int = 0
    errors: int = 0
    cached: int = 0
    tokens_sum: int = 0
    cost_sum: float | None = 0.0
    time_sum: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one repeat."""
        if not outcome.status.completed:
            return
        self.runs += 1
        if outcome.status not in _ANSWERED:
            self.errors += 1
            return
        self.passes += outcome.status is TaskStatus.SUCCEEDED
        self.tokens_sum += outcome.total_tokens
        if outcome.cost is None or outcome.saved_cost is None or self.cost_sum is None:
            self.cost_sum = None
        else:
            self.cost_sum += outcome.cost + outcome.saved_cost
        if outcome.cached:
            self.cached += 1
        else:
            self.time_sum += outcome.execution_time

    def merge(self, other: CaseTally) -> None:
        """Count what another run found of the same case, too."""
        self.passes += other.passes
        self.runs += other.runs
        self.errors += other.errors
        self.cached += other.cached
        self.tokens_sum += other.tokens_sum
        unknown = self.cost_sum is None or other.cost_sum is None
        self.cost_sum = None if unknown else (self.cost_sum or 0.0) + (other.cost_sum or 0.0)
        self.time_sum += other.time_sum

    @property
    def answered(self) -> int:
        """Repeats with an answer."""
        return self.runs - self.errors

    @property
    def pass_rate(self) -> float:
        """Passes of the repeats that ran; 0 without any."""
        return self.passes / self.runs if self.runs else 0.0

    @property
    def mixed(self) -> bool:
        """It passed and it did not: by that alone it is neither always passing nor always failing."""
        return 0 < self.passes < self.runs

    @property
    def latency_ms(self) -> float | None:
        """Mean over answers given anew; None without any."""
        fresh = self.answered - self.cached
        return self.time_sum * 1000 / fresh if fresh else None

    @property
    def tokens(self) -> float | None:
        """Mean of an answered request; None without any."""
        return self.tokens_sum / self.answered if self.answered else None

    @property
    def cost(self) -> float | None:
        """Mean of an answered request in USD; None without any, and when a price is unknown."""
        return self.cost_sum / self.answered if self.answered and self.cost_sum is not None else None

    @property
    def unpriced(self) -> bool:
        """It was answered, and nobody knows at what price."""
        return self.answered > 0 and self.cost_sum is None

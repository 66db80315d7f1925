"""What one call came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharpen.executor.models import FailedAttempt
from sharpen.targets.base import Failure, TargetResponse, Usage


@dataclass(slots=True)
class CallOutcome:
    """A response or a failure. Times in seconds, cost in USD (None: unknown).

    ``execution_time`` is the last attempt's; ``wait_time`` what slots (``queue_time``), rate limits (``limit_time``)
    and back-off added. Tokens and cost include what failed attempts used up; ``saved_cost`` is what a remembered answer
    cost when it was paid for. ``hedges``: second calls among the ``attempts``. ``refusals``: those refused by a server
    that served others, the first at ``refused_at`` by the caller's clock; ``refused_in``: the latest ``Refusals.era``
    in which it was; ``places``: the most calls under way at the next attempt, itself included (None: any).
    ``stopped``: not called to an end, because the run was stopped.
    """

    response: TargetResponse | None = None
    failure: Failure | None = None
    attempts: int = 0
    hedges: int = 0
    refusals: int = 0
    refused_at: float = 0.0
    refused_in: int = -1
    places: int | None = None
    execution_time: float = 0.0
    wait_time: float = 0.0
    queue_time: float = 0.0
    limit_time: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    saved_cost: float | None = 0.0
    cached: bool = False
    stopped: bool = False
    failed_attempts: list[FailedAttempt] = field(default_factory=list)

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def join(self, other: CallOutcome) -> None:
        """Add the calls that another outcome counts, and what they used."""
        self.attempts += other.attempts
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cost = None if other.cost is None or self.cost is None else self.cost + other.cost

    def spend(self, usage: Usage, cost: float | None) -> None:
        """Add what one attempt used; an unknown price makes the sum unknown."""
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cost = None if cost is None or self.cost is None else self.cost + cost

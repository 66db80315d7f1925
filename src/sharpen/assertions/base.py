"""The seam of an assertion: one context in, one verdict out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sharpen.config.assertions import AssertionPart
from sharpen.errors import ErrorKind
from sharpen.targets.base import Message, TargetResponse

Judge = Callable[[tuple[Message, ...]], Awaitable[TargetResponse]]
"""One judge call with the executor's retries, limits and budget behind it. Raises ``TargetError``."""


@dataclass(frozen=True, slots=True)
class AssertionContext:
    """What an assertion may look at. ``output`` is transformed already; ``value`` is rendered already."""

    output: str
    raw_output: str
    value: Any = None
    expected: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    case_id: str = ""
    latency_ms: float = 0.0
    cost: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says; ``score`` in 0..1. ``reason`` is shown to the user when the assertion fails."""

    passed: bool
    score: float
    reason: str = ""

    @classmethod
    def of(cls, passed: bool, reason: str = "") -> Verdict:
        """A plain pass or fail."""
        return cls(passed, 1.0 if passed else 0.0, reason)


class AssertionResult(BaseModel):
    """One assertion's outcome on one case, as it is stored. ``error`` is set when the assertion itself broke."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    passed: bool
    score: float = Field(ge=0, le=1)
    weight: float = Field(default=1.0, ge=0)
    reason: str = ""
    error: ErrorKind | None = None


class Assertion(ABC):
    """A compiled assertion: built once for a plan, checked for every case, free of per-case state."""

    @abstractmethod
    def __init__(self, config: AssertionPart) -> None:
        """``config`` is the plan's own entry, already validated; ``not-`` is none of this class's business."""

    @abstractmethod
    def check(self, context: AssertionContext) -> Verdict | Awaitable[Verdict]:
        """Judge one output. May be a coroutine function. Whatever it raises becomes this assertion's failure."""

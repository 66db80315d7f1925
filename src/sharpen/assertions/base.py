"""The seam of an assertion: one context in, one verdict out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

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
    """What one check says; ``score`` in 0..1. ``reason`` is shown to the user when the assertion fails.

    ``decided`` False: there was nothing to judge on (an unknown cost). Fails, whether the assertion is negated or not.
    """

    passed: bool
    score: float
    reason: str = ""
    decided: bool = True

    @classmethod
    def of(cls, passed: bool, reason: str = "") -> Verdict:
        """A plain pass or fail."""
        return cls(passed, 1.0 if passed else 0.0, reason)

    @classmethod
    def undecided(cls, reason: str) -> Verdict:
        """Nothing to judge on: fails even under ``not-``."""
        return cls(False, 0.0, reason, decided=False)


PASSED = Verdict(True, 1.0)
"""The plain pass, shared: most checks say nothing else."""


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

    templated: ClassVar[bool] = True
    """The plan's ``value`` is a template: ``context.value`` is rendered for each case. False: taken as it stands."""

    @abstractmethod
    def __init__(self, config: AssertionPart) -> None:
        """``config`` is the plan's own entry, already validated; ``not-`` is none of this class's business.

        A class outside sharpen also gets the entry's ``options``, as keyword arguments. Raises ``PlanError`` for what
        can be known to be wrong before any case runs.
        """

    @classmethod
    def from_config(cls, config: AssertionPart, base_dir: Path | None) -> Self:  # noqa: ARG003 - for those that load code
        """Build a built-in from the plan's entry; ``base_dir`` is the plan's directory."""
        return cls(config)

    @abstractmethod
    def check(self, context: AssertionContext) -> Verdict | Awaitable[Verdict]:
        """Judge one output. May be a coroutine function. Whatever it raises becomes this assertion's failure."""

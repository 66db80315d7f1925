"""The test plan as typed, frozen data: ``RunManifest`` and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from sharpen.config.assertions import AssertionConfig
from sharpen.config.base import PlanPart, PlanPath
from sharpen.config.prompts import PromptMessage, PromptTemplate
from sharpen.config.rules import Thresholds
from sharpen.config.targets import TargetConfig

__all__ = [
    "Budget", "Case", "DatasetConfig", "ExecutionConfig", "OptimizeConfig", "PromptMessage", "PromptTemplate",
    "RateLimit", "RunManifest", "SplitConfig", "Thresholds",
]  # fmt: skip


class Case(PlanPart):
    """One test case. ``expected`` is also a variable of assertion templates, never of the prompt."""

    id: str = Field(min_length=1)
    vars: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None
    assertions: tuple[AssertionConfig, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)


class DatasetConfig(PlanPart):
    """Where the cases come from: a file, or the cases themselves."""

    path: PlanPath | None = None
    format: Literal["jsonl", "json", "csv", "yaml", "parquet"] | None = Field(
        default=None, description="Left out: by the file's ending."
    )
    limit: int | None = Field(default=None, ge=1, description="Only the first so many cases.")
    cases: tuple[Case, ...] | None = None


class RateLimit(PlanPart):
    """What the provider allows. Requests count attempts; tokens are estimated before and settled after each call."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


class Budget(PlanPart):
    """What may be spent; checked before every attempt (retries and judge calls count)."""

    max_calls: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_cost_usd: float | None = Field(default=None, gt=0)


class ExecutionConfig(PlanPart):
    """How the cases are run."""

    concurrency: int = Field(default=16, ge=1, le=4096)
    timeout_s: float = Field(default=60.0, gt=0, description="Deadline of one attempt, in seconds.")
    max_retries: int = Field(default=3, ge=0, le=100)
    repeats: int = Field(default=1, ge=1, le=1000)
    rate_limit: RateLimit = RateLimit()
    budget: Budget = Budget()
    cache: bool = Field(default=True, description="Answer a call that was made before from the store, at no cost.")


class SplitConfig(PlanPart):
    """Shares of the cases that propose (train), select (dev) and prove (holdout). They must add up to 1."""

    train: float = Field(default=0.3, gt=0, lt=1)
    dev: float = Field(default=0.3, gt=0, lt=1)
    holdout: float = Field(default=0.4, gt=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.dev + self.holdout
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + dev + holdout is {total:g}, must be 1")
        return self


class OptimizeConfig(PlanPart):
    """How candidates are searched and proved."""

    strategies: tuple[str, ...] = Field(default=("auto",), min_length=1)
    rewriter: TargetConfig | None = None
    budget: Budget = Budget(max_calls=600)
    split: SplitConfig = SplitConfig()
    alpha: float = Field(default=0.05, gt=0, lt=1)


class RunManifest(PlanPart):
    """A whole test plan, ready to run: prompt read, cases at hand, every value checked."""

    workflow_id: str = Field(min_length=1)
    description: str = ""
    prompt: PromptTemplate
    target: TargetConfig
    dataset: DatasetConfig
    assertions: tuple[AssertionConfig, ...] = ()
    execution: ExecutionConfig = ExecutionConfig()
    rules: Thresholds = Thresholds()
    optimize: OptimizeConfig = OptimizeConfig()

    _source: Path | None = PrivateAttr(default=None)

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: tuple[str, ...] = ()) -> Self:
        """Read a plan (YAML or JSON). ``overrides`` are ``key.path=value`` texts. Raises ``PlanError``."""
        from sharpen.config.loader import load_manifest

        return load_manifest(cls, Path(path), overrides)

    @property
    def source(self) -> Path | None:
        """The plan's file; None when the manifest was built in Python."""
        return self._source

    @property
    def base_dir(self) -> Path:
        """Where the plan stands (the working directory for a manifest built in Python)."""
        return self._source.parent if self._source else Path.cwd()

    def iter_cases(self) -> Iterator[Case]:
        """The cases in order, streamed from the file. Raises ``PlanError``, ``EmptyDatasetError``."""
        from sharpen.config.datasets import iter_cases

        return iter_cases(self.dataset)

    def with_prompt(self, prompt: PromptTemplate) -> Self:
        """The same plan with another prompt."""
        return self.model_copy(update={"prompt": prompt})

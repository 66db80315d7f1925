"""The test plan as typed, frozen data: ``RunManifest`` and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from sharpen.config.assertions import AssertionConfig
from sharpen.config.base import Float, Int, PlanPart, PlanPath, resolve_path
from sharpen.config.prompts import PromptMessage, PromptTemplate
from sharpen.config.rules import PlanRules, Thresholds
from sharpen.config.targets import TargetConfig
from sharpen.config.weights import Weights

if TYPE_CHECKING:
    from sharpen.config.case_set import CaseSet

__all__ = [
    "Budget", "Case", "DatasetConfig", "ExecutionConfig", "HedgeConfig", "OptimizeConfig", "PromptMessage",
    "PromptTemplate", "RateLimit", "RunManifest", "SplitConfig", "Thresholds",
    "Weights",
]  # fmt: skip


def default_case_id(number: int) -> str:
    """The id of a case that has none of its own; ``number`` counts the data set's cases from 1 (``case-0001``)."""
    return f"case-{number:04d}"


class Case(PlanPart):
    """One test case. ``expected`` is also a variable of assertion templates, never of the prompt."""

    id: str = Field(
        min_length=1, description="Unique in the data set. Left out: `case-0001` and so on, by place in the data set."
    )
    vars: dict[str, Any] = Field(default_factory=dict, description="The variables of the prompt, by name.")
    expected: Any = Field(default=None, description="The right answer: `{{ expected }}` of assertions.")
    assertions: tuple[AssertionConfig, ...] = Field(default=(), description="For this case alone, beside the plan's.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Anything you want to find again in results.")
    group: str | None = Field(
        default=None,
        min_length=1,
        description="What the case shares with others (a document, a customer): cases of one group stay in one part of "
        "the split and count once in a proof. Left out: `metadata.group`, if there is one.",
    )

    @field_validator("vars")
    @classmethod
    def _expected_stands_apart(cls, variables: dict[str, Any]) -> dict[str, Any]:
        if "expected" in variables:
            raise ValueError("'expected' is no variable: write it beside 'vars', or the prompt could leak the answer")
        return variables


DataFormat = Literal["jsonl", "json", "csv", "yaml", "parquet"]
FORMAT_OF: dict[str, DataFormat] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".yaml": "yaml", ".yml": "yaml",
    ".parquet": "parquet",
}  # fmt: skip
"""Which format a file's ending means."""


class DatasetConfig(PlanPart):
    """Where the cases come from: a file, or the cases themselves. A path or a list may stand in its place."""

    path: PlanPath | None = Field(default=None, description="The file; a relative path starts at the plan.")
    format: DataFormat | None = Field(
        default=None,
        description="Left out: by the file's ending (`.jsonl .ndjson .json .csv .yaml .yml .parquet`).",
    )
    limit: Int | None = Field(default=None, ge=1, description="Only the first so many cases; the rest is not read.")
    cases: tuple[Case, ...] | None = Field(default=None, description="The cases themselves, instead of `path`.")

    @model_validator(mode="before")
    @classmethod
    def _from_short_forms(cls, data: Any) -> Any:
        if isinstance(data, str | Path):
            data = {"path": data}
        elif isinstance(data, list | tuple):
            data = {"cases": data}
        if isinstance(data, dict) and isinstance(data.get("cases"), list | tuple):
            numbered = enumerate(data["cases"], start=1)
            filled = [{"id": default_case_id(n), **case} if isinstance(case, dict) else case for n, case in numbered]
            return {**data, "cases": filled}
        return data

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.cases is None):
            raise ValueError("needs either 'path' or 'cases'")
        if self.path is None and self.format is not None:
            raise ValueError("'format' says how to read a file, and 'cases' stand in the plan")
        if self.path is not None and self.file_format is None:
            raise ValueError(
                f"the ending of {self.path.name!r} tells no format; "
                f"name one in 'format': {', '.join(get_args(DataFormat))}"
            )
        seen: dict[str, int] = {}
        for number, case in enumerate(self.cases or (), start=1):
            first = seen.setdefault(case.id, number)
            if first != number:
                raise ValueError(f"cases {first} and {number} share the id {case.id!r}")
        return self

    @property
    def file_format(self) -> DataFormat | None:
        """``format``, or what the file's ending means."""
        return self.format or (FORMAT_OF.get(self.path.suffix.lower()) if self.path else None)


class RateLimit(PlanPart):
    """What the provider allows. Requests count attempts; tokens are estimated before and settled after each call."""

    requests_per_minute: Float | None = Field(default=None, gt=0, description="Attempts a minute.")
    tokens_per_minute: Float | None = Field(default=None, gt=0, description="Prompt and completion tokens a minute.")


class Budget(PlanPart):
    """What may be spent; checked before every attempt (retries and judge calls count)."""

    max_calls: Int | None = Field(default=None, ge=1, description="Attempts in all.")
    max_tokens: Int | None = Field(default=None, ge=1, description="Prompt and completion tokens in all.")
    max_cost_usd: Float | None = Field(default=None, gt=0, description="USD in all; needs a known price.")
    max_seconds: Float | None = Field(
        default=None, gt=0, description="Wall clock from the first call on; none starts later, those under way finish."
    )


class HedgeConfig(PlanPart):
    """A second call for one that is late: the first answer counts, the other call is cancelled."""

    after_percentile: Float = Field(
        default=95.0, ge=50, lt=100, description="Late is a call that takes longer than so many percent of the latest."
    )
    max_extra: Float = Field(default=0.05, gt=0, le=1, description="Second calls, as a share of all calls, at most.")


class ExecutionConfig(PlanPart):
    """How the cases are run."""

    concurrency: Int = Field(default=16, ge=1, le=4096, description="Calls in flight at once.")
    timeout_s: Float = Field(default=60.0, gt=0, description="Deadline of one attempt, in seconds.")
    max_retries: Int = Field(
        default=3,
        ge=0,
        le=100,
        description="Further attempts after a failure that may pass (timeout, 5xx, 429). Limits get up to eight more.",
    )
    repeats: Int = Field(default=1, ge=1, le=1000, description="How often each case is run.")
    rate_limit: RateLimit = Field(default=RateLimit(), description="What the provider allows.")
    budget: Budget = Field(default=Budget(), description="What one run may spend.")
    hedge: HedgeConfig | None = Field(
        default=None, description="Second calls for late ones; left out: none. `{}`: with the values below."
    )
    cache: bool = Field(default=True, description="Answer a call that was made before from the store, at no cost.")


class SplitConfig(PlanPart):
    """Shares of the cases that propose (train), select (dev) and prove (holdout). They must add up to 1."""

    train: Float = Field(default=0.3, gt=0, lt=1, description="Share that strategies may look at.")
    dev: Float = Field(default=0.3, gt=0, lt=1, description="Share on which candidates are compared.")
    holdout: Float = Field(default=0.4, gt=0, lt=1, description="Share that only the proof sees.")
    seed: Int = Field(default=0, description="Another seed, another split.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.dev + self.holdout
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + dev + holdout is {total:g}, must be 1")
        return self


class OptimizeConfig(PlanPart):
    """How candidates are searched and proved."""

    engine: str = Field(
        default="race",
        min_length=1,
        description="What searches: `race` (ours), `gepa` or `mipro` (extras `gepa`, `dspy`), or `module:Class`.",
    )
    strategies: tuple[str, ...] = Field(
        default=("auto",),
        min_length=1,
        description="Strategies to try, in order (one or a list). `auto`: what the decision suggests first.",
    )
    candidates: tuple[PromptTemplate, ...] = Field(
        default=(),
        description="Prompts of your own to try beside the strategies' proposals, each written like `prompt`.",
    )
    rewriter: TargetConfig | None = Field(
        default=None, description="A model that proposes rewrites, written like `target`; needed by `rewrite` alone."
    )
    budget: Budget = Field(
        default=Budget(max_calls=600), description="What the whole search may spend; left out: 600 calls."
    )
    learn: bool = Field(
        default=True,
        description="Let earlier searches of the store order what `auto` stands for, where a replay shows it helps.",
    )
    split: SplitConfig = Field(default=SplitConfig(), description="How the cases are divided.")
    alpha: Float = Field(default=0.05, gt=0, lt=1, description="Accepted probability of keeping a change that is none.")
    group: str | None = Field(
        default=None,
        min_length=1,
        description="The metadata key or variable that says which cases belong together, for cases without a `group`.",
    )
    margin: Float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="How much lower a cheaper prompt's pass rate may be (0.05: at most five points); it is tested.",
    )
    weights: Weights | None = Field(
        default=None,
        description="Choose among the candidates on the Pareto front by a weighted sum instead of by pass rate alone.",
    )

    @field_validator("strategies", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class _Surveyed:
    """The data set as it was last read, which says nothing about the plan: all of these are equal."""

    __slots__ = ("cases",)

    def __init__(self, cases: CaseSet | None = None) -> None:
        self.cases = cases

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Surveyed)

    __hash__ = None  # type: ignore[assignment] # mutable


class RunManifest(PlanPart):
    """A whole test plan, ready to run: prompt read, cases at hand, every value checked."""

    workflow_id: str = Field(min_length=1, description="The name under which runs and prompt versions are kept.")
    description: str = Field(default="", description="What the prompt is for, in a line.")
    prompt: PromptTemplate = Field(description="A file, or `{system: …, user: …}`, or a list of `{role, content}`.")
    target: TargetConfig = Field(description="What is called.")
    dataset: DatasetConfig = Field(description="A file, or `{path: …}`, or the list of cases itself.")
    assertions: tuple[AssertionConfig, ...] = Field(
        default=(), description="What holds for every case; a case may add its own."
    )
    execution: ExecutionConfig = Field(default=ExecutionConfig(), description="How the cases are run.")
    rules: PlanRules = Field(default=PlanRules(), description="When a prompt is worth optimizing.")
    optimize: OptimizeConfig = Field(default=OptimizeConfig(), description="How candidates are searched and proved.")

    _source: Path | None = PrivateAttr(default=None)
    _surveyed: _Surveyed = PrivateAttr(default_factory=_Surveyed)

    @field_validator("prompt", mode="before")
    @classmethod
    def _from_file(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, str | Path):
            return data
        from sharpen.config.prompt_files import read_prompt

        return read_prompt(resolve_path(Path(data), (info.context or {}).get("base_dir"))).template()

    @field_validator("rules", mode="before")
    @classmethod
    def _of_thresholds(cls, rules: Any) -> Any:
        """Rules built in Python may be thresholds alone."""
        if isinstance(rules, Thresholds) and not isinstance(rules, PlanRules):
            return PlanRules(**{field.name: getattr(rules, field.name) for field in fields(Thresholds)})
        return rules

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

    def case_set(self) -> CaseSet:
        """The cases as a collection, of which a large one is never in memory as a whole.

        The first call reads and checks the whole data set, later ones only if its file has changed since. Raises
        ``PlanError`` (``EmptyDatasetError``), ``MissingExtraError``.
        """
        from sharpen.config.case_set import CaseSet

        known = self._surveyed.cases
        if known is None or known.dataset is not self.dataset or known.changed:
            known = self._surveyed.cases = CaseSet.survey(self.dataset)
        return known

    def iter_cases(self) -> Iterator[Case]:
        """The cases in order; see ``case_set``. Raises ``PlanError``, ``EmptyDatasetError``."""
        return iter(self.case_set())

    def with_prompt(self, prompt: PromptTemplate) -> Self:
        """The same plan with another prompt."""
        return self.model_copy(update={"prompt": prompt})

    def with_source(self, source: Path | None) -> Self:
        """The same plan, standing where ``source`` stands (a stored plan that is loaded again)."""
        copy = self.model_copy()
        copy._source = source
        return copy

"""The optimizer's models (contract section 2). It is the consumer of reports, so it owns the report's shape."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field

from sharpen.config.models import OptimizeConfig
from sharpen.config.prompts import PromptMessage, PromptTemplate
from sharpen.executor.models import AwareDatetime, Record, RunExecutionResult
from sharpen.optimizer.execution_report import ErrorDistribution, TestExecutionReport
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.recommending.models import Recommendation

__all__ = [
    "AnalysisIssue",
    "CandidateReport",
    "Change",
    "Decision",
    "ErrorDistribution",
    "Metrics",
    "OptimizationConfig",
    "OptimizationOutcome",
    "OptimizationResult",
    "PairedCase",
    "Prompt",
    "PromptAnalysis",
    "PromptMessage",
    "ProofLook",
    "Severity",
    "StrategyShare",
    "TestExecutionReport",
    "Trigger",
    "Verification",
]


class Severity(StrEnum):
    """How bad an issue of a prompt is; one critical issue alone is reason to optimize."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class TextEdit(Record):
    """Replace the characters ``start`` to ``end`` (offsets in one message) by ``replacement``."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    replacement: str = ""


class AnalysisIssue(Record):
    """One finding of the static analysis. Lines and columns count from 1 within the message ``message_index``.

    ``type`` is the rule's id (``SP001``), ``name`` its readable name; ``start``/``end`` are character offsets.
    ``edits`` mend it in its own message and change nothing else; only a ``fixable`` issue has any.
    """

    type: str
    severity: Severity
    description: str
    suggestion: str
    name: str = ""
    message_index: int = Field(default=0, ge=0)
    start: int = Field(default=0, ge=0)
    end: int = Field(default=0, ge=0)
    line: int = Field(default=1, ge=1)
    column: int = Field(default=1, ge=1)
    fixable: bool = False
    edits: tuple[TextEdit, ...] = ()


class PromptAnalysis(Record):
    """Static scores of a prompt on 0..100 and what lowers them. Nothing was called to find them."""

    prompt_id: str
    overall_score: float = Field(ge=0, le=100)
    clarity_score: float = Field(ge=0, le=100)
    efficiency_score: float = Field(ge=0, le=100)
    issues: tuple[AnalysisIssue, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def critical_issues(self) -> tuple[AnalysisIssue, ...]:
        return tuple(issue for issue in self.issues if issue.severity is Severity.CRITICAL)


class Prompt(PromptTemplate):
    """A prompt with a name: the unit that is analysed, optimized and versioned."""

    id: str = Field(min_length=1)
    workflow_id: str = ""

    @classmethod
    def of(cls, template: PromptTemplate, id: str, workflow_id: str = "") -> Prompt:
        """Name a template."""
        return cls(id=id, workflow_id=workflow_id, messages=template.messages)

    def with_messages(self, messages: tuple[PromptMessage, ...]) -> Self:
        """The same prompt with other contents."""
        return self.model_copy(update={"messages": messages})


class OptimizationConfig(OptimizeConfig):
    """The plan's ``optimize`` block plus what only callers in Python set."""

    score_threshold: float = Field(default=80.0, ge=0, le=100)


class Trigger(Record):
    """One reason to optimize: the metric, what was observed and the threshold it crossed."""

    metric: str
    observed: float
    threshold: float
    comparison: Literal["<", ">", ">="]
    reason: str


class Decision(Record):
    """The whole story of a decision. ``skipped`` names rules that could not be judged, and why."""

    should_optimize: bool
    triggers: tuple[Trigger, ...] = ()
    strategy: str
    strategy_reason: str = ""
    skipped: tuple[str, ...] = ()


class Change(Record):
    """One edit of a prompt: which rule made it and why."""

    rule_id: str
    reason: str
    before: str = ""
    after: str = ""


class Metrics(Record):
    """What one prompt did on one set of cases. Latency in ms, cost in USD (None: unknown)."""

    cases: int = Field(ge=0)
    success_rate: float = Field(ge=0, le=1)
    mean_score: float | None = Field(default=None, ge=0, le=1)
    avg_latency_ms: float = Field(default=0.0, ge=0)
    p95_latency_ms: float | None = Field(default=None, ge=0)
    tokens_per_request: float = Field(default=0.0, ge=0)
    cost_per_request: float | None = Field(default=None, ge=0)
    timeout_rate: float = Field(default=0.0, ge=0, le=1)


class CandidateReport(Record):
    """One candidate of a search: where it came from, what it scored on dev, what it cost to know.

    ``fixed`` and ``broken``: of the dev cases it saw, those that it passed and the seed prompt failed, and the reverse
    (fractions with repeats; None when nothing was measured). ``score``: the weighted sum of the plan's ``weights`` over
    the dev cases it saw, 0 for the seed prompt (None: no weights). ``broken_limits``: rules that it newly breaks on
    these, for which it was not chosen.
    """

    id: str
    strategy: str
    parent_id: str | None = None
    prompt: Prompt
    changes: tuple[Change, ...] = ()
    dev: Metrics | None = None
    calls: int = Field(default=0, ge=0)
    status: Literal["dropped", "finalist", "winner", "unevaluated"] = "unevaluated"
    note: str = ""
    score: float | None = None
    fixed: float | None = Field(default=None, ge=0)
    broken: float | None = Field(default=None, ge=0)
    broken_limits: tuple[str, ...] = ()


class StrategyShare(Record):
    """How many candidates a strategy ``offered`` in a generation (from 1), how many ``entered`` the race, and why."""

    generation: int = Field(ge=1)
    strategy: str
    offered: int = Field(ge=0)
    entered: int = Field(ge=0)
    reason: str = ""


class PairedCase(Record):
    """One holdout case under both prompts; rates are over repeats."""

    case_id: str
    baseline: float = Field(ge=0, le=1)
    candidate: float = Field(ge=0, le=1)


class ProofLook(Record):
    """One look of a sequential proof: all cases seen by then, and what it would have taken to win there.

    ``gain`` and ``needed`` are sums of differences in pass rate over the cases, so in cases (None: no outcome could
    have won at this look). ``p_value`` is this look's alone and two-sided, and ``threshold`` what it had to reach.
    """

    cases: int = Field(ge=0)
    units: int = Field(ge=0)
    fixed: int = Field(ge=0)
    broken: int = Field(ge=0)
    gain: float
    needed: float | None = None
    p_value: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)


class Verification(Record):
    """The proof on held-out cases. ``effect`` = candidate − baseline success rate, with its (1 − alpha) interval.

    ``fixed``: failed before, passes now; ``broken``: the reverse. ``p_value``: two-sided (twice the one-sided), of the
    whole procedure when it was sequential; it is at most ``threshold`` exactly when the test is won. ``threshold`` is
    ``alpha``, corrected for ``earlier_looks`` at these cases (None: ``alpha`` itself). ``units``: what counts as
    independent, groups or single cases (0: every case). ``planned_cases``: the holdout cases that could be looked at.
    ``claim`` "non_inferior": at most ``margin`` (0..1) worse, for fewer tokens; ``token_change``: candidate / baseline
    tokens − 1 on these cases.
    """

    accepted: bool
    reason: str
    alpha: float
    test: str
    holdout_cases: int = Field(ge=0)
    fixed: int = Field(ge=0)
    broken: int = Field(ge=0)
    effect: float = Field(ge=-1, le=1)
    effect_low: float = Field(ge=-1, le=1)
    effect_high: float = Field(ge=-1, le=1)
    p_value: float = Field(ge=0, le=1)
    baseline: Metrics
    candidate: Metrics
    broken_limits: tuple[str, ...] = ()
    pairs: tuple[PairedCase, ...] = ()
    claim: Literal["better", "non_inferior"] = "better"
    margin: float | None = None
    token_change: float | None = None
    stopped: Literal["win", "futility", "end", "incomplete"] = "end"
    looks: tuple[ProofLook, ...] = ()
    units: int = Field(default=0, ge=0)
    planned_cases: int = Field(default=0, ge=0)
    threshold: float | None = None
    earlier_looks: int = Field(default=0, ge=0)


class OptimizationResult(Record):
    """A better prompt, or the best one that could not be proved better.

    ``improvement_score`` is in points on 0..100 and ``confidence`` in 0..1. ``basis`` says what they rest on:
    ``measured`` (success rate on held-out cases; confidence = 1 − p) or ``static`` (change of the analysis score;
    nothing was called).
    """

    workflow_id: str
    strategy: str
    original_prompt: Prompt
    optimized_prompt: Prompt
    improvement_score: float = Field(ge=-100, le=100)
    confidence: float = Field(ge=0, le=1)
    basis: Literal["measured", "static"]
    changes: tuple[Change, ...] = ()
    accepted: bool = False
    verification: Verification | None = None
    version_bump: Literal["major", "minor", "patch"] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class OptimizationOutcome(Record):
    """Everything one ``sharpen optimize`` found: what is shown, stored and printed as JSON.

    ``result`` is None when nothing was worth optimizing. ``holdout_run`` is the finalist's run on the holdout split.
    ``version`` is the new version when the proof accepted it, ``draft`` the version text of a kept draft otherwise.
    ``calls`` counts every attempt made, retries, rewriter and judge calls included; cost in USD (None: unknown).
    ``engine``: what searched.
    ``patterns``: what went wrong with the baseline on train and dev; never on held-out cases, nobody may tune by them.
    ``recommendation``: in which order the strategies were tried, and what earlier searches had to say to that.
    ``notes``: what a reader should know beside the verdict, a sentence each. ``shares``: how many candidates of each
    strategy raced.
    """

    run_id: str
    workflow_id: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    baseline_run: RunExecutionResult
    baseline: TestExecutionReport
    analysis: PromptAnalysis
    decision: Decision
    split: dict[Literal["train", "dev", "holdout"], tuple[str, ...]] = Field(default_factory=dict)
    candidates: tuple[CandidateReport, ...] = ()
    result: OptimizationResult | None = None
    verification: Verification | None = None
    holdout_run: RunExecutionResult | None = None
    version: str | None = None
    draft: str | None = None
    calls: int = Field(default=0, ge=0)
    tokens: int = Field(default=0, ge=0)
    cost: float | None = Field(default=0.0, ge=0)
    stop_reason: str | None = None
    patterns: ErrorPatterns | None = None
    engine: str = "race"
    recommendation: Recommendation | None = None
    notes: tuple[str, ...] = ()
    shares: tuple[StrategyShare, ...] = ()

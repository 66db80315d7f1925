"""Analyse → decide → choose a strategy → optimize: the optimizer's front door.

With a ``Measurement`` prompts are tried on cases and the winner is proved on held-out ones; without, the strategies'
rewrites are compared by static analysis alone, which is a weak argument and says so (``basis: static``).
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sharpen.config.prompts import PromptTemplate
from sharpen.config.rules import Thresholds
from sharpen.errors import UserError
from sharpen.optimizer.analysis.analyzer import LintContext, analyze
from sharpen.optimizer.engine import Engine, SearchOutcome
from sharpen.optimizer.error_patterns import strategies_for
from sharpen.optimizer.legacy import resolve_results
from sharpen.optimizer.models import (
    Decision,
    OptimizationConfig,
    OptimizationResult,
    Prompt,
    PromptAnalysis,
    Severity,
    TestExecutionReport,
)
from sharpen.optimizer.ports import SearchObserver
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.registry import build_strategy, expand

T = TypeVar("T")
STATIC_CONFIDENCE_CEILING = 0.5  # below ScoringRules.min_confidence: an unmeasured gain is never to be relied on


def analyze_prompt(prompt: Prompt | str, context: LintContext | None = None) -> PromptAnalysis:
    """Static scores and issues of a prompt; nothing is called. A text is taken as one user message."""
    return analyze(_as_prompt(prompt), context)


def extract_prompt_from_workflow(workflow_id: str, directory: str | Path = ".") -> Prompt:
    """The prompt of a workflow: of the plan in ``directory`` that has this ``workflow_id``.

    Raises ``UserError`` that says where was looked when there is none, ``PlanError`` when the plan has mistakes.
    """
    from sharpen.config.settings import find_plan

    manifest = find_plan(workflow_id, Path(directory))
    return Prompt.of(manifest.prompt, id=workflow_id, workflow_id=workflow_id)


class OptimizerService:
    """Decides and optimizes by ``rules``. Stateless: one service may serve many prompts."""

    def __init__(self, rules: Thresholds | None = None, observer: SearchObserver | None = None) -> None:
        self.rules = rules if isinstance(rules, ScoringRules) else ScoringRules.of(rules or Thresholds())
        self._observer = observer

    def decide(
        self,
        analysis: PromptAnalysis,
        test_results: TestExecutionReport | None = None,
        *,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
    ) -> Decision:
        """See ``ScoringRules.decide``."""
        return self.rules.decide(analysis, resolve_results(test_results, baseline_metrics), config=config)

    def should_optimize(
        self,
        analysis: PromptAnalysis,
        test_results: TestExecutionReport | None = None,
        *,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
    ) -> bool:
        """The verdict of ``decide``."""
        results = resolve_results(test_results, baseline_metrics)
        return self.rules.decide(analysis, results, config=config).should_optimize

    def run_optimization_cycle(
        self,
        workflow_id: str,
        prompt: Prompt | str | None = None,
        test_results: TestExecutionReport | None = None,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
        measurement: Measurement | None = None,
    ) -> OptimizationResult | None:
        """The whole cycle; None when nothing needs optimizing. Not for use inside an event loop."""
        results = resolve_results(test_results, baseline_metrics, workflow_id)
        return _run(self.run_optimization_cycle_async(workflow_id, prompt, results, None, config, measurement))

    async def run_optimization_cycle_async(
        self,
        workflow_id: str,
        prompt: Prompt | str | None = None,
        test_results: TestExecutionReport | None = None,
        baseline_metrics: Mapping[str, Any] | None = None,
        config: OptimizationConfig | None = None,
        measurement: Measurement | None = None,
    ) -> OptimizationResult | None:
        """``run_optimization_cycle`` for callers inside an event loop."""
        results = resolve_results(test_results, baseline_metrics, workflow_id)
        found = extract_prompt_from_workflow(workflow_id) if prompt is None else _as_prompt(prompt, workflow_id)
        decision = self.rules.decide(analyze_prompt(found), results, config=config)
        if not decision.should_optimize:
            return None
        return await self.optimize_async(found, decision.strategy, config=config, measurement=measurement)

    def optimize(
        self,
        prompt: Prompt | str,
        strategy: str,
        *,
        config: OptimizationConfig | None = None,
        measurement: Measurement | None = None,
    ) -> OptimizationResult:
        """Improve ``prompt`` with ``strategy`` (a name of the registry). Not for use inside an event loop."""
        return _run(self.optimize_async(prompt, strategy, config=config, measurement=measurement))

    async def optimize_async(
        self,
        prompt: Prompt | str,
        strategy: str,
        *,
        config: OptimizationConfig | None = None,
        measurement: Measurement | None = None,
    ) -> OptimizationResult:
        """``optimize`` for callers inside an event loop. Raises ``UnknownNameError`` for an unknown strategy."""
        found = _as_prompt(prompt)
        if measurement is None:
            return await self._optimize_static(found, strategy)
        settings = (config or OptimizationConfig()).model_copy(update={"strategies": (strategy,)})
        outcome = await self.search(found, analyze_prompt(found), strategy, settings, measurement)
        return self.result_of(found, outcome, strategy)

    async def search(
        self,
        prompt: Prompt,
        analysis: PromptAnalysis,
        suggested: str,
        config: OptimizationConfig,
        measurement: Measurement,
    ) -> SearchOutcome:
        """Search and prove with ``config.strategies``, where ``auto`` tries ``suggested`` first.

        Then those that the failures on train and dev call for, then all others; or all as earlier searches recommend.
        """
        promising, learned = strategies_for(measurement.patterns), measurement.learned
        names = expand(config.strategies, suggested, measurement.rewrite is not None, promising, learned)
        return await Engine(measurement, names, config, self.rules, self._observer).run(prompt, analysis)

    def result_of(self, prompt: Prompt, outcome: SearchOutcome, suggested: str) -> OptimizationResult:
        """The measured result. ``confidence`` is 1 − p of the proof; 0 when nothing reached a proof."""
        winner, proof = outcome.winner, outcome.verification
        if winner is None or proof is None:
            return OptimizationResult(
                workflow_id=prompt.workflow_id,
                strategy=suggested,
                original_prompt=prompt,
                optimized_prompt=winner.candidate.prompt if winner else prompt,
                improvement_score=0.0,
                confidence=0.0,
                basis="measured",
                changes=winner.candidate.changes if winner else (),
                metadata={"reason": outcome.stop_reason or "no candidate did better than the prompt on the dev split"},
            )
        improvement = 100 * proof.effect
        return OptimizationResult(
            workflow_id=prompt.workflow_id,
            strategy=winner.candidate.strategy,
            original_prompt=prompt,
            optimized_prompt=winner.candidate.prompt,
            improvement_score=improvement,
            confidence=max(0.0, 1 - proof.p_value) if proof.accepted or proof.effect > 0 else 0.0,
            basis="measured",
            changes=_all_changes(outcome, winner.id),
            accepted=proof.accepted,
            verification=proof,
            version_bump=self.rules.version_bump_type(improvement) if proof.accepted else None,
            metadata={"reason": proof.reason, "confidence_level": self.rules.confidence_level(1 - proof.p_value)},
        )

    async def _optimize_static(self, prompt: Prompt, strategy: str) -> OptimizationResult:
        """The candidate with the best static score; the prompt itself when none scores higher.

        ``improvement_score`` is the gain in overall score; ``confidence`` = 0.5 × the share of the prompt's issues
        (``info`` apart) that are gone.
        """
        before = analyze_prompt(prompt)
        context = StrategyContext(prompt=prompt, analysis=before, rng=random.Random(0))
        name = expand((strategy,), self.rules.select_strategy(before), has_rewriter=False)[0]
        candidates = await build_strategy(name).propose(context)
        scored = [(analyze_prompt(candidate.prompt), candidate) for candidate in candidates]
        after, best = max(scored, key=lambda pair: pair[0].overall_score, default=(before, None))
        if best is None or after.overall_score <= before.overall_score:
            after, best = before, None
        return OptimizationResult(
            workflow_id=prompt.workflow_id,
            strategy=name,
            original_prompt=prompt,
            optimized_prompt=best.prompt if best else prompt,
            improvement_score=after.overall_score - before.overall_score,
            confidence=STATIC_CONFIDENCE_CEILING * _share_resolved(before, after),
            basis="static",
            changes=best.changes if best else (),
            metadata={"score_before": before.overall_score, "score_after": after.overall_score},
        )


def _all_changes(outcome: SearchOutcome, contender_id: str | None) -> tuple[Any, ...]:
    """The changes of a whole line, oldest first."""
    by_id = {contender.id: contender for contender in outcome.contenders}
    changes: tuple[Any, ...] = ()
    while contender_id is not None:
        contender = by_id[contender_id]
        changes = contender.candidate.changes + changes
        contender_id = contender.parent_id
    return changes


def _share_resolved(before: PromptAnalysis, after: PromptAnalysis) -> float:
    def weighty(analysis: PromptAnalysis) -> int:
        return sum(issue.severity is not Severity.INFO for issue in analysis.issues)

    had = weighty(before)
    return max(0, had - weighty(after)) / had if had else 0.0


def _as_prompt(prompt: Prompt | PromptTemplate | str, workflow_id: str = "") -> Prompt:
    if isinstance(prompt, Prompt):
        return (
            prompt if prompt.workflow_id or not workflow_id else prompt.model_copy(update={"workflow_id": workflow_id})
        )
    if isinstance(prompt, PromptTemplate):
        return Prompt.of(prompt, id=workflow_id or "prompt", workflow_id=workflow_id)
    if not prompt.strip():
        raise UserError(f"the prompt is empty: {prompt!r}")
    return Prompt.of(PromptTemplate.from_text(prompt), id=workflow_id or "prompt", workflow_id=workflow_id)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    coroutine.close()
    raise RuntimeError("an event loop is running already (a notebook, an async function?): await the _async twin")

"""The run around a search: an engine finds the best candidate on train and dev, the proof decides on holdout.

Whatever engine searches, what the proof will cost is set aside before, and its end is told in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sharpen.config.rules import Thresholds
from sharpen.errors import BudgetExhausted
from sharpen.optimizer.engines.base import Found, SearchContext
from sharpen.optimizer.engines.registry import DEFAULT, engine_for
from sharpen.optimizer.measures import changed, metrics_of
from sharpen.optimizer.models import (
    CandidateReport,
    OptimizationConfig,
    Prompt,
    PromptAnalysis,
    StrategyShare,
    Verification,
)
from sharpen.optimizer.ports import CaseOutcome, SearchObserver
from sharpen.optimizer.proof.plan import Claim
from sharpen.optimizer.proof.sequential import SequentialProof
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.proving import prove
from sharpen.optimizer.reserve import runs_left
from sharpen.optimizer.search import Contender
from sharpen.optimizer.splits import Split
from sharpen.optimizer.watched_rewriter import WatchedRewriter


@dataclass(slots=True)
class SearchOutcome:
    """What a search found. ``winner`` is None when no candidate did better than the seed on dev.

    ``claim``: what is to be proved of it: that it is better, or that it is no worse, within a margin, and cheaper.
    """

    contenders: list[Contender] = field(default_factory=list)
    candidates: tuple[CandidateReport, ...] = ()
    winner: Contender | None = None
    claim: Claim = "better"
    verification: Verification | None = None
    stop_reason: str | None = None
    shares: tuple[StrategyShare, ...] = ()
    notes: tuple[str, ...] = ()


class Engine:
    """One search over one prompt. ``names`` are the strategies in the order they are tried."""

    def __init__(
        self,
        measurement: Measurement,
        names: Sequence[str],
        config: OptimizationConfig,
        rules: Thresholds,
        observer: SearchObserver | None = None,
    ) -> None:
        self._given = measurement
        self._names = names
        self._config = config
        self._rules = rules
        self._observer = observer
        self._search = engine_for(config.engine, measurement.rewrite is not None, measurement.base_dir)

    async def run(self, prompt: Prompt, analysis: PromptAnalysis) -> SearchOutcome:
        """Search, then prove. Raises ``RunAborted`` when the target cannot go on."""
        context = context_for(self._given, prompt, analysis, self._config, self._names, self._observer)
        context.rules = self._rules
        if self._config.weights and not self._search.weighs:
            name = self._search.name
            context.notes.append(f"optimize.weights counted for nothing: the engine {name!r} goes by passes")
        found, verification = Found(), None
        try:
            found = await self._search.search(context)
            if not context.stop_reason:  # nothing can be asked any more: to begin a proof would only use up a look
                verification = await self._prove(context, found)
        except BudgetExhausted as error:
            context.stop_reason = str(error)
        if isinstance(context.given.rewrite, WatchedRewriter):
            ours = self._search.name == DEFAULT and not any(":" in name for name in self._names)
            context.notes += context.given.rewrite.told(context.contenders if ours else None)
        context.notes += _unwatched(self._given)
        return SearchOutcome(
            contenders=context.contenders,
            candidates=tuple(_report(each, context, found.winner) for each in context.contenders),
            winner=found.winner,
            claim=found.claim,
            verification=verification,
            stop_reason=context.stop_reason or _untried(context.contenders, found.winner),
            shares=tuple(context.shares),
            notes=tuple(context.notes),
        )

    async def _prove(self, context: SearchContext, found: Found) -> Verification | None:
        winner, given = found.winner, self._given
        if winner is None:
            return None

        async def look_at(case_ids: Sequence[str]) -> list[CaseOutcome]:
            return await context.measure(winner, case_ids, "holdout", given)

        def on_look(proof: SequentialProof) -> None:
            if not proof.over:
                cases = f"{proof.cases_after_look} of {len(proof.plan.cases)} held-out cases"
                context.phase("prove", f"{winner.id} against the seed prompt on {cases}")

        return await prove(
            look_at,
            given.split.holdout,
            baseline=given.baseline,
            alpha=self._config.alpha,
            rules=self._rules,
            account=given.account,
            groups={case.case_id: case.group for case in given.cases if case.group is not None},
            repeats=given.repeats,
            seed=self._config.split.seed,
            claim=found.claim,
            margin=self._config.margin,
            hypothesis=winner.candidate.prompt.content_hash,
            on_look=on_look,
        )


def context_for(
    given: Measurement,
    prompt: Prompt,
    analysis: PromptAnalysis,
    config: OptimizationConfig,
    names: Sequence[str] = (),
    observer: SearchObserver | None = None,
) -> SearchContext:
    """What an engine may know and do: nothing of the held-out cases, not even the seed's outcomes on them."""

    def room(dearest: Iterable[CaseOutcome] = ()) -> int | None:
        return runs_left(given.meter, given.baseline, given.repeats, len(given.split.holdout), dearest)

    known = {*given.split.train, *given.split.dev}
    shown = replace(
        given,
        cases=[case for case in given.cases if case.case_id in known],
        baseline={case_id: outcome for case_id, outcome in given.baseline.items() if case_id in known},
        split=Split(given.split.train, given.split.dev, ()),
        account=None,
        rewrite=WatchedRewriter(room, given.rewrite) if given.rewrite else None,
    )
    return SearchContext(prompt, analysis, shown, config, names, observer, room)


def _unwatched(given: Measurement) -> list[str]:
    """What the plan limits and nobody tells: such a budget cannot be kept."""
    ran = [outcome for outcome in given.baseline.values() if outcome.ran]
    found = []
    if given.meter.cost_left() is not None and any(outcome.cost is None for outcome in ran):
        found.append("max_cost_usd could not be kept: the price of the calls is unknown; set target.price or max_calls")
    silent = any(outcome.calls for outcome in ran) and not any(outcome.tokens for outcome in ran)
    if given.meter.tokens_left() is not None and silent:
        found.append("max_tokens could not be kept: the target does not tell how many it uses; set max_calls")
    return found


def _untried(contenders: Sequence[Contender], winner: Contender | None) -> str | None:
    untried = sum(not each.outcomes for each in contenders)
    if winner is None and untried:
        return f"the budget left no room to try {untried} of {len(contenders)} candidates"
    return None


def _report(contender: Contender, context: SearchContext, winner: Contender | None) -> CandidateReport:
    asked = [contender.outcomes[case_id] for case_id in context.seen_by(contender)]
    dev = [outcome for outcome in asked if outcome.ran]  # who was only about to be asked has not failed
    fixed, broken = changed(dev, context.given.baseline)
    status, note = "unevaluated", "not measured: the budget left no room for it"
    if contender is winner:
        status, note = "winner", context.drops.get(contender.id, "")
    elif asked and not dev:
        note = "not measured: the search was stopped"
    elif contender.id in context.drops:
        status, note = "dropped", context.drops[contender.id]
    elif dev:
        status, note = "finalist", ""
    return CandidateReport.model_validate(
        {
            "id": contender.id,
            "strategy": contender.candidate.strategy,
            "parent_id": contender.parent_id,
            "prompt": contender.candidate.prompt,
            "changes": contender.candidate.changes,
            "dev": metrics_of(dev) if dev else None,
            "calls": contender.calls,
            "score": context.scores.get(contender.id),
            "broken_limits": context.broken.get(contender.id, ()),
            "status": status,
            "fixed": fixed if dev else None,
            "broken": broken if dev else None,
            "note": note,
        }
    )

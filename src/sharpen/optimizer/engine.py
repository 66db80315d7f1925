"""The loop: propose, race on dev, build on the best, prove the winner on holdout.

Every generation applies the strategies to a parent (the seed first, then the best candidate so far) and races what they
propose on the dev split. What the proof will cost is set aside before anything is raced.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.config.rules import Thresholds
from sharpen.errors import BudgetExhausted
from sharpen.optimizer.measures import metrics_of
from sharpen.optimizer.models import CandidateReport, OptimizationConfig, Prompt, PromptAnalysis, Verification
from sharpen.optimizer.ports import CaseOutcome, Purpose, SearchObserver
from sharpen.optimizer.proof.sequential import SequentialProof
from sharpen.optimizer.proposals import Measurement, Proposals
from sharpen.optimizer.proving import prove
from sharpen.optimizer.search import Contender, affordable, rank_key, rungs
from sharpen.optimizer.strategies.registry import build_strategy

GENERATIONS = 2
FIRST_GENERATION_SHARE = 0.65  # of what the search may spend; the rest builds on what the first one found


@dataclass(slots=True)
class SearchOutcome:
    """What a search found. ``winner`` is None when no candidate did better than the seed on dev."""

    contenders: list[Contender] = field(default_factory=list)
    candidates: tuple[CandidateReport, ...] = ()
    winner: Contender | None = None
    verification: Verification | None = None
    stop_reason: str | None = None


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
        strategies = [build_strategy(name, measurement.base_dir) for name in names]
        self._given = measurement
        self._proposals = Proposals(measurement, strategies, config.split.seed)
        self._alpha, self._seed = config.alpha, config.split.seed
        self._rules = rules
        self._observer = observer
        # one seeded order for all: a race's first cases are a fair sample of dev
        self._dev = random.Random(config.split.seed).sample(measurement.split.dev, len(measurement.split.dev))
        self._found = SearchOutcome()

    async def run(self, prompt: Prompt, analysis: PromptAnalysis) -> SearchOutcome:
        """Search, then prove. Raises ``RunAborted`` when the target cannot go on."""
        try:
            await self._search(prompt, analysis)
            await self._prove()
        except BudgetExhausted as error:
            self._found.stop_reason = str(error)
        self._found.candidates = tuple(self._report(contender) for contender in self._found.contenders)
        return self._found

    async def _search(self, prompt: Prompt, analysis: PromptAnalysis) -> None:
        best: Contender | None = None
        for generation in range(1, GENERATIONS + 1):
            parent = best
            self._phase("propose", f"generation {generation}: from {parent.id if parent else 'the seed prompt'}")
            contenders = await self._proposals.from_parent(prompt, analysis, parent)
            await self._race(contenders, self._runs_left(FIRST_GENERATION_SHARE if generation == 1 else 1.0))
            best = self._best()
            if best is None or best is parent or self._found.stop_reason or self._perfect(best):
                break
        self._found.winner = best

    def _runs_left(self, share: float) -> int | None:
        """Case runs that a race may spend, the proof's own set aside. None: no limit."""
        left = self._given.meter.calls_left()
        if left is None:
            return None
        # what a case really took on the seed (judge calls, retries), but never less than its repeats
        ran = [outcome.calls for outcome in self._given.baseline.values() if outcome.calls]
        calls_per_case = max(self._given.repeats, sum(ran) / len(ran) if ran else 0.0)
        proof = math.ceil(calls_per_case * len(self._given.split.holdout))
        return max(0, int(share * (left - proof) / calls_per_case))

    async def _race(self, contenders: list[Contender], runs_left: int | None) -> None:
        """Halve the field rung by rung; the survivors have seen the whole dev split."""
        racing = contenders[: affordable(len(contenders), len(self._dev), runs_left)]
        self._found.contenders += contenders
        if len(racing) < len(contenders):
            self._found.stop_reason = None if racing else "the budget left no room to try a candidate"
        seen: list[str] = []
        for rung in rungs(len(racing), len(self._dev)):
            racing = sorted(racing, key=lambda contender: contender.rank_key(seen))[: rung.contenders]
            new = self._dev[len(seen) : rung.cases]
            seen = self._dev[: rung.cases]
            noun = "candidate" if len(racing) == 1 else "candidates"
            self._phase("race", f"{len(racing)} {noun} on {len(seen)} of {len(self._dev)} dev cases")
            await _all(self._evaluate(contender, new, "candidate") for contender in racing)

    async def _evaluate(self, contender: Contender, case_ids: Sequence[str], purpose: Purpose) -> None:
        outcomes = await self._given.evaluate(contender.candidate.prompt, case_ids, purpose)
        contender.outcomes.update((outcome.case_id, outcome) for outcome in outcomes)
        contender.calls += sum(outcome.calls for outcome in outcomes)
        if not all(outcome.ran for outcome in outcomes):
            self._found.stop_reason = self._found.stop_reason or "stopped before all candidates were measured"
        if self._observer:
            proving = [case_id for case_id in self._given.split.holdout if case_id in contender.outcomes]
            seen = proving if purpose == "holdout" else contender.outcomes
            metrics = metrics_of(contender.outcomes[case_id] for case_id in seen)
            self._observer.candidate(
                contender.id, contender.candidate.strategy, metrics.success_rate, metrics.cases, purpose
            )

    def _finished(self, contender: Contender) -> bool:
        return all(case_id in contender.outcomes and contender.outcomes[case_id].ran for case_id in self._dev)

    def _best(self) -> Contender | None:
        """The best contender that saw the whole dev split, if it passes more of it than the seed did."""
        finished = [contender for contender in self._found.contenders if self._finished(contender)]
        best = min(finished, key=lambda contender: contender.rank_key(self._dev), default=None)
        if best is None:
            return None
        better = best.rank_key(self._dev)[0] < rank_key(self._given.baseline, self._dev)[0]
        return best if better else None

    def _perfect(self, contender: Contender) -> bool:
        return contender.rank_key(self._dev)[0] == -1.0

    async def _prove(self) -> None:
        winner, given = self._found.winner, self._given
        if winner is None:
            return

        async def look_at(case_ids: Sequence[str]) -> list[CaseOutcome]:
            await self._evaluate(winner, case_ids, "holdout")
            return [winner.outcomes[case_id] for case_id in case_ids]

        def on_look(proof: SequentialProof) -> None:
            if not proof.over:
                cases = f"{proof.cases_after_look} of {len(proof.plan.cases)} held-out cases"
                self._phase("prove", f"{winner.id} against the seed prompt on {cases}")

        self._found.verification = await prove(
            look_at,
            given.split.holdout,
            baseline=given.baseline,
            alpha=self._alpha,
            rules=self._rules,
            account=given.account,
            groups={case.case_id: case.group for case in given.cases if case.group is not None},
            repeats=given.repeats,
            seed=self._seed,
            hypothesis=winner.candidate.prompt.content_hash,
            on_look=on_look,
        )

    def _report(self, contender: Contender) -> CandidateReport:
        dev = [contender.outcomes[case_id] for case_id in self._dev if case_id in contender.outcomes]
        status = "unevaluated"
        if contender is self._found.winner:
            status = "winner"
        elif dev:
            status = "finalist" if self._finished(contender) else "dropped"
        return CandidateReport.model_validate(
            {
                "id": contender.id,
                "strategy": contender.candidate.strategy,
                "parent_id": contender.parent_id,
                "prompt": contender.candidate.prompt,
                "changes": contender.candidate.changes,
                "dev": metrics_of(dev) if dev else None,
                "calls": contender.calls,
                "status": status,
                "note": "" if dev else "not measured: the budget left no room for it",
            }
        )

    def _phase(self, name: str, detail: str) -> None:
        if self._observer:
            self._observer.phase(name, detail)


async def _all(evaluations: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side, started in order; the first error is raised when all are over.

    None may go on behind our back, on targets that are being closed, and what each paid for is kept.
    """
    ended = await asyncio.gather(*evaluations, return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error

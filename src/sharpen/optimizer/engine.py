"""The loop: propose, race on dev, build on the best, prove the winner on holdout.

Every generation applies the strategies to a parent (the seed first, then the best candidate so far) and races what they
propose on the dev split. What the proof will cost is set aside before anything is raced.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.config.rules import Thresholds
from sharpen.errors import BudgetExhausted
from sharpen.optimizer.measures import metrics_of
from sharpen.optimizer.models import CandidateReport, OptimizationConfig, Prompt, PromptAnalysis, Verification
from sharpen.optimizer.ports import CaseOutcome, Purpose, SearchObserver
from sharpen.optimizer.proof.plan import Claim
from sharpen.optimizer.proof.sequential import SequentialProof
from sharpen.optimizer.proposals import Measurement, Proposals
from sharpen.optimizer.proving import prove
from sharpen.optimizer.racing.merit import Form
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.racing.race import Race, full_budget
from sharpen.optimizer.reserve import runs_left
from sharpen.optimizer.search import Contender, rank_key
from sharpen.optimizer.strategies.registry import build_strategy
from sharpen.optimizer.strategies.supplied import Supplied

GENERATIONS = 2
FIRST_GENERATION_SHARE = 0.65  # of what the search may spend; the rest builds on what the first one found
SAVES = "efficiency_focus"  # asked for first, a search ends with a cheaper prompt if none is better
WORTH_SAVING = 0.95  # of the seed's tokens, at most, is a saving


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
        if measurement.supplied:
            strategies.insert(0, Supplied(measurement.supplied))
        self._proposals = Proposals(measurement, strategies, config.split.seed)
        self._alpha, self._seed, self._margin = config.alpha, config.split.seed, config.margin
        self._saving = bool(names) and names[0] == SAVES
        self._rules = rules
        self._observer = observer
        expected = {case.case_id: case.expected for case in measurement.cases}
        self._dev = stratified(measurement.split.dev, expected, random.Random(config.split.seed))
        self._form = Form(expected[case_id] for case_id in (*measurement.split.train, *measurement.split.dev))
        self._leader: Contender | None = None
        self._standing: tuple[str, ...] = ()
        self._drops: dict[str, str] = {}
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
            await self._race(contenders, FIRST_GENERATION_SHARE if generation == 1 else 1.0)
            best = self._better(self._leader, best)
            if best is None or best is parent or self._found.stop_reason or self._perfect(best):
                break
        self._found.winner = best
        if best is None and self._saving:
            self._found.winner = self._cheaper()
            self._found.claim = "non_inferior" if self._found.winner else "better"
        untried = sum(not each.outcomes for each in self._found.contenders)
        if self._found.winner is None and untried and not self._found.stop_reason:
            every = len(self._found.contenders)
            self._found.stop_reason = f"the budget left no room to try {untried} of {every} candidates"

    async def _race(self, contenders: list[Contender], share: float) -> None:
        """Let ``contenders`` race on dev with ``share`` of what the search may still spend."""
        given = self._given
        self._found.contenders += contenders
        self._leader, self._standing = None, ()
        left = runs_left(given.meter, given.baseline, given.repeats, len(given.split.holdout), self._dearest())
        most = full_budget(len(contenders), len(self._dev))
        race = Race(self._dev, [each.id for each in contenders], most if left is None else min(most, int(share * left)))
        by_id = {each.id: each for each in contenders}
        while (heat := race.next()) and not self._found.stop_reason:
            racing = [by_id[name] for name in heat.contenders]
            noun = "candidate" if len(racing) == 1 else "candidates"
            seen = len(race.seen) + len(heat.cases)
            self._phase("race", f"{len(racing)} {noun} on {seen} of {len(self._dev)} dev cases")
            await _all(self._evaluate(each, heat.cases, "candidate") for each in racing)
            for each in racing:
                for outcome in map(each.outcomes.__getitem__, heat.cases):
                    passed = outcome.pass_rate if outcome.ran else 0.0
                    race.tell(each.id, outcome.case_id, passed, self._form.credit(outcome), outcome.tokens)
        self._drops.update((drop.contender, str(drop)) for drop in race.drops)
        self._standing = race.racing
        if race.leader is not None and race.seen:
            self._leader = by_id[race.leader]

    def _dearest(self) -> list[CaseOutcome]:
        """The outcomes of the contender that takes most tokens so far: a proof of one like it must be affordable."""
        measured = [list(each.outcomes.values()) for each in self._found.contenders if each.outcomes]
        return max(measured, key=lambda found: metrics_of(found).tokens_per_request, default=[])

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

    def _better(self, challenger: Contender | None, best: Contender | None) -> Contender | None:
        """``challenger`` if it passed more than the seed, and did better than ``best``, on the cases both have seen."""
        if challenger is None:
            return best
        seen = self._seen_by(challenger)
        if challenger.rank_key(seen)[0] >= rank_key(self._given.baseline, seen)[0]:
            return best
        if best is not None:
            both = [case_id for case_id in seen if case_id in best.outcomes]
            if challenger.rank_key(both) >= best.rank_key(both):
                return best
        return challenger

    def _cheaper(self) -> Contender | None:
        """Of the last who stood, the one that saves most tokens and passed, within the margin, as much as the seed."""
        worthy: list[tuple[float, Contender]] = []
        for each in self._found.contenders:
            seen = self._seen_by(each)
            passed, _, tokens = each.rank_key(seen)
            seed_passed, _, seed_tokens = rank_key(self._given.baseline, seen)
            if each.id in self._standing and seen and -passed >= -seed_passed - self._margin:
                worthy.append((tokens - seed_tokens * WORTH_SAVING, each))
        saving, cheapest = min(worthy, key=lambda pair: pair[0], default=(0.0, None))
        return cheapest if saving < 0 else None

    def _seen_by(self, contender: Contender) -> list[str]:
        return [case_id for case_id in self._dev if case_id in contender.outcomes]

    def _perfect(self, contender: Contender) -> bool:
        return len(self._seen_by(contender)) == len(self._dev) and contender.rank_key(self._dev)[0] == -1.0

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
            claim=self._found.claim,
            margin=self._margin,
            hypothesis=winner.candidate.prompt.content_hash,
            on_look=on_look,
        )

    def _report(self, contender: Contender) -> CandidateReport:
        dev = [contender.outcomes[case_id] for case_id in self._dev if case_id in contender.outcomes]
        status = "unevaluated"
        if contender is self._found.winner:
            status = "winner"
        elif dev:
            status = "dropped" if contender.id in self._drops else "finalist"
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
                "note": self._drops.get(contender.id, "") if dev else "not measured: the budget left no room for it",
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

"""The seam of a search engine: one context in, the best contender out.

An engine searches on train and dev and nothing else: what it is given holds no held-out case. The proof, what it is set
aside, the reports and the reasons why a search stopped are the same for all engines, and are not theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sharpen.config.rules import Thresholds
from sharpen.optimizer.measures import metrics_of
from sharpen.optimizer.models import OptimizationConfig, Prompt, PromptAnalysis, StrategyShare
from sharpen.optimizer.ports import CaseOutcome, Purpose, SearchObserver
from sharpen.optimizer.proof.plan import Claim
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.search import Contender, rank_key

UNMEASURED = "stopped before all candidates were measured"


@dataclass(frozen=True, slots=True)
class Found:
    """What an engine ends with: its best contender (None: none did better than the seed on dev) and what to prove.

    ``claim``: that it is better, or that it is no worse, within a margin, and cheaper.
    """

    winner: Contender | None = None
    claim: Claim = "better"


@dataclass(slots=True)
class SearchContext:
    """What an engine may look at and do.

    ``given``: the train and dev cases, the seed's outcomes on them and the callables; its split's holdout is empty.
    ``names``: the plan's strategies in the order they are tried, for engines that use them. ``room`` answers
    ``runs_left``. ``contenders`` are all that entered, ``drops`` why some left, by id; ``stop_reason`` is set as soon
    as a case could not be run.
    ``rules``: limits that a winner must not newly break. An engine may tell: ``scores`` by id (of the plan's weights),
    limits ``broken`` by id, ``shares`` of the strategies, and ``notes`` for the reader, a sentence each.
    """

    prompt: Prompt
    analysis: PromptAnalysis
    given: Measurement
    config: OptimizationConfig
    names: Sequence[str] = ()
    observer: SearchObserver | None = None
    room: Callable[[Iterable[CaseOutcome]], int | None] = lambda _: None
    contenders: list[Contender] = field(default_factory=list)
    drops: dict[str, str] = field(default_factory=dict)
    stop_reason: str | None = None
    rules: Thresholds = field(default_factory=Thresholds)
    scores: dict[str, float] = field(default_factory=dict)
    broken: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shares: list[StrategyShare] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def evaluate(self, contender: Contender, case_ids: Sequence[str]) -> list[CaseOutcome]:
        """Run a contender on train or dev cases; what it did is noted with it. Spends budget, failures included.

        Raises ``ValueError`` for a case that is in neither, ``RunAborted`` when the target cannot go on.
        """
        foreign = {*case_ids} - {*self.given.split.train, *self.given.split.dev}
        if foreign:
            raise ValueError(f"an engine may try train and dev cases only, not {sorted(foreign)!r}")
        return await self.measure(contender, case_ids, "candidate", self.given)

    async def measure(
        self, contender: Contender, case_ids: Sequence[str], purpose: Purpose, given: Measurement
    ) -> list[CaseOutcome]:
        """``evaluate`` on the cases of ``given``. Not for engines: the proof uses it."""
        outcomes = await given.evaluate(contender.candidate.prompt, case_ids, purpose)
        contender.outcomes.update((outcome.case_id, outcome) for outcome in outcomes)
        contender.calls += sum(outcome.calls for outcome in outcomes)
        if not all(outcome.ran for outcome in outcomes):
            self.stop_reason = self.stop_reason or UNMEASURED
        if self.observer:
            proving = [case_id for case_id in given.split.holdout if case_id in contender.outcomes]
            seen = proving if purpose == "holdout" else contender.outcomes
            metrics = metrics_of(contender.outcomes[case_id] for case_id in seen)
            self.observer.candidate(
                contender.id, contender.candidate.strategy, metrics.success_rate, metrics.cases, purpose
            )
        return [contender.outcomes[case_id] for case_id in case_ids]

    def runs_left(self) -> int | None:
        """Case runs (one case with all its repeats) that may still be spent; None: nothing sets a limit.

        What the proof will take is set aside, as that of a contender like the one that takes most tokens so far.
        """
        measured = [list(each.outcomes.values()) for each in self.contenders if each.outcomes]
        return self.room(max(measured, key=lambda found: metrics_of(found).tokens_per_request, default=[]))

    def phase(self, name: str, detail: str) -> None:
        """Tell who watches what is done now."""
        if self.observer:
            self.observer.phase(name, detail)

    def seen_by(self, contender: Contender) -> list[str]:
        """The dev cases that a contender has seen."""
        return [case_id for case_id in self.given.split.dev if case_id in contender.outcomes]

    def beats_seed(self, contender: Contender) -> bool:
        """It passed more than the seed on the dev cases that it has seen."""
        seen = self.seen_by(contender)
        return contender.rank_key(seen)[0] < rank_key(self.given.baseline, seen)[0]


class SearchEngine(ABC):
    """One way of searching for a better prompt. It finds; the proof decides.

    ``needs_rewriter``: it cannot work without the plan's ``optimize.rewriter``. ``weighs``: it goes by
    ``optimize.weights``; of an engine that does not the reader is told so.
    """

    name: ClassVar[str]
    needs_rewriter: ClassVar[bool] = False
    weighs: ClassVar[bool] = False

    def check(self) -> None:  # noqa: B027 - most engines need nothing
        """Raise ``MissingExtraError`` when a package is missing. Nothing heavy: every command asks."""

    @abstractmethod
    async def search(self, context: SearchContext) -> Found:
        """The best contender that was found, or none. Deterministic given the context.

        Every prompt is tried through ``context.evaluate`` and every contender stands in ``context.contenders``. What is
        spent stays within ``context.runs_left()``. ``BudgetExhausted`` and ``RunAborted`` pass through.
        """

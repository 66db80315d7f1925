"""Worlds in which no prompt is better than another, and whole searches through them.

A world answers every (prompt, case) by chance alone. Whatever a search does there, an improvement that it claims is a
false claim. The searches are sharpen's own: its race, its selection, its proof, its ledger.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sharpen.config.models import Case
from sharpen.config.rules import Thresholds
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.engine import SearchOutcome
from sharpen.optimizer.models import Change, OptimizationConfig, Prompt, PromptAnalysis
from sharpen.optimizer.optimizer_service import OptimizerService
from sharpen.optimizer.ports import CaseOutcome, HoldoutLedger, LabelledCase, Purpose, SpendMeter
from sharpen.optimizer.proof.holdout import HoldoutAccount
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.optimizer.proposals import Measurement
from sharpen.optimizer.splits import Split, split_cases
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext

CASES = 150
ALPHA = 0.05
GROUP = 5
RATE = 0.6
ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)
SEED_PROMPT = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "{{ n }}"}]})
RULES = Thresholds(min_success_rate=0.0)
Answers = Callable[[np.random.Generator], np.ndarray]
"""Draws one prompt's pass rate on every case."""


class Rephrased(Strategy):
    """Eight prompts that say the same in other words."""

    name = "rephrased"

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        message = context.prompt.messages[0]
        texts = [f"{message.content} {self.name}{number}" for number in range(8)]
        prompts = [context.prompt.with_messages((message.model_copy(update={"content": text}),)) for text in texts]
        return [Candidate(prompt, self.name, (Change(rule_id="none", reason="nothing"),)) for prompt in prompts]


class Reworded(Rephrased):
    """Eight more."""

    name = "reworded"


@dataclass
class World(SpendMeter):
    """``answers``: the pass rate of a prompt on every case, by its text; drawn when it is first asked for."""

    seed: int
    draw: Answers
    cases: tuple[Case, ...]
    repeats: int = 1
    calls: int = 0
    attempt: int = 0
    answers: dict[str, np.ndarray] = field(default_factory=dict)

    def rates(self, text: str) -> np.ndarray:
        """Another ``attempt`` has other ideas under the same names; the prompt it begins with stays what it is."""
        name = text if text == SEED_PROMPT.text else f"{self.attempt} {text}"
        if name not in self.answers:
            self.answers[name] = self.draw(np.random.default_rng([self.seed, zlib.crc32(name.encode())]))
        return self.answers[name]

    def outcomes(self, prompt: Prompt, case_ids: Sequence[str]) -> tuple[CaseOutcome, ...]:
        rates = self.rates(prompt.text)
        found = [(case_id, float(rates[int(case_id)])) for case_id in case_ids]
        return tuple(CaseOutcome(case_id, rate, rate, calls=self.repeats, tokens=50.0) for case_id, rate in found)

    def calls_made(self) -> int:
        return self.calls

    def calls_left(self) -> int | None:
        return None

    async def evaluate(self, prompt: Prompt, case_ids: Sequence[str], purpose: Purpose) -> tuple[CaseOutcome, ...]:
        del purpose  # chance is the same everywhere
        self.calls += self.repeats * len(case_ids)
        return self.outcomes(prompt, case_ids)


def cases_of(number: int = CASES, group: int = 1) -> tuple[Case, ...]:
    """Cases named by their place; ``group`` > 1: so many neighbours belong together."""
    return tuple(
        Case(id=str(n), vars={"n": n}, expected="ab"[n % 2], group=f"g{n // group}" if group > 1 else None)
        for n in range(number)
    )


def noise(seed: int, cases: int = CASES) -> World:
    """Every answer is an independent coin that falls right with 60 %."""
    return World(seed, lambda rng: (rng.random(cases) < RATE).astype(float), cases_of(cases))


def difficulty(seed: int, cases: int = CASES) -> World:
    """Easy and hard cases, equally so for every prompt: the chance of a case is Beta(0.4, 0.4)."""
    chance = np.random.default_rng([seed, 1]).beta(0.4, 0.4, cases)
    return World(seed, lambda rng: (rng.random(cases) < chance).astype(float), cases_of(cases))


def sparse(seed: int, cases: int = CASES) -> World:
    """A model nearly without luck: a prompt answers one case in eight otherwise than all the others."""
    usual = np.random.default_rng([seed, 1]).random(cases) < RATE

    def draw(rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(cases) < 0.125, rng.random(cases) < RATE, usual).astype(float)

    return World(seed, draw, cases_of(cases))


def repeated(seed: int, cases: int = CASES, repeats: int = 3) -> World:
    """Easy and hard cases, each asked three times."""
    chance = np.random.default_rng([seed, 1]).beta(0.8, 0.8, cases)
    return World(seed, lambda rng: rng.binomial(repeats, chance) / repeats, cases_of(cases), repeats)


def clustered(seed: int, cases: int = CASES, group: int = GROUP, *, told: bool = True) -> World:
    """Five cases of a group fall together nine times in ten. ``told``: whether the cases name their group."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        together = np.repeat(rng.random(-(-cases // group)) < RATE, group)[:cases]
        return np.where(rng.random(cases) < 0.9, together, rng.random(cases) < RATE).astype(float)

    return World(seed, draw, cases_of(cases, group if told else 1))


def real_answers(seed: int, right: np.ndarray, cases: int = CASES) -> World:
    """A real model's answers (prompt, case), those to each case dealt out anew among the prompts."""
    rng = np.random.default_rng([seed, 2])
    chosen = rng.choice(right.shape[1], cases, replace=False)
    dealt = rng.permuted(right[:, chosen].astype(float), axis=0)
    left = iter(range(len(dealt)))
    return World(seed, lambda again: dealt[next(left, int(again.integers(len(dealt))))], cases_of(cases))


@dataclass(frozen=True)
class Searched:
    """A search that came to its end: what it found, and what its split was."""

    outcome: SearchOutcome
    split: Split

    @property
    def claimed(self) -> bool:
        return self.outcome.verification is not None and self.outcome.verification.accepted


async def search(
    world: World,
    ledger: HoldoutLedger | None = None,
    search_id: str = "s",
    strategies: Sequence[str] = ("proof_worlds:Rephrased", "proof_worlds:Reworded"),
    **settings: Any,
) -> Searched | None:
    """A whole search as the pipeline makes it. None: refused, for want of cases that may still prove something."""
    config = OptimizationConfig(strategies=tuple(strategies), alpha=ALPHA, **settings)
    account = HoldoutAccount(ledger or MemoryLedger(), search_id, "w", ALPHA, world.cases)
    labelled = [(case.id, case.expected) for case in world.cases]
    try:
        split = split_cases(labelled, config.split, ALPHA, account.groups, account.barred())
        account.check(split)
    except TooFewCasesError:
        return None
    account.draw(split)
    measurement = Measurement(
        cases=[
            LabelledCase(case.id, dict(case.vars), case.expected, {}, account.groups.get(case.id))
            for case in world.cases
        ],
        baseline={one.case_id: one for one in world.outcomes(SEED_PROMPT, [case.id for case in world.cases])},
        split=split,
        evaluate=world.evaluate,
        meter=world,
        repeats=world.repeats,
        account=account,
    )
    return Searched(
        await OptimizerService(RULES).search(SEED_PROMPT, ANALYSIS, "clarity_focus", config, measurement), split
    )


NULLS: Mapping[str, tuple[str, Callable[[int], World]]] = {
    "noise": ("independent coins", noise),
    "difficulty": ("easy and hard cases", difficulty),
    "sparse": ("a model nearly without luck", sparse),
    "repeated": ("three repeats", repeated),
    "clustered": ("groups of five that fall together", clustered),
}

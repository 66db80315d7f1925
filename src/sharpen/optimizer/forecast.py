"""What an optimization will cost, and how small a gain it can prove: told before anything is paid. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from sharpen.config.estimate import Estimate
from sharpen.config.models import Budget, OptimizeConfig
from sharpen.optimizer.planning import SearchPlan
from sharpen.optimizer.proof.holdout import USUAL_DISCORDANCE
from sharpen.optimizer.proof.power import USUAL_POWER, least_provable, smallest_effect
from sharpen.optimizer.proof.units import units_of
from sharpen.optimizer.splits import MIN_DEV


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartSize(_Figures):
    """Cases of one part of the split; ``units``: groups, and cases that stand alone."""

    cases: int = Field(ge=0)
    units: int = Field(ge=0)


class Toll(_Figures):
    """What a phase takes, as ``Estimate`` knows it: no retries, nothing from the cache. ``tokens`` and ``cost_usd``
    are upper bounds (None: not known); the judges' tokens are not in them, their calls and cost are.
    """

    calls: int = Field(ge=0)
    prompt_tokens: int = Field(ge=0)
    tokens: int | None = Field(ge=0)
    cost_usd: float | None = Field(ge=0)


class SearchForecast(_Figures):
    """``proof`` is its worst case, all that may be looked at. ``search`` is the budget without baseline and proof, or,
    where the store may answer the baseline (``baseline_known``), which then takes nothing of it, without the proof.

    ``alpha`` is the plan's, ``level`` one-sided and what earlier looks at these cases left of it. Of gains (0..1)
    ``least_provable`` is what no outcome proves less than, and ``smallest_effect`` what is proved with probability
    ``power`` if so many cases as ``discordance`` says change at all (None: not even the largest gain is).
    """

    train: PartSize
    dev: PartSize
    holdout: PartSize
    provable_on: PartSize
    grouped: bool
    baseline: Toll
    baseline_known: bool = False
    proof: Toll
    search: Budget
    budget: Budget
    engine: str = "race"
    alpha: float
    level: float
    earlier_looks: int
    least_provable: float
    smallest_effect: float | None
    power: float = USUAL_POWER
    discordance: float = USUAL_DISCORDANCE


@dataclass(frozen=True, slots=True)
class Shortage:
    """A budget that cannot do: the key of the plan, and why."""

    key: str
    why: str


def forecast(
    plan: SearchPlan, estimate: Estimate, config: OptimizeConfig, *, baseline_known: bool = False
) -> SearchForecast:
    """What is known of a search before its first call. ``estimate``: of one run on all cases."""
    groups, budget = plan.account.groups, config.budget
    granted = _size(plan.grant.case_ids, plan)
    baseline, proof = _share(estimate, estimate.cases), _share(estimate, granted.cases)
    return SearchForecast(
        train=_size(plan.split.train, plan),
        dev=_size(plan.split.dev, plan),
        holdout=_size(plan.split.holdout, plan),
        provable_on=granted,
        grouped=bool(groups),
        baseline=baseline,
        baseline_known=baseline_known,
        proof=proof,
        search=_without(budget, proof) if baseline_known else _without(budget, baseline, proof),
        budget=budget,
        engine=config.engine,
        alpha=config.alpha,
        level=plan.grant.level,
        earlier_looks=plan.grant.looks,
        least_provable=least_provable(granted.units, plan.grant.level),
        smallest_effect=smallest_effect(granted.units, plan.grant.level, USUAL_DISCORDANCE),
    )


def shortages(found: SearchForecast) -> tuple[Shortage, ...]:
    """Why the budget cannot pay baseline, proof and a single candidate; empty when it may.

    A baseline that the store may answer counts for nothing. A candidate takes four dev cases at least. Calls are
    counted; tokens of the prompts are estimates that may be off by a factor of two, and only what is too little even
    then is a shortage. Cost and time are not known well enough to say no.
    """
    candidate = math.ceil(min(MIN_DEV, found.dev.cases) * found.baseline.calls / max(1, _cases(found)))
    parts = [("the proof", found.proof.calls), ("one candidate", candidate)]
    if not found.baseline_known:
        parts.insert(0, ("the baseline", found.baseline.calls))
    short = []
    need, most = sum(calls for _, calls in parts), found.budget.max_calls
    if most is not None and most < need:
        named = ", ".join(f"{name} {calls}" for name, calls in parts)
        short.append(Shortage("max_calls", f"{most} is too little to optimize: it takes {need} calls ({named})"))
    tokens = found.proof.prompt_tokens + (0 if found.baseline_known else found.baseline.prompt_tokens)
    limit = found.budget.max_tokens
    if limit is not None and 2 * limit < tokens:
        what = "the proof" if found.baseline_known else "baseline and proof"
        short.append(
            Shortage("max_tokens", f"{limit} is too little to optimize: the prompts of {what} take about {tokens}")
        )
    return tuple(short)


def _cases(found: SearchForecast) -> int:
    return found.train.cases + found.dev.cases + found.holdout.cases


def _size(case_ids: Sequence[str], plan: SearchPlan) -> PartSize:
    return PartSize(cases=len(case_ids), units=len(units_of(case_ids, plan.account.groups)))


def _share(estimate: Estimate, cases: int) -> Toll:
    """What so many of the cases take; in proportion, rounded up."""
    share = cases / max(1, estimate.cases)
    prompt, bound = math.ceil(estimate.prompt_tokens * share), estimate.max_completion_tokens
    return Toll(
        calls=math.ceil(estimate.total_calls * share - 1e-9),
        prompt_tokens=prompt,
        tokens=None if bound is None else prompt + math.ceil(bound * share),
        cost_usd=None if estimate.max_cost_usd is None else estimate.max_cost_usd * share,
    )


def _without(budget: Budget, *tolls: Toll) -> Budget:
    """What is left of a budget for the search in each currency; as it is where what the others take is not known."""
    calls, tokens, cost = budget.max_calls, budget.max_tokens, budget.max_cost_usd
    taken = sum(toll.tokens or toll.prompt_tokens for toll in tolls)
    return Budget.model_construct(
        max_calls=calls if calls is None else max(0, calls - sum(toll.calls for toll in tolls)),
        max_tokens=tokens if tokens is None else max(0, tokens - taken),
        max_cost_usd=cost if cost is None else max(0.0, cost - sum(toll.cost_usd or 0.0 for toll in tolls)),
        max_seconds=budget.max_seconds,
    )

"""What one finished search says about the strategies that it tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from sharpen.optimizer.recommending.models import Features


@dataclass(frozen=True, slots=True)
class Observation:
    """One strategy in one search: what its best candidate gained over the prompt, on the same dev cases.

    ``gain`` = (fixed − broken) / cases, -1..1; ``variance``: of that mean, from the sampling of cases.
    """

    strategy: str
    gain: float
    variance: float
    cases: int
    won: bool = False
    proved: bool = False


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """One search. ``rules``: the order in which the rules of that time would have tried the strategies."""

    search_id: str
    workflow_id: str
    features: Features
    rules: tuple[str, ...]
    observations: tuple[Observation, ...]


def observe(
    strategy: str, fixed: float, broken: float, cases: int, *, won: bool = False, proved: bool = False
) -> Observation:
    """From how many cases a candidate fixed and broke (fractions with repeats).

    The variance of the mean of differences in {−1, 0, 1} is (p − d²) / n with p the share of cases that changed and d
    the mean; one changed and one unchanged case are added, so that two equal outcomes are no certainty (Agresti & Min
    2005, "Simple improved confidence intervals for comparing matched proportions"). Raises ``ValueError`` for no case.
    """
    if cases < 1:
        raise ValueError(f"a gain needs cases, not {cases}")
    changed, mean = (fixed + broken + 1) / (cases + 2), (fixed - broken) / (cases + 2)
    return Observation(strategy, (fixed - broken) / cases, (changed - mean * mean) / cases, cases, won, proved)


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Measured(_Stored):
    cases: int


class _Candidate(_Stored):
    id: str
    strategy: str
    parent_id: str | None = None
    dev: _Measured | None = None
    fixed: float | None = None
    broken: float | None = None
    status: str = ""


class _Proof(_Stored):
    accepted: bool = False


class _Recommended(_Stored):
    features: Features
    rules: tuple[str, ...]


class _Outcome(_Stored):
    """The few fields of an ``OptimizationOutcome`` that are needed here: its document can be large."""

    run_id: str
    workflow_id: str
    started_at: AwareDatetime
    candidates: tuple[_Candidate, ...] = ()
    verification: _Proof | None = None
    recommendation: _Recommended | None = None


def evidence_of(document: dict[str, Any]) -> SearchEvidence | None:
    """The evidence in an outcome as it is stored; None when it holds none (nothing was tried, or by an older version).

    Candidates of the first generation only: what builds on another candidate does not show what its strategy makes of
    the prompt. A strategy that proposed nothing, or for whose candidates no call was left, is not observed, and none
    that ``auto`` does not stand for.
    """
    try:
        found = _Outcome.model_validate(document)
    except ValidationError:  # written by a version with other fields: no evidence, and no reason to fail
        return None
    recommended = found.recommendation
    if recommended is None:
        return None
    proved = found.verification is not None and found.verification.accepted
    winner = _line_of_winner(found.candidates)
    best: dict[str, Observation] = {}
    for candidate in found.candidates:
        if candidate.parent_id is not None or candidate.dev is None or not candidate.dev.cases:
            continue
        if candidate.fixed is None or candidate.broken is None or candidate.strategy not in recommended.rules:
            continue
        won = candidate.strategy == winner
        seen = observe(
            candidate.strategy, candidate.fixed, candidate.broken, candidate.dev.cases, won=won, proved=won and proved
        )
        known = best.get(candidate.strategy)
        # who stayed longest in the race is the best by the race's own judgement; the highest rate would be by luck
        if known is None or (seen.cases, seen.gain) > (known.cases, known.gain):
            best[candidate.strategy] = seen
    if not best:
        return None
    return SearchEvidence(
        found.run_id, found.workflow_id, recommended.features, recommended.rules, tuple(best.values())
    )


def _line_of_winner(candidates: Sequence[_Candidate]) -> str | None:
    """The strategy that made the first step towards the winner."""
    by_id = {each.id: each for each in candidates}
    step = next((each for each in candidates if each.status == "winner"), None)
    while step is not None and step.parent_id is not None:
        step = by_id.get(step.parent_id)
    return step.strategy if step else None


def distinct(history: Iterable[SearchEvidence]) -> tuple[SearchEvidence, ...]:
    """Every search once: not a second time under its id, nor a repetition, under whatever name, that saw the same."""
    found: dict[object, SearchEvidence] = {}
    ids: set[str] = set()
    for search in history:
        if search.search_id in ids:
            continue
        ids.add(search.search_id)
        found.setdefault((search.features.model_dump_json(), search.observations), search)
    return tuple(found.values())

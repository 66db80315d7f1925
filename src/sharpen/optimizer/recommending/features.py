"""What is known of a search before it begins, and how much two searches are alike."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sharpen.optimizer.models import PromptAnalysis
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.recommending.models import Features

REACH_PROMPT, REACH_ERRORS, REACH_MODEL = 0.3, 0.5, 1.0
"""At such a distance (0..1) in one respect alone, an earlier search counts 1/e as much as one without any."""

MOST_WORDS, MOST_DEMONSTRATIONS = 1024, 16
"""Prompts longer than that, or with more demonstrations, are not told apart."""


def features_of(
    analysis: PromptAnalysis, patterns: ErrorPatterns | None, *, measured: bool, model: str = "", target: str = ""
) -> Features:
    """The features of a search. ``patterns``: of train and dev (None when nothing failed, if ``measured``)."""
    kinds: dict[str, float] = defaultdict(float)
    for group in patterns.groups if patterns else ():
        kinds[group.kind] += group.share
    known = analysis.metadata
    words = sum(int(known.get(name, 0)) for name in ("useful_words", "filler_words", "repeated_words"))
    return Features(
        clarity=analysis.clarity_score,
        efficiency=analysis.efficiency_score,
        rules=tuple(sorted({issue.type for issue in analysis.issues})),
        words=words,
        demonstrations=int(known.get("demonstrations", 0)),
        failure_rate=(patterns.failures / patterns.cases if patterns and patterns.cases else 0.0) if measured else None,
        kinds={kind: round(share, 6) for kind, share in sorted(kinds.items())} if measured else {},
        model=model,
        target=target,
    )


def similarity(one: Features, other: Features) -> float:
    """1 for searches that look the same, towards 0 the less they do: exp(−Σ distance / reach) over three respects.

    A kernel (positive semidefinite): every distance is of negative type (L1, Jaccard, an ultrametric), and so is their
    sum (Schoenberg 1938; Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 4.2).
    """
    prompt, errors, model = distances(one, other)
    return math.exp(-(prompt / REACH_PROMPT + errors / REACH_ERRORS + model / REACH_MODEL))


def distances(one: Features, other: Features) -> tuple[float, float, float]:
    """How far apart two searches are in the prompt, in what fails, and in the model; each 0..1."""
    scaled = zip(_scaled(one), _scaled(other), strict=True)
    prompt = [*(abs(mine - theirs) for mine, theirs in scaled), _jaccard(set(one.rules), set(other.rules))]
    return math.fsum(prompt) / len(prompt), _variation(_ends(one), _ends(other)), _model_distance(one, other)


def similarities(searches: Sequence[Features], others: Sequence[Features]) -> NDArray[np.float64]:
    """``similarity`` of each of ``searches`` (rows) to each of ``others`` (columns), all at once."""
    numbers = _apart(_table(_scaled, searches), _table(_scaled, others)).sum(axis=2)
    names = sorted({name for each in (*searches, *others) for name in each.rules})
    mine, theirs = (
        _table(lambda one: [float(name in one.rules) for name in names], each) for each in (searches, others)
    )
    shared = mine @ theirs.T
    either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - shared
    jaccard = np.where(either > 0, 1 - shared / np.maximum(either, 1), 0.0)
    ends = sorted({end for each in (*searches, *others) for end in _ends(each)})
    shares = (_table(lambda one: [_ends(one).get(end, 0.0) for end in ends], each) for each in (searches, others))
    errors = np.minimum(1.0, _apart(*shares).sum(axis=2) / 2)
    models = np.array([[_model_distance(one, other) for other in others] for one in searches])
    prompt = (numbers + jaccard) / (len(_scaled(searches[0])) + 1)
    return np.asarray(np.exp(-(prompt / REACH_PROMPT + errors / REACH_ERRORS + models / REACH_MODEL)))


def _table(row: Callable[[Features], Sequence[float]], searches: Sequence[Features]) -> NDArray[np.float64]:
    return np.array([row(one) for one in searches], dtype=float).reshape(len(searches), -1)


def _apart(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(mine[:, None, :] - theirs[None, :, :]))


def _scaled(one: Features) -> list[float]:
    """What is counted or scored of a prompt, each on 0..1."""
    counted = _on_log(one.words, MOST_WORDS), _on_log(one.demonstrations, MOST_DEMONSTRATIONS)
    return [one.clarity / 100, one.efficiency / 100, *counted]


@cache
def family(model: str) -> str:
    """``llama`` of ``meta-llama/Llama-3.1-8B``: the letters that the last part of the name begins with."""
    found = re.match(r"[^\W\d_]+", model.rsplit("/", 1)[-1].casefold())
    return found.group() if found else ""


def _on_log(number: int, most: int) -> float:
    return math.log2(1 + min(number, most)) / math.log2(1 + most)


def _jaccard(one: set[str], other: set[str]) -> float:
    return 1 - len(one & other) / len(one | other) if one | other else 0.0


def _ends(features: Features) -> dict[str, float]:
    """How cases end → share of the cases. Empty when the prompt was not measured: half way from everything."""
    if features.failure_rate is None:
        return {}
    failed = {kind: share * features.failure_rate for kind, share in features.kinds.items()}
    unnamed = features.failure_rate - math.fsum(failed.values())
    return {**failed, "": 1 - features.failure_rate, "?": max(0.0, unnamed)}


def _variation(one: dict[str, float], other: dict[str, float]) -> float:
    """Total variation distance."""
    return min(1.0, math.fsum(abs(one.get(end, 0.0) - other.get(end, 0.0)) for end in one.keys() | other.keys()) / 2)


def _model_distance(one: Features, other: Features) -> float:
    if (one.model, one.target) == (other.model, other.target):
        return 0.0
    mine, theirs = family(one.model), family(other.model)
    return 0.5 if mine and mine == theirs else 1.0

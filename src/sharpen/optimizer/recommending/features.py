"""What is known of a search before it begins, and how much two searches are alike."""

from __future__ import annotations

import math
import re
from collections import defaultdict

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
    prompt = (
        abs(one.clarity - other.clarity) / 100,
        abs(one.efficiency - other.efficiency) / 100,
        _jaccard(set(one.rules), set(other.rules)),
        abs(_on_log(one.words, MOST_WORDS) - _on_log(other.words, MOST_WORDS)),
        abs(_on_log(one.demonstrations, MOST_DEMONSTRATIONS) - _on_log(other.demonstrations, MOST_DEMONSTRATIONS)),
    )
    return math.fsum(prompt) / len(prompt), _variation(_ends(one), _ends(other)), _model_distance(one, other)


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

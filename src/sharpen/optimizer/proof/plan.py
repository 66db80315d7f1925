"""What a proof is to show, on which cases, at which level: decided before the first outcome is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sharpen.config.rules import Thresholds

Claim = Literal["better", "non_inferior"]
DEFAULT_MARGIN = 0.05
"""Five points. Three points need 137 held-out cases even if not one of them changes, five need 82."""


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """``level`` is one-sided: the probability that a change that is none is accepted, over all looks.

    ``baseline``: pass rates that are known already, by case id; they tell what can still be gained. ``groups``: the
    group of each case that has one. ``claim`` "better": a higher pass rate; "non_inferior": one at most ``margin``
    (0..1) lower, for fewer tokens. ``earlier_looks``: of earlier searches at these cases. ``keep``: of more cases than
    that the verification names no pairs (None: of all).
    """

    cases: tuple[str, ...]
    level: float
    alpha: float = 0.05
    rules: Thresholds = field(default_factory=Thresholds)
    groups: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    repeats: int = 1
    seed: int = 0
    claim: Claim = "better"
    margin: float = DEFAULT_MARGIN
    earlier_looks: int = 0
    keep: int | None = None

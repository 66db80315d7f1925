"""Searches to learn from, made by hand or by a rule."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from sharpen.optimizer.recommending.evidence import SearchEvidence, observe
from sharpen.optimizer.recommending.models import Features

RULES = ("clarity_focus", "format_focus", "demonstrations")


def features(**changes: Any) -> Features:
    known: dict[str, Any] = {
        "clarity": 60.0,
        "efficiency": 90.0,
        "rules": ("SP201",),
        "words": 20,
        "failure_rate": 0.8,
        "kinds": {"prose": 1.0},
        "model": "llama-3-8b",
        "target": "openai",
    }
    return Features(**(known | changes))


def search(
    number: int,
    gains: Mapping[str, float],
    *,
    cases: int = 20,
    workflow: str | None = None,
    known: Features | None = None,
    rules: Sequence[str] = RULES,
) -> SearchEvidence:
    """A search in which every strategy gained so much (-1..1) on so many cases."""
    seen = tuple(observe(name, max(0.0, gain) * cases, max(0.0, -gain) * cases, cases) for name, gain in gains.items())
    return SearchEvidence(f"s{number:03}", workflow or f"w{number:03}", known or features(), tuple(rules), seen)


def lucky(count: int, best: str, seed: int = 0, *, by: float = 0.4) -> list[SearchEvidence]:
    """Searches, each of its own workflow, in which ``best`` gains ``by`` more than the others, give or take."""
    rng = random.Random(seed)
    return [
        search(number, {name: rng.gauss(by if name == best else 0.0, 0.08) for name in RULES})
        for number in range(count)
    ]

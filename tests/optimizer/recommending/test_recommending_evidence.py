"""What is read off the outcome of a search."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommending_kit import RULES, features, search

from sharpen.optimizer.recommending.evidence import distinct, evidence_of, observe


def candidate(id: str, strategy: str, fixed: float, broken: float, cases: int = 10, **keys: Any) -> dict[str, Any]:
    measured = {"dev": {"cases": cases, "success_rate": 0.5}, "fixed": fixed, "broken": broken}
    return {"id": id, "strategy": strategy, "parent_id": None, "status": "dropped", **measured, **keys}


def outcome(*candidates: dict[str, Any], **keys: Any) -> dict[str, Any]:
    recommended = {"features": features().model_dump(mode="json"), "rules": list(RULES), "order": list(RULES)}
    return {
        "run_id": "o1",
        "workflow_id": "w",
        "started_at": "2026-01-01T00:00:00Z",
        "candidates": list(candidates),
        "recommendation": recommended,
        "more": "that is not read",
        **keys,
    }


def test_the_one_that_raced_longest_speaks_for_its_strategy() -> None:
    found = evidence_of(
        outcome(
            candidate("c1", "format_focus", 3, 0, cases=3),
            candidate("c2", "format_focus", 6, 1, cases=12),
            candidate("c3", "demonstrations", 2, 0, cases=8),
            candidate("c4", "demonstrations", 4, 0, cases=8),
        )
    )
    assert found is not None
    assert [(seen.strategy, seen.gain, seen.cases) for seen in found.observations] == [
        ("format_focus", 5 / 12, 12),
        ("demonstrations", 0.5, 8),
    ]


def test_winner_and_proof_belong_to_the_first_step() -> None:
    line = [
        candidate("c1", "format_focus", 3, 0),
        candidate("c2", "demonstrations", 9, 0, parent_id="c1", status="winner"),
        candidate("c3", "demonstrations", 2, 0),
    ]
    found = evidence_of(outcome(*line, verification={"accepted": True}))
    assert found is not None
    assert [(seen.strategy, seen.won, seen.proved) for seen in found.observations] == [
        ("format_focus", True, True),
        ("demonstrations", False, False),
    ]
    assert found.observations[1].gain == pytest.approx(0.2)  # not that of the second generation


def test_no_evidence() -> None:
    tried = candidate("c1", "format_focus", 1, 0)
    assert evidence_of(outcome()) is None
    assert evidence_of(outcome(tried | {"dev": None, "fixed": None, "broken": None})) is None
    assert evidence_of(outcome(tried | {"fixed": None})) is None  # by a version that did not pair
    assert evidence_of(outcome(tried, recommendation=None)) is None
    assert evidence_of(outcome(tried, started_at="no date")) is None
    assert evidence_of(outcome(candidate("c1", "supplied", 5, 0))) is None  # nothing that auto could order


def test_an_observation_needs_cases() -> None:
    with pytest.raises(ValueError, match="not 0"):
        observe("format_focus", 0, 0, 0)


@settings(max_examples=80)
@given(st.integers(1, 200), st.data())
def test_variance(cases: int, data: st.DataObject) -> None:
    fixed = data.draw(st.integers(0, cases))
    broken = data.draw(st.integers(0, cases - fixed))
    seen = observe("s", fixed, broken, cases)
    assert -1 <= seen.gain <= 1
    assert seen.variance > 0
    assert observe("s", 10 * fixed, 10 * broken, 10 * cases).variance < seen.variance  # more cases, less doubt


def test_a_search_counts_once() -> None:
    one, same_id, repeated = (search(n, {"format_focus": 0.2}, workflow="w") for n in (1, 1, 2))
    copied = search(3, {"format_focus": 0.2}, workflow="a copy of the plan")
    other = search(4, {"format_focus": 0.3}, workflow="w")
    assert distinct([one, same_id, repeated, copied, other]) == (one, other)

"""What is known of a search, and when two are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommending_kit import features

from sharpen.config.prompts import PromptTemplate
from sharpen.optimizer.optimizer_service import analyze_prompt
from sharpen.optimizer.patterns.models import ErrorGroup, ErrorPatterns
from sharpen.optimizer.recommending.features import distances, family, features_of, similarities, similarity
from sharpen.optimizer.recommending.models import Features

SHARE = st.floats(0, 1)
KNOWN = st.builds(
    features,
    clarity=st.floats(0, 100),
    efficiency=st.floats(0, 100),
    rules=st.lists(st.sampled_from(["SP101", "SP201", "SP202", "SP401"]), unique=True).map(tuple),
    words=st.integers(0, 5000),
    demonstrations=st.integers(0, 40),
    failure_rate=st.none() | SHARE,
    kinds=st.tuples(SHARE, SHARE).map(lambda pair: {"prose": pair[0] / 2, "wrong_label": pair[1] / 2}),
    model=st.sampled_from(["", "llama-3-8b", "llama-2", "gpt-4o"]),
)


def group(kind: str, share: float) -> ErrorGroup:
    return ErrorGroup(id=kind, kind=kind, name=kind, size=1, share=share)


def test_of_a_prompt_and_its_failures() -> None:
    analysis = analyze_prompt(PromptTemplate.from_text("Sort it.\n\nText: a\nLabel: x\n\nText: b\nLabel: y\n\nLabel:"))
    parts = (group("prose", 0.5), group("wrong_label", 0.25), group("wrong_label", 0.25))
    patterns = ErrorPatterns(cases=40, failures=10, looked_at=10, groups=parts)
    found = features_of(analysis, patterns, measured=True, model="m", target="local")
    assert found.failure_rate == 0.25
    assert found.kinds == {"prose": 0.5, "wrong_label": 0.5}  # groups of one kind add up
    assert found.demonstrations == 2
    assert found.words > 0
    assert found.rules == tuple(sorted({issue.type for issue in analysis.issues}))


def test_nothing_failed_is_not_unknown() -> None:
    analysis = analyze_prompt("Sort it.")
    assert features_of(analysis, None, measured=True).failure_rate == 0.0
    unknown = features_of(analysis, None, measured=False)
    assert unknown.failure_rate is None
    assert distances(unknown, features(failure_rate=1.0))[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("model", "name"),
    [("meta-llama/Llama-3.1-8B", "llama"), ("gpt-4o-mini", "gpt"), ("SmolLM2-135M.Q8_0.gguf", "smollm"), ("", "")],
)
def test_family(model: str, name: str) -> None:
    assert family(model) == name


def test_a_model_of_the_same_family_is_half_way() -> None:
    llama, elder, other = (features(model=name) for name in ("llama-3-8b", "llama-2-7b", "gpt-4o"))
    assert [distances(llama, each)[2] for each in (llama, elder, other)] == [0.0, 0.5, 1.0]
    assert distances(features(model=""), features(model="", target="python"))[2] == 1.0


@settings(max_examples=60)
@given(st.lists(KNOWN, min_size=2, max_size=6))
def test_a_kernel(searches: list[Features]) -> None:
    matrix = similarities(searches, searches)
    assert np.allclose(matrix, [[similarity(one, other) for other in searches] for one in searches])
    assert np.allclose(matrix, matrix.T)
    assert np.allclose(np.diag(matrix), 1.0)
    assert ((matrix > 0) & (matrix <= 1)).all()
    assert np.linalg.eigvalsh(matrix).min() > -1e-9


@settings(max_examples=60)
@given(KNOWN, KNOWN)
def test_distances_are_shares(one: Features, other: Features) -> None:
    assert all(0 <= distance <= 1 for distance in distances(one, other))

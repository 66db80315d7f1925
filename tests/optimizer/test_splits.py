from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import SplitConfig
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.splits import split_cases


def labelled(n, labels="abc"):
    return [(f"case-{number}", labels[number % len(labels)]) for number in range(n)]


@given(st.integers(15, 300), st.integers(0, 9), st.sampled_from(["a", "ab", "abcde"]))
@settings(max_examples=80, deadline=None)
def test_the_parts_hold_every_case_once_in_proportion(n, seed, labels):
    cases = labelled(n, labels)
    split = split_cases(cases, SplitConfig(seed=seed), 0.05)
    parts = (split.train, split.dev, split.holdout)
    assert sorted(sum(parts, ())) == sorted(case_id for case_id, _ in cases)
    for part, share in zip(parts, (0.3, 0.3, 0.4), strict=True):
        assert abs(len(part) - share * n) < 1
    assert split == split_cases(cases, SplitConfig(seed=seed), 0.05)


def test_classes_are_spread_in_proportion():
    cases = [(f"c{n}", "rare" if n % 10 == 0 else "common") for n in range(200)]
    split = split_cases(cases, SplitConfig(seed=3), 0.05)
    expected = dict(cases)
    for part, share in ((split.train, 0.3), (split.dev, 0.3), (split.holdout, 0.4)):
        rare = Counter(expected[case_id] for case_id in part)["rare"]
        assert abs(rare - 20 * share) <= 1


def test_another_seed_is_another_split():
    cases = labelled(60)
    assert split_cases(cases, SplitConfig(seed=1), 0.05) != split_cases(cases, SplitConfig(seed=2), 0.05)


def test_free_text_answers_are_split_at_random_and_any_answer_will_do():
    cases = [(f"c{n}", {"answer": n} if n % 2 else None) for n in range(40)]
    assert len(split_cases(cases, SplitConfig(), 0.05).holdout) == 16


@pytest.mark.parametrize(("n", "alpha", "needed"), [(13, 0.05, 14), (3, 0.05, 14), (14, 0.01, 20)])
def test_too_few_cases_say_how_many_are_needed(n, alpha, needed):
    with pytest.raises(TooFewCasesError, match=rf"{n} cases are too few.*{needed} cases are needed"):
        split_cases(labelled(n), SplitConfig(), alpha)
    split_cases(labelled(needed), SplitConfig(), alpha)

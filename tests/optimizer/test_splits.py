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


@given(st.integers(40, 200), st.integers(2, 6), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole_and_the_parts_near_their_shares(n, size, seed):
    cases = labelled(n)
    groups = {case_id: str(number // size) for number, (case_id, _) in enumerate(cases) if number % 7}
    try:
        split = split_cases(cases, SplitConfig(seed=seed), 0.05, groups)
    except TooFewCasesError:
        assert n / size < 25
        return
    for group in set(groups.values()):
        members = {case_id for case_id, own in groups.items() if own == group}
        assert sum(not members.isdisjoint(part) for part in (split.train, split.dev, split.holdout)) == 1
    for part, share in ((split.train, 0.3), (split.dev, 0.3), (split.holdout, 0.4)):
        assert abs(len(part) - share * n) <= size
    assert sorted(split.train + split.dev + split.holdout) == sorted(case_id for case_id, _ in cases)


def test_too_few_groups_are_too_few_cases():
    groups = {f"case-{number}": str(number // 20) for number in range(100)}
    with pytest.raises(TooFewCasesError, match=r"5 groups of 100 cases are too few.*in 2 groups.*14 groups are needed"):
        split_cases(labelled(100), SplitConfig(), 0.05, groups)


@given(st.integers(0, 70), st.integers(0, 9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_barred_cases_never_come_into_the_holdout(barred, seed, grouped):
    cases = labelled(100)
    groups = {case_id: str(number // 2) for number, (case_id, _) in enumerate(cases)} if grouped else {}
    out = [case_id for case_id, _ in cases][:barred]
    split = split_cases(cases, SplitConfig(seed=seed), 0.05, groups, out)
    assert set(split.holdout).isdisjoint(out)
    assert abs(len(split.holdout) - min(40, 100 - barred)) <= 3
    assert abs(len(split.train) - len(split.dev)) <= 4
    assert sorted(split.train + split.dev + split.holdout) == sorted(case_id for case_id, _ in cases)


def test_a_split_that_fits_what_is_barred_stays_as_it_was():
    plain = split_cases(labelled(100), SplitConfig(), 0.05)
    assert split_cases(labelled(100), SplitConfig(), 0.05, barred=plain.train + plain.dev) == plain


def test_nothing_left_for_the_holdout_says_how_many_fresh_cases_are_due():
    plain = split_cases(labelled(50), SplitConfig(), 0.05)
    used = plain.train + plain.dev + plain.holdout[:17]
    with pytest.raises(
        TooFewCasesError, match=r"47 of 50 cases.*leaves 3 .*at least 3 fresh cases are due, 75 to prove"
    ):
        split_cases(labelled(50), SplitConfig(), 0.05, barred=used)

"""The sequential sign-flip test: exact, whatever the sizes, the looks and the moment one stops."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.optimizer.proof.sign_flip import SignFlipSequence, spent_by
from sharpen.optimizer.statistics import mcnemar_exact

SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=9)


def stopped_at(signs, sizes, cuts, level):
    """(boundary of the win or of the last look, looks taken)."""
    test = SignFlipSequence(level)
    for number, (first, last) in enumerate(itertools.pairwise((0, *cuts)), 1):  # noqa: B007 - returned
        new = [sign * size for sign, size in zip(signs[first:last], sizes[first:last], strict=True)]
        found = test.look(new, last / len(sizes))
        if found.won:
            break
    return found, number


@pytest.mark.no_cover
@given(SIZES, st.sampled_from([0.025, 0.1, 0.3, 0.5]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_over_all_sign_patterns_the_false_wins_are_at_most_the_level(sizes, level, looks):
    cuts = sorted({max(1, round(len(sizes) * k / looks)) for k in range(1, looks + 1)})
    patterns = list(itertools.product((-1, 1), repeat=len(sizes)))
    found = [stopped_at(signs, sizes, cuts, level)[0] for signs in patterns]
    assert sum(one.won for one in found) / len(patterns) <= level * (1 + 1e-9)
    for one in found:  # and its p value is one: it is below the level exactly when the test is won …
        assert (one.p_value <= level * (1 + 1e-9)) == one.won
    for bar in {one.p_value for one in found}:  # … and is as small as that with at most that probability
        assert sum(one.p_value <= bar for one in found) / len(patterns) <= bar * (1 + 1e-9)


@given(st.integers(1, 60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_a_single_look_is_the_exact_mcnemar_test(fixed, broken):
    found = SignFlipSequence(0.025).look([1] * fixed + [-1] * broken + [0] * 5, 1.0)
    if fixed > broken:
        assert 2 * found.p_value == pytest.approx(mcnemar_exact(fixed, broken))
    assert found.won == (fixed > broken and mcnemar_exact(fixed, broken) <= 0.05)


@given(SIZES, st.data())
@settings(max_examples=60, deadline=None)
def test_a_gain_instead_of_a_loss_never_takes_a_win_away(sizes, data):
    signs = data.draw(st.lists(st.sampled_from((-1, 1)), min_size=len(sizes), max_size=len(sizes)))
    cuts = sorted({(len(sizes) + 1) // 2, len(sizes)})
    found, number = stopped_at(signs, sizes, cuts, 0.3)
    flipped = data.draw(st.integers(0, len(sizes) - 1))
    better, looks = stopped_at([*signs[:flipped], 1, *signs[flipped + 1 :]], sizes, cuts, 0.3)
    assert better.won >= found.won
    assert not found.won or looks <= number


def test_boundaries_depend_on_sizes_alone_and_spend_what_they_may():
    rng = random.Random(4)
    tests = [SignFlipSequence(0.025) for _ in range(4)]
    for share in (0.2, 0.5, 0.7, 1.0):
        sizes = [rng.randrange(3) for _ in range(20)]
        found = [test.look([size * rng.choice((-1, 1)) for size in sizes], share) for test in tests]
        assert len({one.needed for one in found}) == 1
        assert all(test._spent <= spent_by(0.025, share) * (1 + 1e-9) for test in tests)


def test_large_samples_keep_their_level_and_agree_with_small_steps():
    """Thousands of units go through the FFT; the boundary is that of the exact binomial tail."""
    found = SignFlipSequence(0.025).look([1] * 5200 + [-1] * 4800, 1.0)
    assert found.won
    assert 2 * found.p_value == pytest.approx(mcnemar_exact(5200, 4800), rel=1e-6)
    assert found.needed is not None
    assert mcnemar_exact((10000 + found.needed) // 2, (10000 - found.needed) // 2) <= 0.05
    assert mcnemar_exact((10000 + found.needed) // 2 - 1, (10000 - found.needed) // 2 + 1) > 0.05
    by_parts = SignFlipSequence(0.025)
    by_parts.look([3] * 900 + [-3] * 900, 0.5)
    assert np.isclose(by_parts._all.sum(), 1.0)


def test_nothing_changed_or_too_little_can_never_win():
    test = SignFlipSequence(0.025)
    assert not test.look([0] * 30, 0.5).won
    assert not test.could_win([1] * 5)
    assert test.could_win([1] * 6)
    assert not test.could_win([0] * 40)

"""Uniform samples of streams."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.reservoir import Reservoir, sampled_numbers


@given(count=st.integers(0, 500), size=st.integers(1, 40))
def test_a_sample_keeps_order_and_size_and_can_be_told_beforehand(count: int, size: int) -> None:
    sample = Reservoir[int](size)
    for number in range(count):
        sample.offer(number)
    kept = sample.in_order()
    assert list(kept) == sorted(set(kept))
    assert len(kept) == min(count, size)
    assert kept == sampled_numbers(count, size)
    assert sample.number == count


def test_a_sample_favours_no_part_of_a_stream() -> None:
    tenths = Counter(number // 10_000 for number in sampled_numbers(100_000, 4_000))
    assert all(320 < tenths[tenth] < 480 for tenth in range(10))  # four standard deviations around 400

"""A slice is called worse only when it is: the exact test, the correction for many looks, and groups of cases."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.optimizer.patterns.exact_test import fisher_worse
from sharpen.optimizer.patterns.slices import worse_slices
from sharpen.optimizer.patterns.task import Task
from sharpen.optimizer.ports import CaseOutcome, LabelledCase

TEXT = Task("text")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_fisher_is_that_of_scipy(bad_in: int, good_in: int, bad_out: int, good_out: int) -> None:
    from scipy.stats import hypergeom

    inside, outside = bad_in + good_in, bad_out + good_out
    right = hypergeom.sf(bad_in - 1, inside + outside, bad_in + bad_out, inside) if inside + outside else 1.0
    assert fisher_worse(bad_in, inside, bad_out, outside) == pytest.approx(right, rel=1e-8, abs=1e-11)


def test_fisher_of_large_tables() -> None:
    from scipy.stats import hypergeom

    assert fisher_worse(2_700, 5_000, 5_000, 10_000) == pytest.approx(
        hypergeom.sf(2_699, 15_000, 7_700, 5_000), rel=1e-6
    )
    assert fisher_worse(5_000, 5_000, 0, 10_000) < 1e-300 or fisher_worse(5_000, 5_000, 0, 10_000) == 0.0


def made(n: int, fails: object, **extra: object) -> tuple[list[LabelledCase], dict[str, CaseOutcome]]:
    cases, outcomes = [], {}
    for index in range(n):
        case = extra["case"](index)  # type: ignore[operator]
        cases.append(case)
        outcomes[case.case_id] = CaseOutcome(case.case_id, float(not fails(index, case)), 0.0, output="x")  # type: ignore[operator]
    return cases, outcomes


def test_a_worse_category_is_found_under_its_name() -> None:
    def case(n: int) -> LabelledCase:
        return LabelledCase(f"c{n}", {"text": "word " * (5 + n % 7)}, metadata={"channel": ("mail", "chat")[n % 2]})

    cases, outcomes = made(80, lambda n, case: case.metadata["channel"] == "mail" and n % 3, case=case)
    found, tested = worse_slices(cases, outcomes, TEXT)
    assert [item.id for item in found] == ["metadata:channel=mail"]
    assert found[0].name == "channel is 'mail'"
    assert (found[0].cases, found[0].failures, found[0].rate_outside) == (40, 26, 0.0)
    assert found[0].p_value <= found[0].p_adjusted < 1e-6
    assert tested >= 3


@pytest.mark.parametrize(
    ("id", "text"),
    [
        ("text:digits", "order 4711 is late"),
        ("text:question", "where is it, please?"),
        ("text:url", "see https://example.org or so"),
        ("text:capitals", "WHERE IS MY parcel"),
        ("text:non_ascii", "der Koffer ist für mich"),
        ("text:lines", "hello there\nand so on"),
        ("text:quotes", 'they said "tomorrow" then'),
    ],
)
def test_features_of_texts(id: str, text: str) -> None:
    plain = "a plain sentence of the same kind"
    case = lambda n: LabelledCase(f"c{n}", {"text": (text if n % 2 else plain) + "." * (n % 23)})  # noqa: E731
    found, _ = worse_slices(*made(60, lambda n, _: n % 2, case=case), TEXT)
    assert id in [item.id for item in found]


def test_long_inputs() -> None:
    case = lambda n: LabelledCase(f"c{n}", {"text": "w" * (n + 1)})  # noqa: E731
    cases, outcomes = made(90, lambda n, case: n > 65, case=case)
    found, _ = worse_slices(cases, outcomes, TEXT)
    assert found[0].id == "length:long"
    assert found[0].name == "long inputs (over 61 characters)"


def test_nothing_is_worse_where_all_or_none_fail_or_cases_are_few() -> None:
    case = lambda n: LabelledCase(f"c{n}", {"text": "a" * n}, metadata={"k": str(n % 2)})  # noqa: E731
    for n, fails in ((40, lambda *_: True), (40, lambda *_: False), (10, lambda n, _: n % 2)):
        assert worse_slices(*made(n, fails, case=case), TEXT)[0] == ()


def test_no_slice_of_noise_in_at_most_one_of_twenty_runs() -> None:
    rng = random.Random(4)
    case = lambda n: LabelledCase(  # noqa: E731
        f"c{n}", {"text": "wort " * rng.randrange(1, 30) + rng.choice(["?", "1", "x"])},
        metadata={"a": rng.choice("pqr"), "b": rng.choice("st")},
    )  # fmt: skip
    runs = 200
    wrong = sum(bool(worse_slices(*made(60, lambda *_: rng.random() < 0.4, case=case), TEXT)[0]) for _ in range(runs))
    assert wrong <= 0.05 * runs + 9  # three standard deviations above the promised rate


def test_cases_of_one_group_count_once() -> None:
    """Ten groups of ten, of which the cases fail together: two channels are no evidence, a hundred cases would be."""
    case = lambda n: LabelledCase(  # noqa: E731
        f"c{n}", {"text": "a" * (n % 13)}, metadata={"channel": "mail" if n < 50 else "chat"}, group=f"g{n // 10}"
    )  # fmt: skip
    fails = lambda n, _: n // 10 in (0, 1, 2, 5)  # noqa: E731
    cases, outcomes = made(100, fails, case=case)
    assert worse_slices(cases, outcomes, TEXT)[0] == ()
    alone = [LabelledCase(c.case_id, c.variables, metadata=c.metadata) for c in cases]
    assert "metadata:channel=mail" in [item.id for item in worse_slices(alone, outcomes, TEXT)[0]]


def test_rates_of_a_sample_are_made_right() -> None:
    case = lambda n: LabelledCase(f"c{n}", {"text": "a" * (n % 13)}, metadata={"channel": "mail" if n % 2 else "chat"})  # noqa: E731
    cases, outcomes = made(80, lambda n, _: n % 2 and n < 60, case=case)
    found, _ = worse_slices(cases, outcomes, TEXT, (1.0, 9.0))
    assert found[0].rate == pytest.approx(30 / (30 + 10 * 9))

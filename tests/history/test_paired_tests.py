"""The tests of paired metrics: right where the answer is known, honest where nothing differs, grouped or not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sharpen.executor.models import TaskStatus
from sharpen.history.case_tally import CaseTally, Outcome
from sharpen.history.metric_tests import compare_metrics
from sharpen.history.models import MetricChange, MetricName
from sharpen.history.paired import PairedFold
from sharpen.history.paired_mean import mean_interval, mean_shift
from sharpen.history.quantile_shift import quantile_shift
from sharpen.history.sign_flips import sign_flip_p, whole_sign_flip_p
from sharpen.history.signed_rank import rank_shift
from sharpen.optimizer.statistics import mcnemar_exact

ALONE = np.arange(1000)
FIGURES = st.integers(1, 500)


def tally(
    case_id: str, passes: list[bool], ms: float = 100.0, tokens: int = 50, cost: float | None = 0.01
) -> CaseTally:
    found = CaseTally(case_id)
    for passed in passes:
        status = TaskStatus.SUCCEEDED if passed else TaskStatus.FAILED
        found.add(Outcome(status, ms / 1000, tokens, cost, 0.0, False))
    return found


def fold(pairs: list[tuple[CaseTally, CaseTally]], group: int | None = None) -> PairedFold:
    """``group``: so many cases in a row belong together."""
    found = PairedFold()
    for number, (before, after) in enumerate(pairs):
        found.add(before, after, None if group is None else f"g{number // group}")
    return found


def metrics(pairs: list[tuple[CaseTally, CaseTally]], group: int | None = None) -> dict[MetricName, MetricChange]:
    return {metric.name: metric for metric in compare_metrics(fold(pairs, group).columns())}


def exact_p(sums: list[int]) -> float:
    """By looking at every pattern of signs."""
    totals = [abs(sum(s * d for s, d in zip(signs, sums, strict=True))) for signs in
              itertools.product((-1, 1), repeat=len(sums))]  # fmt: skip
    return sum(total >= abs(sum(sums)) for total in totals) / len(totals)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_the_sign_flip_test_is_the_share_of_sign_patterns(sums: list[int]) -> None:
    wanted = exact_p(sums)
    assert whole_sign_flip_p(np.array(sums))[0] == pytest.approx(wanted)
    assert sign_flip_p(np.array(sums, dtype=float))[0] == pytest.approx(wanted)


@given(st.integers(0, 40), st.integers(0, 40))
def test_of_single_flips_it_is_mcnemar_s(fixed: int, broken: int) -> None:
    sums = np.array([1] * fixed + [-1] * broken, dtype=np.int64)
    assert whole_sign_flip_p(sums)[0] == pytest.approx(mcnemar_exact(fixed, broken))


def test_drawn_signs_come_near_the_exact_answer() -> None:
    rng = np.random.default_rng(3)
    whole = rng.integers(-3, 5, 60)
    drawn, how = sign_flip_p(whole.astype(float), seed=1)
    exact, name = whole_sign_flip_p(whole)
    assert (how, name) == ("20,000 draws", "exact")
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))


def test_ranks_agree_with_scipy_and_the_shift_with_all_means_of_two() -> None:
    rng = np.random.default_rng(5)
    for number in (8, 25, 70):
        differences = rng.normal(0.4, 1, number)
        found = rank_shift(differences, ALONE[:number], 0.05)
        assert found.p_value == pytest.approx(stats.wilcoxon(differences).pvalue, rel=0.05)
        walsh = np.add.outer(differences, differences)[np.tril_indices(number)] / 2
        assert found.change == pytest.approx(np.median(walsh), abs=0.02)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.change < found.high


def test_the_mean_of_single_cases_is_student_s_t() -> None:
    differences = np.random.default_rng(2).normal(1, 3, 40)
    wanted = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert mean_interval(differences, ALONE[:40], 0.05) == pytest.approx((wanted.low, wanted.high))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=70)
)
def test_swapping_the_runs_turns_every_change_round(rows: list[tuple[bool, bool, int, int]]) -> None:
    pairs = [(tally("c", [a], t, t), tally("c", [b], u, u)) for a, b, t, u in rows]
    there, back = metrics(pairs), metrics([(after, before) for before, after in pairs])
    turned = {"better": "worse", "worse": "better"}
    for name in MetricName:
        one, other = there[name], back[name]
        assert (one.before, one.after, one.p_value) == (
            other.after,
            other.before,
            pytest.approx(other.p_value, abs=0.03),
        )
        if one.change is not None:
            assert one.change == pytest.approx(-(other.change or 0.0), abs=1e-9)
        if one.p_adjusted is not None and abs(one.p_adjusted - 0.05) > 0.1:
            assert turned.get(one.verdict, one.verdict) == other.verdict


@pytest.mark.parametrize("group", [None, 4])
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_run_against_itself_differs_in_nothing(group: int | None, repeats: int) -> None:
    rng = np.random.default_rng(1)
    one = [tally(f"c{n}", list(rng.random(repeats) < 0.6), float(rng.lognormal(5, 1)), int(rng.integers(20, 90)))
           for n in range(80)]  # fmt: skip
    for metric in metrics([(case, case) for case in one], group).values():
        assert metric.change == 0
        assert metric.p_value == 1
        assert metric.verdict == "no difference shown"
        assert metric.low is not None
        assert metric.low <= 0 <= (metric.high or 0)
    assert (metrics([(case, case) for case in one], group)[MetricName.SUCCESS].low or 0) < 0  # never without width


def test_a_change_of_everything_is_found_and_corrected_for_the_number_of_metrics() -> None:
    rng = np.random.default_rng(4)
    pairs = []
    for number in range(100):
        ms, tokens = float(rng.lognormal(6, 0.5)), int(rng.integers(40, 60))
        pairs.append((tally(f"c{number}", [rng.random() < 0.4], ms, tokens),
                      tally(f"c{number}", [rng.random() < 0.8], ms * 0.7, tokens + 9, 0.02)))  # fmt: skip
    found = metrics(pairs)
    assert [metric.verdict for metric in found.values()] == ["better", "better", "better", "worse", "worse"]
    assert found[MetricName.SUCCESS].test == "exact McNemar"
    raw = sorted(metric.p_value or 0 for metric in found.values())
    assert min(metric.p_adjusted or 0 for metric in found.values()) == pytest.approx(min(1, 5 * raw[0]))
    assert all((metric.p_adjusted or 0) >= (metric.p_value or 0) for metric in found.values())


def test_an_unknown_price_is_never_nothing() -> None:
    pairs = [(tally(f"c{n}", [True]), tally(f"c{n}", [True], cost=None if n == 3 else 0.01)) for n in range(20)]
    cost = metrics(pairs)[MetricName.COST]
    assert (cost.after, cost.change, cost.p_value, cost.verdict) == (None, None, None, "not tested")
    assert cost.before == pytest.approx(0.01)
    assert cost.note == "unknown: 1 case of the second run without a known price"
    free = metrics([(tally("c", [True], cost=0.0), tally("c", [True], cost=0.0))] * 20)[MetricName.COST]
    assert (free.before, free.after, free.p_value, free.note) == (0.0, 0.0, None, "free in both runs")


def test_errors_do_not_pass_and_have_no_latency() -> None:
    late = CaseTally("late")
    late.add(Outcome(TaskStatus.TIMEOUT, 60.0, 0, None, 0.0, False))
    pairs = [(tally(f"c{n}", [True]), tally(f"c{n}", [True])) for n in range(30)] + [(tally("late", [True]), late)]
    columns = fold(pairs).columns()
    found = {metric.name: metric for metric in compare_metrics(columns)}
    assert columns.unanswered == 1
    assert found[MetricName.SUCCESS].after == pytest.approx(30 / 31)
    assert found[MetricName.LATENCY_MEDIAN].cases == found[MetricName.TOKENS].cases == 30
    assert found[MetricName.COST].after == pytest.approx(0.01)  # what was never answered has no unknown price


def test_answers_from_the_cache_have_no_latency_of_their_own() -> None:
    def cached(case_id: str) -> CaseTally:
        found = CaseTally(case_id)
        found.add(Outcome(TaskStatus.SUCCEEDED, 9.0, 50, 0.0, 0.01, True))
        return found

    pairs = [(tally(f"c{n}", [True]), cached(f"c{n}") if n < 5 else tally(f"c{n}", [True])) for n in range(12)]
    found = metrics(pairs)
    assert found[MetricName.LATENCY_MEDIAN].cases == 7
    assert "from the cache are left out" in found[MetricName.LATENCY_MEDIAN].note
    assert found[MetricName.COST].after == pytest.approx(0.01)  # at the price that was paid for it


def test_few_cases_are_not_tested() -> None:
    found = metrics([(tally(f"c{n}", [True], 100), tally(f"c{n}", [True], 200)) for n in range(5)])
    assert found[MetricName.LATENCY_MEDIAN].note == "too few to test: 5 of at least 6 cases"
    assert found[MetricName.LATENCY_MEDIAN].change == pytest.approx(100)
    assert found[MetricName.LATENCY_P95].note == "too few to test: 5 of at least 60 cases"
    assert found[MetricName.TOKENS].verdict == "not tested"
    assert compare_metrics(PairedFold().columns())[0].note == "no case ran in both runs"


def test_many_cases_in_few_groups_are_not_tested_and_the_note_counts_what_is_too_few() -> None:
    found = metrics([(tally(f"c{n}", [True], 100), tally(f"c{n}", [True], 200)) for n in range(100)], group=20)
    assert found[MetricName.LATENCY_MEDIAN].note == "too few to test: 5 of at least 6 groups of cases"
    assert found[MetricName.LATENCY_P95].note == "too few to test: 5 of at least 12 groups of cases"
    assert found[MetricName.TOKENS].note == "too few to test: 5 of at least 6 groups of cases"


def worlds(units: int, size: int, runs: int, seed: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Pairs of latencies that differ by chance alone: by case, and for all cases of a unit together."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), size)

    def side(case: np.ndarray) -> np.ndarray:
        return case * np.exp(rng.normal(0, 0.3, units))[unit] * rng.lognormal(0, 0.2, len(unit))

    return unit, [(side(case), side(case)) for case in (rng.lognormal(6, 0.8, len(unit)) for _ in range(runs))]


@pytest.mark.parametrize(("units", "size"), [(40, 1), (10, 5)])
def test_nothing_is_called_something_no_more_often_than_alpha(
    units: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharpen.history.sign_flips.MOST_DRAWS", 500)
    monkeypatch.setattr("sharpen.history.sign_flips.FEWEST_DRAWS", 500)
    runs = 150
    unit, pairs = worlds(units, size, runs, seed=11)
    mean = [mean_shift(after - before, unit, 0.1) for before, after in pairs]
    rank = [rank_shift(after - before, unit, 0.1) for before, after in pairs]
    allowed = 0.1 + 3 * math.sqrt(0.1 * 0.9 / runs)
    for found in (mean, rank):
        assert sum(shift.p_value <= 0.1 for shift in found) / runs <= allowed
        assert sum((shift.low or 0) <= 0 <= (shift.high or 0) for shift in found) / runs >= 1 - allowed


def test_cases_of_a_group_counted_one_by_one_see_what_is_not_there() -> None:
    """Naive against clustered, on the same 80 pairs of runs in which nothing differs."""
    unit, pairs = worlds(units=10, size=12, runs=80, seed=12)
    alone = np.arange(len(unit))
    naive = sum(rank_shift(after - before, alone, 0.05).p_value <= 0.05 for before, after in pairs) / 80
    clustered = sum(rank_shift(after - before, unit, 0.05).p_value <= 0.05 for before, after in pairs) / 80
    assert naive > 0.3
    assert clustered <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 80)


def test_success_of_groups_is_honest_too() -> None:
    """All ten cases of a group flip together by chance: exact on groups, far off one by one."""
    rng = np.random.default_rng(13)
    naive = clustered = 0
    for _ in range(150):
        before, after = rng.random((2, 12)) < 0.5
        pairs = [(tally("c", [bool(before[n // 10])]), tally("c", [bool(after[n // 10])])) for n in range(120)]
        clustered += (metrics_of_success(pairs, 10).p_value or 1) <= 0.05
        naive += (metrics_of_success(pairs, None).p_value or 1) <= 0.05
    assert clustered / 150 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
    assert naive / 150 > 0.4


def metrics_of_success(pairs: list[tuple[CaseTally, CaseTally]], group: int | None) -> MetricChange:
    from sharpen.history.metric_tests import success_change

    return success_change(fold(pairs, group).columns(), 0.05)


@pytest.mark.parametrize(("units", "size"), [(80, 1), (20, 5)])
def test_a_high_quantile_s_test_and_interval_are_honest(units: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.history.quantile_shift.DRAWS", 200)
    unit, pairs = worlds(units, size, 100, seed=14)
    found = [quantile_shift(before, after, unit, 0.95, 0.1, seed) for seed, (before, after) in enumerate(pairs)]
    assert sum(shift.p_value <= 0.1 for shift in found) <= 10 + 3 * 3
    assert sum((shift.low or 0) <= 0 <= (shift.high or 0) for shift in found) >= 90 - 3 * 3


def test_a_high_quantile_that_moves_is_seen() -> None:
    unit, pairs = worlds(300, 1, 1, seed=15)
    before, after = pairs[0]
    slower = np.where(after > np.quantile(after, 0.9), after * 3, after)
    found = quantile_shift(before, slower, unit, 0.95, 0.05)
    assert found.p_value < 0.01
    assert (found.low or 0) > 0
    assert found.change == pytest.approx(np.sort(slower)[284] - np.sort(before)[284])  # nearest rank: the 285th of 300


def test_very_different_runs_are_swapped_beyond_the_top() -> None:
    before, after = np.linspace(1, 2, 100), np.linspace(1000, 2000, 100)
    after[0] = 0.5
    found = quantile_shift(before, after, np.repeat(np.arange(50), 2), 0.95, 0.05)
    assert found.p_value < 0.01
    assert (found.low or 0) > 900

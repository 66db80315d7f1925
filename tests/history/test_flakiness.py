"""pass@k, pass^k and coins: without bias, exact, and never a flip taken for a repair."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sharpen.executor.models import TaskStatus
from sharpen.history.case_changes import CaseChanges, fisher
from sharpen.history.case_tally import CaseTally, Outcome
from sharpen.history.flakiness import caught, exact_interval, flakiness_of, pass_at_k, pass_hat_k
from sharpen.history.models import ChangeKind
from sharpen.reporting.flakiness_text import caveats


def tally(case_id: str, passes: int, runs: int, errors: int = 0) -> CaseTally:
    return CaseTally(case_id, passes=passes, runs=runs, errors=errors)


@given(st.integers(1, 8), st.data())
def test_the_estimators_are_the_share_of_all_choices_of_k(runs: int, data: st.DataObject) -> None:
    passes, k = data.draw(st.integers(0, runs)), data.draw(st.integers(1, runs))
    choices = list(itertools.combinations([True] * passes + [False] * (runs - passes), k))
    assert pass_at_k(runs, passes, k) == pytest.approx(sum(map(any, choices)) / len(choices))
    assert pass_hat_k(runs, passes, k) == pytest.approx(sum(map(all, choices)) / len(choices))


@pytest.mark.parametrize("rate", [0.2, 0.7])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_estimators_have_no_bias(rate: float, k: int) -> None:
    """Their mean over what 5 runs of such a case can bring is 1 − (1 − p)^k and p^k."""
    chances = stats.binom.pmf(range(6), 5, rate)
    expected_any = sum(chance * pass_at_k(5, c, k) for c, chance in enumerate(chances))
    expected_all = sum(chance * pass_hat_k(5, c, k) for c, chance in enumerate(chances))
    assert expected_any == pytest.approx(1 - (1 - rate) ** k)
    assert expected_all == pytest.approx(rate**k)


def test_impossible_counts_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"4 passes of 3 runs; expected 0 to 3"):
        pass_at_k(3, 4, 1)
    with pytest.raises(ValueError, match=r"k is 4; expected 1 to 3"):
        pass_hat_k(3, 1, 4)


@given(st.integers(1, 60), st.data())
def test_the_interval_excludes_always_and_never_exactly_when_the_repeats_disagree(
    runs: int, data: st.DataObject
) -> None:
    passes = data.draw(st.integers(0, runs))
    low, high = exact_interval(passes, runs, 0.05)
    wanted = stats.binomtest(passes, runs).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((wanted.low, wanted.high))
    assert (low > 0 and high < 1) is (0 < passes < runs)
    assert exact_interval(0, 0, 0.05) == (0.0, 1.0)


def test_what_is_told_of_a_run() -> None:
    found = flakiness_of(
        [
            tally("a", 3, 3),
            tally("b", 0, 3),
            tally("c", 1, 3),
            tally("d", 2, 3, errors=1),
            tally("e", 1, 1),
            tally("f", 0, 0),
        ]
    )
    assert found is not None
    assert (found.cases, found.coins, found.always_pass, found.always_fail, found.once) == (5, 2, 1, 1, 1)
    assert found.coins_by_errors == 1
    assert [item.state for item in found.per_case] == ["passes", "fails", "coin", "coin", "once"]
    assert [(item.k, item.cases) for item in found.pass_at] == [(1, 5), (2, 4), (3, 4)]
    assert found.pass_at[0].pass_at_k == pytest.approx((1 + 0 + 1 / 3 + 2 / 3 + 1) / 5)
    assert found.caught == caught(3) == 0.75
    assert flakiness_of([tally("a", 1, 1)]) is None
    assert flakiness_of([]) is None


def test_of_many_cases_the_coins_alone_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.history.flakiness.KEPT", 10)
    found = flakiness_of([tally(f"c{n}", n % 4, 3) for n in range(40)])
    assert found is not None
    assert {item.state for item in found.per_case} == {"coin"}
    assert len(found.per_case) == found.coins == 20
    steadier = flakiness_of([tally("c0", 2, 2), *(tally(f"c{n}", 1, 5) for n in range(1, 40))])
    assert steadier is not None
    assert caveats(steadier) == ["2 repeats show a fair coin for what it is 50 times in 100."]


def kinds(*pairs: tuple[CaseTally, CaseTally], elsewhere: CaseTally | None = None) -> list[ChangeKind]:
    changes = CaseChanges(0.05)
    for before, after in pairs:
        changes.add(before, after, elsewhere)
    return [change.kind for change in changes.found()]


def test_a_case_has_changed_only_when_all_its_repeats_agree() -> None:
    assert kinds(
        (tally("fixed", 0, 3), tally("fixed", 3, 3)),
        (tally("broken", 3, 3), tally("broken", 0, 3)),
        (tally("failing", 0, 3), tally("failing", 0, 3)),
        (tally("passing", 3, 3), tally("passing", 3, 3)),
        (tally("coin", 2, 3), tally("coin", 3, 3)),
        (tally("coin", 0, 3), tally("coin", 1, 3)),
    ) == [ChangeKind.FIXED, ChangeKind.BROKEN, ChangeKind.STILL_FAILING, ChangeKind.FLAKY, ChangeKind.FLAKY]


def test_a_flip_of_a_case_that_flips_elsewhere_is_no_repair() -> None:
    flip = (tally("a", 0, 1), tally("a", 1, 1))
    assert kinds(flip) == [ChangeKind.FIXED]
    assert kinds(flip, elsewhere=tally("a", 1, 4)) == [ChangeKind.FLAKY]
    assert kinds(flip, elsewhere=tally("a", 0, 4)) == [ChangeKind.FIXED]
    assert kinds((tally("a", 0, 1), tally("a", 0, 1)), elsewhere=tally("a", 1, 4)) == [ChangeKind.FLAKY]
    assert kinds((tally("a", 1, 1), tally("a", 1, 1)), elsewhere=tally("a", 1, 4)) == []


def test_a_flaky_case_may_pass_more_often_beyond_chance() -> None:
    more, less, still = (("more", 1, 19), ("less", 19, 1), ("still", 10, 12))
    pairs = [(tally(name, a, 20), tally(name, b, 20)) for name, a, b in (more, less, still)]
    assert kinds(*pairs) == [ChangeKind.MORE_OFTEN, ChangeKind.LESS_OFTEN, ChangeKind.FLAKY]
    assert fisher(1, 20, 19, 20) == pytest.approx(stats.fisher_exact([[1, 19], [19, 1]]).pvalue)


def test_coins_are_seldom_taken_for_changes() -> None:
    """100 fair coins with 5 repeats on both sides: no more than chance allows are called fixed or broken."""
    draw = random.Random(8)
    pairs = [tuple(tally("c", sum(draw.random() < 0.5 for _ in range(5)), 5) for _ in range(2)) for _ in range(1000)]
    changed = [kind for kind in kinds(*pairs) if kind is not ChangeKind.FLAKY]  # type: ignore[arg-type] # pairs
    assert changed.count(ChangeKind.FIXED) + changed.count(ChangeKind.BROKEN) <= 8  # 1 in 512 is expected
    assert ChangeKind.MORE_OFTEN not in changed


def test_tallies_add_up() -> None:
    found = tally("a", 1, 2)
    found.add(Outcome(TaskStatus.CANCELLED, 1.0, 5, 0.1, 0.0, False))
    assert (found.runs, found.pass_rate) == (2, 0.5)
    found.merge(CaseTally("a", passes=1, runs=2, errors=1, tokens_sum=4, cost_sum=None, time_sum=1.0))
    assert (found.passes, found.runs, found.errors, found.cost) == (2, 4, 1, None)
    empty = CaseTally("b")
    assert (empty.pass_rate, empty.latency_ms, empty.tokens, empty.cost, empty.unpriced) == (
        0.0,
        None,
        None,
        None,
        False,
    )

"""Online experiments: blocks, guardrails, the split of units, late and repeated outcomes, verdicts and promotion."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UnknownNameError, UserError
from sharpen.experiments.blocks import Blocks, block_sizes
from sharpen.experiments.book import ExperimentBook
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport, Promotion
from sharpen.experiments.online import OnlineExperiment, due
from sharpen.experiments.outcomes import Admitted, Outcome

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def experiment(**changes: Any) -> Experiment:
    return Experiment.model_validate({"name": "tone", "variants": ["A", "B"], "effect": 0.1, **changes})


def outcomes(
    tested: Experiment, number: int, rates: Mapping[str, float], metric: str = "success", seed: int = 1
) -> Iterator[Outcome]:
    """Units that succeed with their variant's probability."""
    random = Random(seed)
    for unit in range(number):
        variant = tested.assign(f"u{unit}")
        if variant is not None:
            yield Outcome(unit_id=f"u{unit}", metric=metric, value=float(random.random() < rates[variant]), at=NOW)


def status_of(tested: Experiment, *given: Iterator[Outcome]) -> ExperimentReport:
    book = ExperimentBook()
    book.define(tested)
    for some in given:
        book.record(tested.name, some)
    return book.status(tested.name)


@pytest.mark.parametrize(
    ("weights", "sizes"),
    [((1, 1), (1, 1)), ((9, 1), (9, 1)), ((1, 4), (1, 4)), ((3, 2), (3, 2)), ((99, 1), (10, 1)), ((1, 1.05), (1, 1))],
)
def test_blocks_hold_as_many_as_the_weights_ask_for(weights: tuple[float, float], sizes: tuple[int, int]) -> None:
    assert block_sizes(*weights) == sizes


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_every_outcome_meets_the_next_of_the_other_variant(
    given_: list[tuple[bool, float]], control_size: int, variant_size: int
) -> None:
    blocks = Blocks(control_size, variant_size)
    found = [block for is_b, value in given_ if (block := blocks.add(value, variant=is_b)) is not None]
    sides = [[value for is_b, value in given_ if is_b is side] for side in (False, True)]
    assert len(found) == min(len(sides[0]) // control_size, len(sides[1]) // variant_size)
    for number, block in enumerate(found):
        control = sides[0][number * control_size : (number + 1) * control_size]
        variant = sides[1][number * variant_size : (number + 1) * variant_size]
        assert block == pytest.approx(sum(variant) / variant_size - sum(control) / control_size)
        assert -1 <= block <= 1


def test_one_looks_at_each_of_the_first_blocks_then_now_and_then() -> None:
    assert all(due(seen, 1) for seen in range(50))
    assert not due(1000, 19)
    assert due(1000, 20)


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [({"A": 0.3, "B": 0.6}, "win"), ({"A": 0.5, "B": 0.5}, "futility"), ({"A": 0.6, "B": 0.3}, "futility")],
)
def test_what_is_better_wins_and_what_is_not_is_given_up(rates: dict[str, float], verdict: str) -> None:
    tested = experiment()
    report = status_of(tested, outcomes(tested, 3000, rates))
    assert report.verdict == verdict
    assert report.samples < 3000
    assert report.split is not None
    assert not report.split.mismatch


def test_uneven_weights_and_three_variants() -> None:
    tested = experiment(variants=["A", "B", "C"], weights={"A": 8, "B": 1, "C": 1})
    report = status_of(tested, outcomes(tested, 6000, {"A": 0.3, "B": 0.7, "C": 0.3}))
    assert (report.verdict, report.winner) == ("win", "B")
    assert {one.variant: one.state for one in report.comparisons} == {"B": "win", "C": "futility"}


def test_a_metric_of_which_less_is_better_and_of_another_unit() -> None:
    tested = experiment(metric={"name": "seconds", "goal": "lower", "high": 60}, effect=5)
    random = Random(2)
    rows = [
        Outcome(
            unit_id=f"u{unit}", metric="seconds", at=NOW,
            value=random.uniform(20, 60) if tested.assign(f"u{unit}") == "A" else random.uniform(0, 30),
        )
        for unit in range(2000)
    ]  # fmt: skip
    report = status_of(tested, iter(rows))
    assert (report.verdict, report.winner) == ("win", "B")
    [row] = report.metrics
    assert row.difference < 0
    assert row.low is not None
    assert row.high is not None
    assert -60 <= row.low < row.high < 0
    assert row.variant_mean < row.control_mean


def test_units_that_get_lost_are_noticed_and_no_verdict_is_given() -> None:
    tested = experiment()
    found = [
        one for one in outcomes(tested, 4000, {"A": 0.2, "B": 0.2}) if tested.assign(one.unit_id) == "A" or one.value
    ]
    report = status_of(tested, iter(found))
    assert report.verdict == "mismatch"
    assert report.winner is None
    assert report.split is not None
    assert report.split.mismatch
    assert report.split.e_value >= 1000


@pytest.mark.parametrize(
    "guardrail",
    [
        {"name": "errors", "margin": 0.02},
        {"name": "errors", "relative": 0.5},
        {"name": "joy", "goal": "higher", "margin": 0.05},
    ],
)
def test_a_guardrail_stops_harm_even_of_what_would_win(guardrail: dict[str, Any]) -> None:
    tested = experiment(guardrails=[guardrail], effect=0.02)
    bad = {"A": 0.05, "B": 0.6} if guardrail["name"] == "errors" else {"A": 0.9, "B": 0.3}
    harm = outcomes(tested, 500, bad, guardrail["name"], seed=2)
    report = status_of(tested, harm, outcomes(tested, 500, {"A": 0.5, "B": 0.5}))
    assert report.verdict == "harm"
    [check] = report.guardrails
    assert check.harmed
    assert "guardrail" in report.reason


def test_a_guardrail_that_holds_is_no_hindrance() -> None:
    tested = experiment(guardrails=[{"name": "latency", "high": 1000, "relative": 0.2}])
    random = Random(4)
    slow = (
        Outcome(unit_id=f"u{unit}", metric="latency", value=random.uniform(100, 2000), at=NOW) for unit in range(800)
    )
    report = status_of(tested, slow, outcomes(tested, 3000, {"A": 0.3, "B": 0.6}))
    assert report.verdict == "win"
    assert not report.guardrails[0].harmed


def test_a_guardrail_of_which_nothing_has_come_in_tells_no_difference() -> None:
    report = status_of(experiment(guardrails=[{"name": "errors", "margin": 0.02}]))
    assert (report.guardrails[0].samples, report.guardrails[0].reason) == (0, "too few outcomes of it have come in")


def test_what_comes_after_the_verdict_changes_nothing() -> None:
    tested = experiment()
    book = ExperimentBook()
    book.define(tested)
    book.record("tone", outcomes(tested, 2000, {"A": 0.2, "B": 0.8}))
    first = book.status("tone")
    receipt = book.record("tone", [Outcome(unit_id="new", value=1, at=NOW)])
    assert (receipt.counted, receipt.refused) == (0, {"late": 1})
    again = book.status("tone")
    assert again == first.model_copy(update={"refused": {"late": 1}})
    assert book.get("tone").stopped_at is not None


def test_the_verdict_is_the_same_however_often_one_asked() -> None:
    tested, often, once = experiment(), ExperimentBook(), ExperimentBook()
    rows = list(outcomes(tested, 1500, {"A": 0.4, "B": 0.6}))
    for book in (often, once):
        book.define(tested)
    for start in range(0, len(rows), 50):
        often.record("tone", rows[start : start + 50])
        often.status("tone")
    once.record("tone", rows)
    assert often.status("tone").verdict == once.status("tone").verdict == "win"


def test_an_experiment_ends_when_it_said_it_would() -> None:
    tested = experiment(ends_at=NOW + timedelta(days=1))
    book = ExperimentBook()
    book.define(tested)
    assert book.record("tone", outcomes(tested, 20, {"A": 0.5, "B": 0.5})).counted == 20
    report = book.status("tone")
    assert report.verdict == "undecided"
    assert report.headline == "Undecided: it ended at 2026-03-02 00:00"


def test_only_a_win_moves_an_alias_and_only_once() -> None:
    moved: list[str] = []

    def promote(of: Experiment, report: ExperimentReport) -> Promotion:
        moved.append(report.winner or "")
        return Promotion(alias=of.promote or "", version="1.1.0", previous="1.0.0", reason=report.headline)

    winning = experiment(workflow_id="w", promote="production")
    equal = experiment(name="equal", workflow_id="w", promote="production")
    book = ExperimentBook(promote=promote)
    for tested, rates in ((winning, {"A": 0.2, "B": 0.8}), (equal, {"A": 0.5, "B": 0.5})):
        book.define(tested)
        book.record(tested.name, outcomes(tested, 3000, rates))
        for _ in range(2):
            report = book.status(tested.name)
        assert (report.promotion is not None) is (tested is winning)
    assert moved == ["B"]


def test_unknown_experiments_and_ended_ones() -> None:
    book = ExperimentBook()
    book.define(experiment())
    with pytest.raises(UnknownNameError, match="tone"):
        book.status("ton")
    assert book.stop("tone", "no time").reason
    with pytest.raises(UserError, match="ended at"):
        book.stop("tone")
    assert [one.experiment.name for one in book.list()] == ["tone"]


def test_no_outcome_is_no_evidence() -> None:
    report = OnlineExperiment(experiment(guardrails=[{"name": "errors", "margin": 0.1}])).report()
    assert report.verdict == "running"
    assert report.comparisons[0].low == -1
    assert report.guardrails[0].samples == 0


@pytest.mark.no_cover
def test_false_winners_of_equal_variants_are_rare() -> None:
    """100 A/A experiments with status after every unit: benchmarks/ab.py has 10,000."""
    wrong = 0
    for seed in range(100):
        tested = experiment(salt=f"s{seed}", power=0.999999)
        running, random = OnlineExperiment(tested), Random(seed)
        for unit in range(200):
            variant = tested.assign(f"u{unit}") or ""
            value = float(random.random() < 0.5)
            running.add([Admitted(unit_id=f"u{unit}", metric="success", variant=variant, value=value, at=NOW)])
        wrong += running.report().verdict in ("win", "loss")
    assert wrong <= 8

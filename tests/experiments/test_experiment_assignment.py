"""Which unit gets which variant: the same everywhere, in the shares asked for, and nobody is ever moved."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import PlanError, UserError
from sharpen.experiments.assignment import bucket, choose
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.outcomes import Admitted, Outcome, Refusal, admit

GOLDEN = {
    ("tone", "enrol", "user-1"): 0.3761284787563288,
    ("tone", "variant", "user-1"): 0.17164956782707108,
    ("tone", "variant", "日本"): 0.21045198808465027,
}


def two(**changes: object) -> Experiment:
    return Experiment.model_validate({"name": "tone", "variants": ["A", "B"], **changes})


@pytest.mark.parametrize(("key", "expected"), GOLDEN.items())
def test_golden_values_for_other_languages(key: tuple[str, str, str], expected: float) -> None:
    assert bucket(*key) == expected


def test_a_bucket_is_what_the_documentation_says() -> None:
    digest = hashlib.sha256(b"tone:variant:user-1").hexdigest()
    assert bucket("tone", "variant", "user-1") == int(digest[:13], 16) / 2**52


@settings(max_examples=80)
@given(st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_ramp_moves_nobody(unit: str, ramp: float, more: float) -> None:
    before, after = two(ramp=min(ramp, more)).assign(unit), two(ramp=max(ramp, more)).assign(unit)
    assert before is None or before == after
    assert two(ramp=0).assign(unit) is None
    assert two(ramp=1).assign(unit) == two().assign(unit) in ("A", "B")


def test_units_fall_into_the_shares_asked_for() -> None:
    experiment = two(variants=["A", "B", "C"], weights={"A": 5, "B": 3, "C": 2}, ramp=0.5)
    counted = Counter(experiment.assign(f"u{number}") for number in range(20_000))
    assert counted[None] / 20_000 == pytest.approx(0.5, abs=0.015)
    for name, share in experiment.shares.items():
        assert counted[name] / 10_000 == pytest.approx(share, abs=0.02)


def test_two_experiments_share_no_order_unless_they_share_a_salt() -> None:
    units = [f"u{number}" for number in range(2000)]
    same = [two().assign(unit) == two(name="other").assign(unit) for unit in units]
    assert sum(same) / 2000 == pytest.approx(0.5, abs=0.05)
    assert all(two().assign(unit) == two(name="other", salt="tone").assign(unit) for unit in units)


def test_what_rounding_leaves_over_goes_to_the_last_that_has_a_weight() -> None:
    assert {choose("s", f"u{n}", [0.0, 1e-300, 0.0]) for n in range(50)} == {1}


@pytest.mark.parametrize("unit", ["", 17, None])
def test_what_is_no_unit_is_refused(unit: object) -> None:
    with pytest.raises(UserError, match="is no unit id"):
        two().assign(unit)  # type: ignore[arg-type]  # what callers do


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "name 'a b' is no valid name"),
        ({"variants": ["A"]}, "at least two"),
        ({"variants": ["A", "A"]}, "a name twice"),
        ({"variants": ["A", "x:y"]}, "no valid name"),
        ({"weights": {"A": 1}}, r"weights name \['A'\]"),
        ({"weights": {"A": 1, "B": 0}}, "above 0"),
        ({"variants": [["A"], ["B"]]}, "are no names"),
        ({"weights": {"A": 1e308, "B": 1e308}}, "add up to more than a number holds"),
        ({"ramp": 1.2}, "ramp: got 1.2; expected a number of at most 1"),
        ({"window": "-P1D"}, "is not above 0"),
        ({"effect": 2}, "not below 1, the whole range"),
        ({"metric": {"low": 1, "high": 1}}, "not below high"),
        ({"guardrails": [{"name": "errors"}]}, "either 'margin' or 'relative'"),
        ({"guardrails": [{"name": "success", "margin": 0.1}]}, "a name twice"),
        ({"promote": "production"}, "needs 'workflow_id'"),
        ({"rampp": 1}, "unknown key 'rampp'; did you mean 'ramp'"),
    ],
)
def test_a_mistake_in_a_definition_is_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Experiment.of({"name": "tone", "variants": ["A", "B"], **changes}, "tone.yaml")


def test_a_ramp_is_a_share() -> None:
    assert two().ramped(0.3).ramp == 0.3
    with pytest.raises(UserError, match="no share"):
        two().ramped(2)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "refusal"),
    [
        ({"metric": "joy"}, Refusal.UNKNOWN_METRIC),
        ({"value": -1}, Refusal.OUT_OF_RANGE),
        ({"value": float("inf")}, None),
        ({"at": NOON + timedelta(days=40)}, Refusal.LATE),
        ({"at": NOON, "exposed_at": NOON - timedelta(days=8)}, Refusal.LATE),
        ({"at": NOON, "exposed_at": NOON - timedelta(days=6)}, "counts"),
        ({"at": NOON}, "counts"),
        ({"at": NOON, "variant": "nobody"}, Refusal.WRONG_VARIANT),
    ],
)
def test_which_outcomes_count(outcome: dict[str, object], refusal: object) -> None:
    experiment = two(window=timedelta(days=7), ends_at=NOON + timedelta(days=30))
    if refusal is None:  # what no number is never comes this far
        with pytest.raises(ValueError, match="finite"):
            Outcome.model_validate({"unit_id": "u", "value": 1, **outcome})
        return
    found = admit(experiment, Outcome.model_validate({"unit_id": "u", "value": 1, "at": NOON, **outcome}))
    if refusal == "counts":
        assert isinstance(found, Admitted)
        assert found.variant == experiment.assign("u")
    else:
        assert found is refusal


def test_units_outside_and_values_above_the_cap() -> None:
    assert admit(two(ramp=0), Outcome(unit_id="u", value=1)) is Refusal.NOT_ENROLLED
    assert admit(two(), Outcome(unit_id="u", value=1), stopped_at=NOON) is Refusal.LATE
    capped = admit(two(metric={"name": "ms", "high": 100}, effect=5), Outcome(unit_id="u", value=250, metric="ms"))
    assert isinstance(capped, Admitted)
    assert capped.value == 100

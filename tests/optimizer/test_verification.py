import random

import pytest

from sharpen.config.rules import Thresholds
from sharpen.errors import ErrorKind
from sharpen.optimizer.measures import broken_limits, metrics_of
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.verification import verify

RULES = Thresholds(min_success_rate=0.0)


def outcomes(rates, **more):
    return {f"c{n}": CaseOutcome(f"c{n}", rate, rate, **more) for n, rate in enumerate(rates)}


def check(old, new, rules=RULES, alpha=0.05):
    ids = sorted(old.keys() | new.keys())
    return verify(ids, old, new, alpha=alpha, rules=rules)


def test_a_clear_gain_is_accepted_with_its_evidence():
    proof = check(outcomes([0] * 12 + [1] * 8), outcomes([1] * 20))
    assert proof.accepted
    assert (proof.fixed, proof.broken, proof.holdout_cases) == (12, 0, 20)
    assert proof.effect == pytest.approx(0.6)
    assert proof.effect_low > 0.3
    assert proof.p_value == pytest.approx(2 * 0.5**12)
    assert "12 fixed, 0 broken" in proof.reason


def test_a_small_gain_may_be_luck():
    proof = check(outcomes([0] * 5 + [1] * 15), outcomes([1] * 20))
    assert not proof.accepted
    assert "may be luck" in proof.reason
    assert proof.p_value == pytest.approx(0.0625)


def test_no_gain_and_a_loss_are_no_improvement():
    assert "no better" in check(outcomes([1] * 20), outcomes([1] * 20)).reason
    worse = check(outcomes([1] * 20), outcomes([0] * 20))
    assert not worse.accepted
    assert worse.effect == -1.0


def test_a_winner_never_newly_breaks_a_hard_limit():
    old, new = outcomes([0] * 20, latency_ms=10.0), outcomes([1] * 20, latency_ms=6000.0)
    proof = check(old, new)
    assert not proof.accepted
    assert proof.broken_limits == ("max_acceptable_latency_ms",)
    assert "newly breaks" in proof.reason
    both_slow = check(outcomes([0] * 20, latency_ms=9000.0), new)
    assert both_slow.accepted  # it was broken before: not the candidate's doing


def test_a_confidence_below_the_rules_keeps_nothing():
    strict = Thresholds(min_success_rate=0.0, min_confidence=0.9999999)
    proof = check(outcomes([0] * 12 + [1] * 8), outcomes([1] * 20), strict)
    assert not proof.accepted
    assert "confidence" in proof.reason


def test_a_holdout_case_that_did_not_run_leaves_the_proof_incomplete():
    new = outcomes([1] * 20) | {"c3": CaseOutcome("c3", 0.0, 0.0, ran=False)}
    proof = check(outcomes([0] * 20), new)
    assert not proof.accepted
    assert proof.holdout_cases == 19
    assert "incomplete: 1 held-out" in proof.reason
    assert not check(outcomes([0] * 3), {}).accepted


def test_repeats_are_rates_and_tested_as_such():
    proof = check(outcomes([0.2] * 12), outcomes([0.6, 0.8] * 6))
    assert proof.accepted
    assert proof.test == "exact sign test on repeated cases"
    assert proof.effect_low > 0


def test_false_accepts_stay_below_alpha_when_nothing_differs():
    rng = random.Random(7)
    trials = 1000
    accepted = 0
    for _ in range(trials):
        old = outcomes([float(rng.random() < 0.6) for _ in range(40)])
        new = outcomes([float(rng.random() < 0.6) for _ in range(40)])
        accepted += check(old, new).accepted
    assert accepted / trials <= 0.025 + 3 * (0.025 * 0.975 / trials) ** 0.5


def test_figures_of_outcomes():
    mixed = [
        CaseOutcome("a", 1.0, 1.0, latency_ms=10, tokens=4, cost=0.5),
        CaseOutcome("b", 0.0, 0.5, latency_ms=30, tokens=8, cost=None, error_kind=ErrorKind.TIMEOUT),
        CaseOutcome("c", 0.0, 0.0, ran=False),
    ]
    metrics = metrics_of(mixed)
    assert (metrics.cases, metrics.success_rate, metrics.mean_score) == (2, 0.5, 0.75)
    assert (metrics.avg_latency_ms, metrics.p95_latency_ms, metrics.tokens_per_request) == (20, 30, 6)
    assert (metrics.cost_per_request, metrics.timeout_rate) == (None, 0.5)
    assert metrics_of([]).cases == 0
    strict = Thresholds(max_tokens_per_request=5, max_cost_per_request=0.1, max_acceptable_latency_ms=15)
    assert broken_limits(metrics, strict) == {
        "min_success_rate", "max_acceptable_latency_ms", "max_timeout_error_rate", "max_tokens_per_request",
    }  # fmt: skip

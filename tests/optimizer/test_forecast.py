"""What an optimization will take and can prove, from a plan, its cases and what the ledger remembers."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.estimate import estimate
from sharpen.config.models import RunManifest
from sharpen.config.targets import Price
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.forecast import forecast, shortages
from sharpen.optimizer.planning import plan_search
from sharpen.optimizer.proof import power
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.reporting.forecast_text import forecast_lines, provable_line

PRICE = Price(input_usd_per_mtok=1, output_usd_per_mtok=2)


def manifest(cases: int = 100, optimize: Any = None, **keys: Any) -> RunManifest:
    rows = [{"id": f"c{n}", "vars": {"x": f"{n:04}"}, "expected": "ab"[n % 2]} for n in range(cases)]
    plan = {
        "workflow_id": "w",
        "prompt": {"user": "Say {{ x }}"},
        "target": {"kind": "openai", "model": "m", "params": {"max_tokens": 5}},
        "dataset": rows,
        "optimize": optimize or {},
    }
    return RunManifest.model_validate(plan | keys)


def foretold(plan: RunManifest, ledger: MemoryLedger | None = None, search_id: str = "s", known: bool = False):
    cases = tuple(plan.iter_cases())
    found = plan_search(plan, cases, ledger or MemoryLedger(), search_id)
    return forecast(found, estimate(plan, cases, PRICE), plan.optimize, baseline_known=known)


def test_phases_take_their_share_of_a_run():
    told = foretold(manifest(optimize={"budget": {"max_calls": 300, "max_tokens": 5000, "max_cost_usd": 0.01}}))
    assert (told.baseline.calls, told.baseline.prompt_tokens, told.baseline.tokens) == (100, 200, 700)
    assert told.baseline.cost_usd == pytest.approx(0.0012)
    assert (told.proof.calls, told.proof.prompt_tokens, told.proof.tokens) == (40, 80, 280)
    assert (told.search.max_calls, told.search.max_tokens) == (160, 4020)
    assert told.search.max_cost_usd == pytest.approx(0.01 - 1.4 * 0.0012)
    assert told.search.max_seconds is None
    assert shortages(told) == ()


def test_a_proof_that_was_lost_before_leaves_a_lower_level():
    plan, ledger = manifest(), MemoryLedger()
    first = plan_search(plan, tuple(plan.iter_cases()), ledger, "first")
    grant = first.account.open(first.split.holdout, "h")
    first.account.settle(grant.case_ids, False, "h")
    before, after = foretold(plan), foretold(plan, ledger)
    assert (before.level, before.earlier_looks) == (0.025, 0)
    assert (after.level, after.earlier_looks) == (0.0125, 1)
    assert before.smallest_effect < after.smallest_effect
    assert provable_line(after) == "holdout 40 cases: proves +22 points or more (80 % power, alpha 0.025 after 1 look)"
    first.account.settle(grant.case_ids, True, "h")
    assert foretold(plan, ledger) == before, "the same search again is the same claim"
    plan = manifest(optimize={"margin": 0.1})
    spent = foretold(plan, ledger)
    assert (spent.level, spent.earlier_looks) == (0.025, 0)
    assert spent.holdout.cases == 40, "of the sixty others"
    plan_search(plan, tuple(plan.iter_cases()), ledger, "second").account.draw(first.split)
    with pytest.raises(TooFewCasesError, match=r"100 of 100 cases served earlier searches .* 6 fresh cases are due"):
        foretold(plan, ledger, "third")


def test_part_of_a_holdout_and_groups_are_told():
    rows = [{"id": f"c{n}", "vars": {"x": n}, "group": f"g{n // 2}"} for n in range(60)]
    told = foretold(manifest(dataset=rows))
    assert (told.grouped, told.holdout.cases, told.holdout.units) == (True, 24, 12)
    assert "holdout 24 (12 units)" in forecast_lines(told)[0]
    assert provable_line(told).startswith("holdout 24 cases in 12 units: proves +58 points or more")
    part = told.model_copy(update={"provable_on": told.dev, "smallest_effect": None, "least_provable": 0.7})
    assert provable_line(part) == (
        "holdout 18 of 24 cases in 9 units: no gain is likely to be proved, below +70 none (alpha 0.05)"
    )


def test_few_cases_at_a_small_level_prove_the_largest_gain_alone():
    told = foretold(manifest(cases=16))
    assert told.holdout.units == 6
    assert told.least_provable == 1.0
    assert told.smallest_effect == pytest.approx(0.9636, abs=1e-3)  # six of six: 0.8 ** (1 / 6)


@pytest.mark.parametrize(
    ("budget", "known", "keys"),
    [
        ({"max_calls": 144}, False, []),
        ({"max_calls": 143}, False, ["max_calls"]),
        ({"max_calls": 44}, True, []),
        ({"max_calls": 43}, True, ["max_calls"]),
        ({"max_tokens": 140}, False, []),
        ({"max_tokens": 139}, False, ["max_tokens"]),
        ({"max_tokens": 40}, True, []),
        ({"max_calls": 1, "max_tokens": 1}, True, ["max_calls", "max_tokens"]),
        ({"max_cost_usd": 1e-9, "max_seconds": 0.001}, False, []),
    ],
)
def test_a_budget_is_short_when_it_pays_no_baseline_proof_and_candidate(budget, known, keys):
    told = foretold(manifest(optimize={"budget": budget}), known=known)
    assert [short.key for short in shortages(told)] == keys


def test_a_baseline_that_the_store_may_answer_leaves_its_share_to_the_search():
    told = foretold(manifest(optimize={"budget": {"max_calls": 300, "max_tokens": 5000}}), known=True)
    assert (told.search.max_calls, told.search.max_tokens) == (260, 4720)
    assert told.baseline.calls == 100


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100), st.floats(0.01, 1), st.none() | st.floats(0, 1), st.sampled_from([0.3, 0.05, 0.025, 0.003]))
def test_the_power_of_few_units_is_that_of_many(units, effect, discordance, level):
    changing = min(1.0, max(effect, discordance or 0.0))
    better = min(1.0, (changing + effect) / (2 * changing))
    few = power._power_of_few(changing, better, units, level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power, "FEW_UNITS", 0)
        assert few == pytest.approx(power.power_of(effect, units, level, discordance), abs=1e-9)
    assert few == power.power_of(effect, units, level, discordance)

"""What an optimization will take and can prove is told before anything is paid; what cannot work is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_kit import Cli, calls_in, counted, routing_plan, wrong_model

JUDGED = {"type": "llm-rubric", "value": "Is it polite?", "judge": {"kind": "scripted", "default": {"output": "yes"}}}


def test_check_tells_what_optimize_takes_and_can_prove(cli: Cli) -> None:
    cli.plan(cases=100)
    found = cli("check", "plan.yaml")
    assert found.code == 0
    lines = [line.rstrip() for line in found.out.splitlines()]
    at = lines.index("Optimize")
    assert lines[at : at + 6] == [
        "Optimize",
        "  split     train 30, dev 30, holdout 40",
        "  baseline  100 calls, about 1,800 prompt tokens, $0",
        "  search    at most 60 calls",
        "  proof     at most 40 calls, about 720 prompt tokens, $0",
        "  holdout 40 cases: proves +20 points or more (80 % power, alpha 0.05)",
    ]
    assert max(map(len, found.out.splitlines())) <= 80
    assert not Path(".sharpen").exists(), "a check makes no store"
    assert cli("check", "plan.yaml", "--quiet").out == ""


def test_the_same_as_json(cli: Cli) -> None:
    cli.plan(cases=100, optimize={"budget": {"max_calls": 200, "max_tokens": 9000, "max_seconds": 90}})
    told = cli("check", "plan.yaml", "--json").json["optimize"]
    assert told["holdout"] == {"cases": 40, "units": 40}
    assert (told["grouped"], told["alpha"], told["level"], told["earlier_looks"]) == (False, 0.05, 0.025, 0)
    assert told["baseline"] == {"calls": 100, "prompt_tokens": 1800, "tokens": None, "cost_usd": 0.0}
    assert told["proof"] == {"calls": 40, "prompt_tokens": 720, "tokens": None, "cost_usd": 0.0}
    assert told["search"] == {"max_calls": 60, "max_tokens": 9000 - 2520, "max_cost_usd": None, "max_seconds": 90}
    assert told["least_provable"] == pytest.approx(6 / 40)
    assert told["smallest_effect"] == pytest.approx(0.195, abs=0.001)
    assert (told["power"], told["discordance"]) == (0.8, 0.2)


def test_groups_repeats_judges_and_prices_are_in_it(cli: Cli) -> None:
    plan = routing_plan(100)
    for number, case in enumerate(plan["dataset"]):
        case["group"] = f"g{number // 2}"
    plan |= {"assertions": [*plan["assertions"], JUDGED], "execution": {"repeats": 2}}
    plan["target"] |= {"kind": "scripted"}
    plan["optimize"]["budget"] = {"max_calls": 900, "max_cost_usd": 2.5, "max_seconds": 150}
    cli.write("plan.yaml", plan)
    told = cli("check", "plan.yaml", "--json").json["optimize"]
    assert told["holdout"] == {"cases": 40, "units": 20}
    assert (told["baseline"]["calls"], told["proof"]["calls"]) == (400, 160)
    text = cli("check", "plan.yaml").out
    assert "train 30 (15 units), dev 30 (15 units), holdout 40 (20 units)" in text
    assert "search    at most 340 calls, $2.50, 2 min 30 s" in text
    assert "holdout 40 cases in 20 units: proves +" in text


def test_what_the_ledger_says_is_spent_is_taken_off(cli: Cli) -> None:
    cli.plan(cases=100, optimize={"strategies": ["format_focus"], "budget": {"max_calls": 900}})
    assert cli("optimize", "plan.yaml", "--quiet").code == 0, "accepted, early: not all of the holdout was looked at"
    other = ("--set", "optimize.strategies=[clarity_focus]")
    told = cli("check", "plan.yaml", "--json", *other).json["optimize"]
    assert told["provable_on"]["cases"] == told["holdout"]["cases"], "the split keeps spent cases out of it"
    store = f"sqlite:///{cli.directory / '.sharpen' / 'sharpen.db'}"
    assert cli("check", "plan.yaml", "--json", "--store", store, *other).json["optimize"] == told
    fresh = cli("check", "plan.yaml", "--json", "--store", f"sqlite:///{cli.directory / 'none.db'}", *other).json
    assert fresh["optimize"]["holdout"]["cases"] == 40
    assert told["holdout"]["cases"] <= 40
    assert not (cli.directory / "none.db").exists()


def test_too_few_cases_are_no_mistake_of_the_plan_but_told(cli: Cli) -> None:
    cli.plan(cases=8)
    found = cli("check", "plan.yaml", "--json")
    assert found.code == 0
    assert found.json["optimize"] is None
    assert any("optimize would refuse: 8 cases are too few" in warning for warning in found.json["warnings"])
    refused = cli("optimize", "plan.yaml")
    assert refused.code == 2
    assert "even their 6 holdout cases cannot prove anything below +100 points" in refused.err


def test_optimize_says_first_what_it_will_take(cli: Cli) -> None:
    cli.plan(cases=30, target=wrong_model())
    found = cli("optimize", "plan.yaml")
    lines = found.err.splitlines()
    assert lines[0] == "Optimize"
    assert "proves +" in lines[5]
    assert lines[6].startswith("Baseline")
    assert "Optimize" not in cli("optimize", "plan.yaml", "--quiet").err
    assert "proves +" not in cli("optimize", "plan.yaml", "--log-format", "json").err


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (
            {"max_calls": 45},
            "optimize.budget.max_calls: 45 is too little to optimize: it takes 46 calls (the baseline 30, the proof "
            "12, one candidate 4)",
        ),
        ({"max_tokens": 300}, "optimize.budget.max_tokens: 300 is too little to optimize: the prompts of baseline and"),
    ],
)
def test_a_budget_that_cannot_do_is_refused_before_anything_is_paid(
    cli: Cli, budget: dict[str, Any], message: str
) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(30), log) | {"optimize": {"budget": budget}})
    told = cli("check", "plan.yaml")
    assert told.code == 0
    assert message in " ".join(told.out.split())
    refused = cli("optimize", "plan.yaml")
    assert refused.code == 2
    assert message in " ".join(refused.err.split())
    assert calls_in(log) == 0


def test_a_baseline_that_is_remembered_takes_nothing_of_the_budget(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(30), log) | {"optimize": {"budget": {"max_calls": 45}}})
    assert cli("run", "plan.yaml", "--quiet").code == 1
    assert calls_in(log) == 30
    told = cli("check", "plan.yaml").out
    assert "too little" not in told
    assert "  baseline  at most 30 calls, " in told
    assert "  search    at most 33 calls\n" in told  # the proof's twelve alone are set aside
    assert cli("optimize", "plan.yaml", "--quiet").code in (0, 1, 3)
    assert calls_in(log) <= 75
    assert cli("optimize", "plan.yaml", "--set", "execution.cache=false").code == 2


def test_a_search_ends_when_its_time_is_over(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(30), log) | {"optimize": {"budget": {"max_seconds": 1e-6}}})
    found = cli("optimize", "plan.yaml", "--json")
    assert found.code == 3
    assert found.json["stop_reason"].startswith("the budget of 1e-06 s (max_seconds) is spent: 0.0 s used")
    assert calls_in(log) <= 16
    assert "optimize.budget.max_seconds=MORE" in cli("optimize", "plan.yaml").err + cli("optimize", "plan.yaml").out


def test_a_run_ends_when_its_time_is_over_and_goes_on_with_more(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(40), log) | {"execution": {"concurrency": 2}})
    found = cli("run", "plan.yaml", "--json", "--set", "execution.budget.max_seconds=1e-6")
    assert found.code == 3
    run = found.json["run"]
    assert run["status"] == "budget_exhausted"
    assert run["stop_reason"].startswith("the budget of 1e-06 s (max_seconds) is spent")
    before = calls_in(log)
    assert 1 <= before <= 2, "those that had begun"
    run_id = run["run_id"]
    assert cli("resume", run_id, "--quiet").code == 3, "what was used counts"
    assert calls_in(log) == before
    assert cli("resume", run_id, "--quiet", "--set", "execution.budget.max_seconds=60").code == 1
    assert calls_in(log) == 40


def test_a_store_that_cannot_be_read_is_told_and_stays_as_it_is(cli: Cli) -> None:
    cli.plan(cases=30)
    broken = cli.write("broken.db", "no database, and longer than a header of one would be: " + "x" * 200)
    before = broken.read_bytes()
    found = cli("check", "plan.yaml", "--json", "--store", f"sqlite:///{broken}")
    assert found.code == 0
    assert found.json["optimize"]["holdout"]["cases"] == 12
    assert any("what was proved on these cases before is not known: " in text for text in found.json["warnings"])
    assert broken.read_bytes() == before
    assert cli("check", "plan.yaml", "--store", "postgresql://nobody@127.0.0.1:9/none").code == 0, "not even opened"


def test_of_a_data_set_larger_than_memory_nothing_is_foretold(cli: Cli) -> None:
    plan = routing_plan(1)
    cli.write("cases.jsonl", [{"vars": {"message": f"invoice {n}"}, "expected": "billing"} for n in range(10_001)])
    cli.write("plan.yaml", plan | {"dataset": "cases.jsonl"})
    found = cli("check", "plan.yaml", "--json")
    assert (found.code, found.json["optimize"]) == (0, None)

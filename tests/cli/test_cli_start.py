"""``init``, ``check``, ``schema``: where one begins."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from cli_kit import Cli, routing_plan

SCRIPTED = "target={kind: scripted, default: {output: billing}}"


def test_a_new_project_checks_and_runs_at_once(cli: Cli) -> None:
    made = cli("init", "mine")
    assert made.code == 0
    assert made.out.splitlines() == [
        "wrote mine/plan.yaml",
        "wrote mine/cases.jsonl",
        "wrote mine/prompt.md",
        "next: sharpen check mine/plan.yaml",
    ]
    assert cli("check", "mine/plan.yaml").code == 0
    assert cli("run", "mine/plan.yaml", "--json", "--set", SCRIPTED).json["report"]["success_rate"] == pytest.approx(
        6 / 18
    )
    assert cli("optimize", "mine/plan.yaml", "--json", "--set", SCRIPTED).code == 1


def test_init_here_as_json(cli: Cli) -> None:
    assert cli("init", "--json").json == {"created": ["plan.yaml", "cases.jsonl", "prompt.md"]}
    assert cli("init", "quiet", "--quiet").out == ""


def test_check_says_what_a_run_will_take_and_calls_nothing(cli: Cli) -> None:
    plan = routing_plan(6) | {"target": {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}}
    cli.write("plan.yaml", plan)
    found = cli("check", "plan.yaml", "--json", "--set", "execution.repeats=3")
    assert found.code == 0
    assert found.json["valid"] is True
    assert found.json["workflow_id"] == "routing"
    assert found.json["estimate"]["cases"] == 6
    assert found.json["estimate"]["calls"] == 18
    assert found.json["estimate"]["optimize_calls"] == 200
    assert found.json["estimate"]["max_cost_usd"] is None
    assert not Path(".sharpen").exists()
    assert cli("check", "plan.yaml", "--quiet").out == ""


def test_check_warns_of_what_is_odd_but_no_mistake(cli: Cli) -> None:
    cli.plan(cases=30, optimize={"budget": {"max_calls": 31}})
    found = cli("check", "plan.yaml")
    assert found.code == 0
    assert "optimize.budget.max_calls: 31 is too little to optimize" in " ".join(found.out.split())


def test_the_schema_accepts_the_starter_plan_and_rejects_a_misspelt_key(cli: Cli) -> None:
    schema = cli("schema").json
    cli("init")
    plan = yaml.safe_load(Path("plan.yaml").read_text("utf-8"))
    jsonschema.validate(plan, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plan | {"asertions": []}, schema)

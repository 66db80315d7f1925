"""What can be done later with what a store holds."""

import json

from cli_kit import Cli, right_model


def test_lists_of_a_place_without_a_store_are_empty_and_make_none(cli: Cli) -> None:
    assert cli("runs", "list", "--json").json == {"runs": []}
    assert cli("versions", "list", "--json").json == {"versions": []}
    assert not (cli.directory / ".sharpen").exists()
    assert cli("runs", "show", "x").code == 2


def test_a_run_whose_budget_was_too_small_goes_on_with_a_larger_one(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6, execution={"budget": {"max_calls": 4}})
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    refused = cli("resume", run_id, "--set", "workflow_id=other")
    assert refused.code == 2
    assert "execution and rules only" in refused.err
    wrong = cli("resume", run_id, "--set", "execution.budget.max_calls=many")
    assert wrong.code == 2
    assert "execution.budget.max_calls" in wrong.err
    done = cli("resume", run_id, "--set", "execution.budget.max_calls=10", "--json")
    assert done.code == 0
    assert done.json["run"]["statistics"]["succeeded_tasks"] == 6


def test_a_run_is_judged_again_by_other_rules(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    strict = cli("decide", run_id, "--json", "--set", "rules.max_acceptable_latency_ms=0")
    assert strict.code == 1
    assert "avg_response_time_ms" in {trigger["metric"] for trigger in strict.json["decision"]["triggers"]}


def test_an_optimization_is_shown_again_in_every_format_and_has_nothing_to_resume(cli: Cli) -> None:
    cli.plan(rules={"min_success_rate": 0.9})
    outcome = cli("optimize", "plan.yaml", "--json").json
    again = cli("runs", "show", outcome["run_id"], "--json", "--output", "again.html")
    assert again.json == outcome
    assert "<html" in (cli.directory / "again.html").read_text("utf-8")
    resumed = cli("resume", outcome["run_id"], "--json")
    assert (resumed.code, resumed.json) == (0, outcome)
    assert "came to its end before; nothing was called" in resumed.err
    assert cli("resume", "--json").json == {"resumable": []}
    assert "Nothing to resume" in cli("resume").out


def test_everything_known_of_a_run_is_one_document(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    document = cli("runs", "export", run_id, "--json").json
    assert document.keys() == {"run", "cases", "results", "decision"}
    assert len(document["cases"]) == len(document["results"]) == 6
    assert json.loads(cli("schema", "--json").out)["title"]


def test_a_rollback_is_not_undone_by_finding_the_same_prompt_again(cli: Cli) -> None:
    cli.plan(rules={"min_success_rate": 0.9})
    first = cli("optimize", "plan.yaml", "--json").json
    assert cli("optimize", "plan.yaml", "--json").json["version"] == first["version"], "the head is not kept twice"
    cli("versions", "rollback", "1.0.0")
    again = cli("optimize", "plan.yaml", "--json").json
    newest = cli("versions", "list", "--json").json["versions"][0]
    assert newest["version"] == again["version"] != first["version"]
    assert newest["kind"] == "optimized"

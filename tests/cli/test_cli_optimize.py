"""``optimize``: the whole loop, from a plan to a proved version or an honest no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Cli, calls_in, chatty_model, counted, right_model, routing_cases, routing_plan, wrong_model

KEYS = ("baseline", "decision", "candidates", "result", "verification", "version", "calls")


def optimize(cli: Cli, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = cli("optimize", "plan.yaml", "--json", *arguments)
    return done.code, done.json


def test_a_real_improvement_is_proved_and_becomes_a_version(cli: Cli) -> None:
    cli.plan()
    code, found = optimize(cli)
    assert code == 0
    assert set(KEYS) <= set(found)
    assert found["baseline"]["success_rate"] == 0
    assert found["verification"]["accepted"] is True
    assert (found["verification"]["fixed"], found["verification"]["broken"]) == (7, 0)
    assert found["verification"]["planned_cases"] == 12
    assert found["verification"]["p_value"] == pytest.approx(2 * 0.5**7)
    assert found["result"]["improvement_score"] == 100
    assert found["version"] == "2.0.0"
    winner = next(candidate for candidate in found["candidates"] if candidate["status"] == "winner")
    assert winner["dev"]["success_rate"] == 1
    assert winner["calls"] == 9 + 7
    assert winner["changes"]
    assert all(change["rule_id"] and change["reason"] for change in winner["changes"])


def test_a_better_prompt_that_breaks_a_rule_is_kept_and_says_which(cli: Cli) -> None:
    cli.plan(rules={"max_tokens_per_request": 1})
    code, found = optimize(cli)
    assert (code, found["version"]) == (1, "2.0.0")
    assert "better, and yet the held-out cases break the plan's max_tokens_per_request" in found["notes"]


def test_people_see_the_evidence_and_what_to_do_with_it(cli: Cli) -> None:
    cli.plan()
    done = cli("optimize", "plan.yaml", "-o", "report.html")
    assert "0% → 100% on 7 held-out cases" in done.out
    use = "sharpen versions show routing 2.0.0 --format prompt"
    assert f"Use it: {use}\n" in done.out
    assert "Report: report.html\n" in done.out
    assert "7 fixed" in Path("report.html").read_text("utf-8")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "race: " in done.err
    prompt = cli(*use.split()[1:]).out
    assert prompt.startswith("Which queue does this message belong to?")
    assert "Answer with exactly one of: billing, shipping, technical." in prompt


def test_the_new_version_is_a_prompt_that_a_plan_can_name(cli: Cli) -> None:
    cli.plan()
    optimize(cli)
    cli.write("better.md", cli("versions", "show", "--format", "prompt").out)
    assert cli("run", "plan.yaml").code == 1
    assert cli("run", "plan.yaml", "--set", "prompt=better.md").code == 0


def test_nothing_to_do_is_said_and_nothing_is_tried(cli: Cli) -> None:
    prompt = {"user": "Answer with exactly one of: billing, shipping, technical.\n\n{{ message }}"}
    cli.plan(target=right_model(), prompt=prompt)
    code, found = optimize(cli)
    assert code == 0
    assert (found["result"], found["verification"], found["version"]) == (None, None, None)
    assert found["candidates"] == []
    assert found["calls"] == 30
    assert found["decision"]["should_optimize"] is False


def test_no_improvement_is_an_honest_no(cli: Cli) -> None:
    cli.plan(target=wrong_model())
    code, found = optimize(cli)
    assert code == 1
    assert (found["result"], found["version"]) == (None, None)
    assert found["candidates"]
    assert "No improvement found" in cli("optimize", "plan.yaml").out
    assert cli("versions", "list", "--json").json == {"versions": []}


def test_a_gain_that_may_be_luck_is_kept_as_a_draft(cli: Cli) -> None:
    """The better prompt helps with one queue in ten cases: too few held-out cases change to prove anything."""
    cases = routing_cases(30)
    rule = {"regex": "(?s)(?=.*nswer with)(?=.*number [0-9] )(?=.*invoice)", "output": "billing"}
    cli.plan(target={"kind": "scripted", "rules": [rule], "default": {"output": "no idea"}}, dataset=cases)
    code, found = optimize(cli, "--set", "optimize.split.seed=1")
    assert code == 1
    assert found["verification"]["accepted"] is False
    assert found["verification"]["fixed"] < 6
    assert found["version"] is None
    assert found["draft"].startswith("2.0.0-draft.")
    listed = cli("versions", "list", "--json").json["versions"]
    assert [version["kind"] for version in listed] == ["draft", "baseline"]
    assert "Answer with" not in cli("versions", "show", "--format", "prompt").out


@pytest.mark.parametrize("limit", [46, 50, 61, 100])
def test_the_budget_of_calls_is_exact(cli: Cli, limit: int) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(), log) | {"optimize": {"budget": {"max_calls": limit}}})
    _, found = optimize(cli)
    assert found["calls"] == calls_in(log) <= limit
    if found["verification"]:
        assert found["verification"]["holdout_cases"] == 7


def test_a_run_s_budget_smaller_than_the_baseline_ends_it_there(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(), log) | {"execution": {"budget": {"max_calls": 7}}})
    code, found = optimize(cli)
    assert code == 3
    assert calls_in(log) == found["calls"] == 7
    assert (found["result"], found["candidates"]) == (None, [])
    assert "max_calls" in found["stop_reason"]


def test_too_few_cases_are_refused_before_any_call(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(10), log))
    done = cli("optimize", "plan.yaml")
    assert done.code == 2
    assert "10 cases are too few" in done.err
    assert "14 cases are needed" in done.err
    assert calls_in(log) == 0


def test_what_was_paid_for_is_not_paid_again(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(), log))
    _, first = optimize(cli)
    calls = calls_in(log)
    _, second = optimize(cli)
    assert first["calls"] == calls == calls_in(log)
    assert second["calls"] == 0
    assert second["version"] == first["version"]
    assert len(cli("versions", "list", "--json").json["versions"]) == 2


def test_repeats_count_and_are_judged_by_their_rate(cli: Cli) -> None:
    cli.plan(execution={"repeats": 2}, optimize={"strategies": ["format_focus"], "budget": {"max_calls": 140}})
    code, found = optimize(cli)
    assert code == 0
    assert found["calls"] <= 140
    assert found["baseline"]["total_tests"] == 60
    assert (found["verification"]["holdout_cases"], found["verification"]["planned_cases"]) == (7, 12)


def test_a_model_rewrites_the_prompt(cli: Cli) -> None:
    rewritten = "Answer with the queue alone: billing, shipping or technical.\n\n{{ message }}"
    rewriter = {"kind": "scripted", "default": {"output": f'<message role="user">\n{rewritten}\n</message>'}}
    cli.plan(optimize={"strategies": ["rewrite"], "rewriter": rewriter, "budget": {"max_calls": 200}})
    code, found = optimize(cli)
    assert code == 0
    assert found["result"]["strategy"] == "rewrite"
    assert cli("versions", "show", "--format", "prompt").out == rewritten + "\n"
    runs = 30 + sum(candidate["calls"] for candidate in found["candidates"])
    assert found["calls"] == runs + 3  # one call of the rewriter for each of its three angles


def test_weights_choose_and_every_report_says_so(cli: Cli) -> None:
    cli.plan(optimize={"strategies": ["format_focus"], "weights": {"tokens": 0.01, "cost": 1}})
    done = cli("optimize", "plan.yaml", "--json", "-o", "report.md", "-o", "report.html")
    found = done.json
    assert done.code == 0
    (winner,) = (each for each in found["candidates"] if each["status"] == "winner")
    assert 0.9 < winner["score"] < 1  # a hundred points more, for some tokens more
    (share,) = {each["strategy"] for each in found["shares"]}
    assert share == "format_focus"
    assert found["notes"] == [
        "weights.cost counts for nothing: it is not known, or 0 for the prompt",
        f"the winner, {winner['id']}, was chosen by the plan's weights (quality 1, tokens 0.01, cost 1); cost counted, "
        "but nothing is proved of it",
    ]
    for report in ("report.md", "report.html"):
        assert "chosen by the plan" in Path(report).read_text("utf-8")
    code, _ = optimize(cli, "--set", "optimize.weights.quality=0")
    assert code == 2


def test_a_later_search_says_which_version_is_newer(cli: Cli) -> None:
    cli.plan()
    assert optimize(cli)[1]["notes"] == []
    assert "Version 2.0.0 (latest) is newer than the plan's prompt, 1.0.0" in cli("optimize", "plan.yaml").out


def test_a_candidate_with_a_typo_is_refused_before_any_call(cli: Cli) -> None:
    cli.plan(optimize={"candidates": [{"user": "Say it.\n\n{{ message }}"}, {"user": "Say it.\n\n{{ mesage }}"}]})
    done = cli("optimize", "plan.yaml")
    assert done.code == 2
    assert "optimize.candidates.1: candidate 2: variable 'mesage' is in no case; did you mean 'message'?" in done.err
    assert cli("runs", "list", "--json").json == {"runs": []}


def test_a_rewriter_that_fails_costs_the_search_nothing_but_its_calls(cli: Cli) -> None:
    rewriter = {"kind": "scripted", "default": {"failure": "server", "message": "rewriter is down"}}
    cli.plan(
        execution={"max_retries": 0},
        optimize={"strategies": ["rewrite", "format_focus"], "rewriter": rewriter, "budget": {"max_calls": 200}},
    )
    code, found = optimize(cli)
    assert code == 0
    assert found["result"]["strategy"] == "format_focus"


def test_reports_of_every_format(cli: Cli) -> None:
    cli.plan()
    names = ["r.html", "r.json", "r.junit.xml", "r.md"]
    assert cli("optimize", "plan.yaml", *(part for name in names for part in ("-o", name))).code == 0
    assert all(Path(name).stat().st_size > 500 for name in names)
    assert set(KEYS) <= set(json.loads(Path("r.json").read_text("utf-8")))


def test_quiet_means_no_progress(cli: Cli) -> None:
    cli.plan()
    done = cli("optimize", "plan.yaml", "--quiet")
    assert done.err == ""
    assert "2.0.0" in done.out


def test_the_runs_of_a_search_are_listed_on_request_and_belong_together(cli: Cli) -> None:
    cli.plan()
    optimize(cli)
    assert [run["purpose"] for run in cli("runs", "list", "--json").json["runs"]] == ["baseline"]
    every = cli("runs", "list", "--json", "--all").json["runs"]
    assert {run["purpose"] for run in every} == {"baseline", "candidate", "holdout"}
    assert len({run["parent_run_id"] for run in every}) == 1
    step = cli("resume", every[0]["run_id"])
    assert step.code == 2
    assert f"`sharpen resume {every[0]['parent_run_id']}` goes on with all of it" in step.err


def test_a_target_that_fails_ends_it_with_one_message(cli: Cli) -> None:
    refusing = {"kind": "scripted", "default": {"failure": "authentication", "message": "who are you?"}}
    cli.plan(target=refusing)
    done = cli("optimize", "plan.yaml", "--json")
    assert done.code == 3
    assert done.json["error"]["message"] == "the target refuses the credentials: who are you?"
    assert done.err.count("who are you?") == 1


def test_a_baseline_from_the_cache_is_compared_at_its_price(cli: Cli) -> None:
    priced = chatty_model()
    priced["rules"] = [rule | {"cost": 0.02} for rule in priced["rules"]]
    cli.plan(target=priced, rules={"min_success_rate": 0.9, "max_cost_per_request": 0.01})
    assert cli("run", "plan.yaml").code == 1
    code, found = optimize(cli)
    assert code == 1  # better, but the better prompt is as expensive: the rule on cost is still broken
    assert found["baseline_run"]["statistics"]["total_cost"] == 0
    assert found["baseline"]["cost_per_request"] == pytest.approx(0.02)
    proof = found["verification"]
    assert (proof["accepted"], proof["broken_limits"]) == (True, [])
    assert proof["baseline"]["cost_per_request"] == proof["candidate"]["cost_per_request"] == pytest.approx(0.02)

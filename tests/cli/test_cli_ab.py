"""``sharpen ab``: variants on a plan's cases, and experiments on outcomes from outside, as users call them."""

import csv
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Cli, calls_in, counted, right_model, routing_plan

from sharpen.config.prompts import PromptTemplate
from sharpen.experiments.experiment import Experiment
from sharpen.optimizer.models import Prompt
from sharpen.storage.store import Store
from sharpen.versions.provenance import provenance_of
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.plans import load_plan

GOOD = "Which queue? Answer with one word.\n\n{{ message }}"
PLAIN = "Which queue does this message belong to?\n\n{{ message }}"


@pytest.fixture
def project(cli: Cli) -> Cli:
    cli.plan(cases=60)
    cli.write("good.md", GOOD)
    cli.write("data.csv", "id,message\n1,hello\n")
    return cli


def store_at(cli: Cli) -> Store:
    return Store.open(f"sqlite:///{cli.directory}/.sharpen/sharpen.db")


def test_a_better_prompt_wins_before_all_cases_are_used(project: Cli) -> None:
    found = project("ab", "plan.yaml", "--variant", "A=plan", "--variant", "B=file:good.md")
    assert found.code == 0
    assert found.out.startswith("✓ B wins: better than A")
    assert "good.md" in found.out
    assert "always-valid interval" in found.out
    assert max(map(len, found.out.splitlines())) <= 80
    assert "10 of 60: B +100.0 points" in found.err


def test_json_tells_all_of_it(project: Cli) -> None:
    report = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "--json", "--quiet").json
    assert (report["verdict"], report["winner"], report["workflow_id"]) == ("win", "B", "routing")
    [comparison] = report["comparisons"]
    assert comparison["estimate"] == 1.0
    assert 0 < comparison["low"] < 1
    assert comparison["e_better"] >= 40
    assert report["samples"] < report["available"] == 60
    assert report["calls"] == 2 * report["samples"]


def test_a_worse_variant_is_given_up_and_three_are_judged_at_once(project: Cli) -> None:
    project.write("bad.md", "Nothing to see.\n\n{{ message }}")
    report = project(
        "ab", "plan.yaml", "-v", "A=good.md", "-v", "B=bad.md", "-v", "C=plan", "--json", "--set", "dataset.limit=40"
    ).json
    assert report["winner"] is None
    assert report["verdict"] == "loss"
    assert [one["state"] for one in report["comparisons"]] == ["loss", "loss"]


def test_equal_variants_are_refused_and_models_are_variants(project: Cli) -> None:
    same = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=plan")
    assert same.code == 2
    assert "are the same" in same.err
    project.write("right.json", json.dumps({"rules": right_model()["rules"]}))
    rules = json.dumps(right_model()["rules"])
    found = project("ab", "plan.yaml", "-v", "A=plan", "-v", f"B=set:target.rules={rules}", "--json").json
    assert found["winner"] == "B"


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ([], "at least two variants, none was given"),
        (["A=plan"], "only 'A' was given"),
        (["A=plan", "B"], "--variant 'B' is no variant; expected NAME=plan"),
        (["A=plan", "B=nowhere"], "'nowhere' is no version and no file here"),
        (["A=plan", "B=nowhere.md"], "'nowhere.md' does not exist"),
        (["A=plan", "B=data.csv"], "'data.csv' is no prompt for these cases: it would ask the same in all of them"),
        (["A=data.csv", "B=file:good.md"], "expected a prompt file with {{ message }}"),
        (["A=plan", "B=file:"], "nothing after 'file'"),
        (["A=plan", "B c=plan"], "'B c' is no valid name"),
        (["A=plan", "B=set:dataset.limit=3"], "would change what is measured"),
        (["A=plan", "B=set:target.kind=nonsense"], "nonsense"),
        (["A=plan", "B=@production"], "unknown workflow"),
        (["A=plan", "B=1.2.0", "B=good.md"], "a version and a file"),
    ],
)
def test_what_is_no_variant_is_told(project: Cli, variants: list[str], message: str) -> None:
    found = project("ab", "plan.yaml", *(part for one in variants for part in ("--variant", one)))
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "2"], "--alpha 2.0 is not between 0 and 1"),
        (["--effect", "0"], "--effect 0.0"),
        (["--metric", "speed"], "unknown metric 'speed'"),
        (["--guardrail", "latency"], "expected METRIC+MARGIN"),
        (["--guardrail", "joy+2%"], "unknown metric 'joy'"),
        (["--promote", "latest"], "is reserved"),
        (["--output", "x.junit.xml"], "an A/B test is no list of tests"),
    ],
)
def test_wrong_options_are_told(project: Cli, options: list[str], message: str) -> None:
    found = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", *options)
    assert found.code == 2
    assert "of 60" not in found.err  # nothing was called
    assert message in found.err


def test_a_plan_of_samples_calls_nothing(cli: Cli, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    cli.write("plan.yaml", counted(routing_plan(30), log))
    found = cli("ab", "plan.yaml", "--plan", "--effect", "0.2")
    assert found.code == 0
    assert "to prove it" in found.out
    assert max(map(len, found.out.splitlines())) <= 80
    plans = cli("ab", "plan.yaml", "--plan", "--effect", "0.2", "--changed", "0.3", "--json").json
    assert plans["available"] == 30
    assert [plan["changed"] for plan in plans["plans"]] == [0.3]
    assert cli("ab", "plan.yaml", "--plan", "--effect", "0.2", "--changed", "0.1").code == 2
    assert calls_in(log) == 0


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("way", ["resume", "repeat"])
def test_a_test_that_was_cut_off_goes_on_and_nothing_is_paid_twice(
    cli: Cli, tmp_path: Path, cache: bool, way: str
) -> None:
    log = tmp_path / "calls"
    plan = counted(routing_plan(40), log) | {"execution": {"cache": cache, "concurrency": 2}}
    cli.write("plan.yaml", plan)
    cli.write("good.md", GOOD)
    cli.write("same.md", PLAIN + " ")
    ab = ["ab", "plan.yaml", "-v", "A=plan", "-v", "B=same.md", "--effect", "0.01", "--batch", "8", "--json"]
    whole = cli(*ab, "--store", f"sqlite:///{tmp_path}/whole.db").json
    paid = calls_in(log)
    log.unlink()
    stopped = cli(*ab, "--set", "execution.budget.max_calls=21")
    assert stopped.code == 3
    assert stopped.json["verdict"] == "undecided"
    assert "max_calls" in stopped.json["stop_reason"]
    assert calls_in(log) == stopped.json["calls"] == 21
    run_id = stopped.json["id"]
    listed = cli("resume", "--json").json["resumable"]
    assert [(one["id"], one["kind"]) for one in listed] == [(run_id, "A/B test")]
    more = ["--set", "execution.budget.max_calls=1000", "--json"]
    assert "an A/B test is no list of tests" in cli("resume", run_id, *more, "-o", "x.junit.xml").err
    assert calls_in(log) == 21
    found = cli("resume", run_id, *more) if way == "resume" else cli(*ab, *more[:2])
    assert found.code == 0
    assert found.json["id"] == run_id
    assert calls_in(log) == paid
    for key in ("verdict", "winner", "samples", "calls", "comparisons"):
        assert found.json[key] == whole[key], key
    again = cli("resume", run_id, "--json")
    assert again.json == {**found.json, **{key: again.json[key] for key in ()}}
    assert calls_in(log) == paid
    assert cli("resume", "--json").json["resumable"] == []


def test_a_dead_target_ends_it_with_one_message(project: Cli) -> None:
    project.plan(cases=40, target={"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"})
    found = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "--set", "execution.max_retries=0")
    assert found.code == 3
    assert "Traceback" not in found.err
    assert project("resume", "--json").json["resumable"] == []  # nothing was finished: nothing to go on with


def test_the_winner_is_promoted_with_the_reason(project: Cli) -> None:
    found = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "--promote", "production", "--json").json
    assert found["promotion"]["version"] == "1.0.0"
    assert "A/B test" in found["promotion"]["reason"]
    with store_at(project) as store:
        versions = VersionManager(store.versions)
        assert versions.get("routing", "production").message.startswith("won A/B test")
        as_measured = load_plan(project.directory / "plan.yaml", ["prompt=good.md"]).manifest
        assert versions.get("routing", "production").provenance == provenance_of(as_measured)
        runs = {run_id for one in found["variants"] for run_id in one["run_ids"]}
        assert set(versions.get("routing", "production").run_ids) == runs  # of both sides, so that none is pruned
        [move] = versions.alias_history("routing", "production")
        assert move.actor == "sharpen ab"
        assert "B wins" in (move.reason or "")
        versions.create("routing", versions.get("routing", "production").prompt, message="another")
        versions.tag("routing", "1.0.1", "production")
    project.write("new.md", GOOD + " Please.")
    against_plan = ["ab", "plan.yaml", "-v", "A=plan", "-v", "B=new.md", "--promote", "production", "--json"]
    other = project(*against_plan, "--seed", "3").json["promotion"]
    assert other["version"] is None  # what is live was not tested against
    assert other["reason"] == "not moved: production points at 1.0.1, and the test was against the plan"
    with store_at(project) as store:
        versions = VersionManager(store.versions)
        versions.create("routing", Prompt.of(PromptTemplate.from_text(PLAIN), id="p"))
        versions.create("routing", versions.get("routing", "1.0.0").prompt)
        versions.rollback("routing", versions.list("routing")[1].version)
        versions.tag("routing", "latest", "production")
    assert project(*against_plan, "--seed", "4").json["promotion"]["version"] == "2.0.0"  # the control's prompt is live
    versions_say = project("ab", "plan.yaml", "-v", "A=1.0.0", "-v", "B=plan", "--json", "-q").json
    assert versions_say["verdict"] == "loss"  # the plan's prompt against the one that won


def test_an_alias_that_points_elsewhere_is_left_alone(project: Cli) -> None:
    with store_at(project) as store:
        versions = VersionManager(store.versions)
        for text in (PLAIN, GOOD, "{{ message }}"):
            versions.create("routing", Prompt.of(PromptTemplate.from_text(text), id="p"))
        versions.tag("routing", "1.0.2", "production")
    ab = ["ab", "plan.yaml", "-v", "A=1.0.0", "-v", "B=1.0.1", "--json"]
    found = project(*ab, "--promote", "production").json["promotion"]
    assert found["version"] is None
    assert found["reason"] == "not moved: production points at 1.0.2, and the test was against 1.0.0"
    assert project(*ab, "--promote", "canary").json["promotion"]["version"] == "1.0.1"
    assert "there already" in project(*ab, "--promote", "canary").json["promotion"]["reason"]


def test_who_leads_when_the_budget_ends_has_not_won_yet(project: Cli) -> None:
    project.write("same.md", PLAIN + " ")
    ab = ["ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "-v", "C=same.md", "--effect", "0.01", "--batch", "10"]
    budget = ["--set", "execution.budget.max_calls=150"]
    found = project(*ab, "--promote", "production", "--json", *budget)
    assert found.code == 3
    assert [one["state"] for one in found.json["comparisons"]] == ["win", "open"]
    assert (found.json["verdict"], found.json["winner"], found.json["promotion"]) == ("undecided", None, None)
    with store_at(project) as store:
        assert VersionManager(store.versions).list("routing") == ()
    told = project(*ab, "--promote", "production", *budget).out
    assert "B is better than A" in told
    assert "--set execution.budget.max_calls=" in told
    whole = project("resume", found.json["id"], "--set", "execution.budget.max_calls=1000", "--json").json
    assert (whole["winner"], whole["promotion"]["version"]) == ("B", "1.0.0")
    with store_at(project) as store:
        kept = VersionManager(store.versions).get("routing").provenance
    assert kept is not None
    assert kept.dataset_hash == load_plan(project.directory / "plan.yaml").manifest.case_set().content_hash


def test_another_target_is_not_promoted(project: Cli) -> None:
    rules = json.dumps(right_model()["rules"])
    found = project("ab", "plan.yaml", "-v", "A=plan", "-v", f"B=set:target.rules={rules}", "--promote", "production")
    assert "production not moved: an alias names a prompt" in found.out.replace("\n  ", " ")


def test_guardrails_stop_a_harmful_variant(cli: Cli) -> None:
    cli.plan(cases=80)
    cli.write("good.md", GOOD)
    failing = {"contains": "invoice", "failure": "malformed_completion"}
    broken = json.dumps([failing, {"contains": "", "output": "no idea"}])
    found = cli(
        "ab", "plan.yaml", "-v", "A=plan", "-v", f"B=set:target.rules={broken}", "--guardrail", "errors+2%",
        "--set", "execution.max_retries=0", "--effect", "0.001", "--power", "0.9999", "--json",
    )  # fmt: skip
    assert found.code == 1, found.err
    assert found.json["verdict"] == "harm"
    assert "breaks the guardrail errors+2%: " in found.json["reason"]


def test_a_cost_that_the_target_does_not_tell_is_no_cost_that_holds(cli: Cli) -> None:
    cli.write("costless.py", "def answer(request):\n    return request.messages[-1].content\n")
    cli.plan(target={"kind": "python", "function": "costless:answer"})
    cli.write("good.md", GOOD)
    found = cli("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "-g", "cost+10%", "--output", "r.html")
    assert ">unknown</span> cost+10% of B" in (cli.directory / "r.html").read_text("utf-8")
    assert "cost+10% of B: UNKNOWN, the target tells no cost" in found.out
    assert "calls, cost unknown;" in " ".join(found.out.split())


def test_what_was_paid_is_told_with_every_repeat_and_nothing_for_what_is_remembered(cli: Cli) -> None:
    priced = {"kind": "scripted", "default": {"output": "no idea", "cost": 0.001}}
    cli.plan(cases=30, target=priced, execution={"repeats": 2})
    cli.write("good.md", GOOD)
    ab = ["ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "--json"]
    found = cli(*ab, "--effect", "0.9").json
    assert found["calls"] == found["samples"] * 2 * 2
    assert found["cost"] == pytest.approx(found["calls"] * 0.001)
    again = cli(*ab, "--effect", "0.91").json
    assert (again["samples"], again["calls"], again["cost"]) == (found["samples"], 0, 0.0)


def test_reports_are_written(project: Cli) -> None:
    found = project(
        "ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "-g", "latency+900%", "--batch", "3",
        *(part for suffix in ("html", "json", "md") for part in ("--output", f"r.{suffix}")),
    )  # fmt: skip
    assert found.code == 0
    page = (project.directory / "r.html").read_text("utf-8")
    assert "B wins: better than A" in page
    assert "<polygon" in page
    assert "latency+900%" in page
    assert json.loads((project.directory / "r.json").read_text("utf-8"))["winner"] == "B"
    assert "| pass rate (points) |" in (project.directory / "r.md").read_text("utf-8")
    again = project("ab", "plan.yaml", "-v", "A=plan", "-v", "B=good.md", "--output", "r.json", "--output", "r.html")
    assert again.code == 0


EXPERIMENT = {"name": "tone", "variants": ["A", "B"], "effect": 0.1}


def outcomes(name: str, number: int, rates: dict[str, int]) -> list[dict[str, Any]]:
    """Units of which ``rates`` of ten succeed."""
    experiment, seen, rows = Experiment(name=name, variants=["A", "B"]), {"A": 0, "B": 0}, []
    for unit in range(number):
        variant = experiment.assign(f"u{unit}") or ""
        seen[variant] += 1
        rows.append({"unit_id": f"u{unit}", "value": int(seen[variant] % 10 < rates[variant])})
    return rows


@pytest.fixture
def online(cli: Cli) -> Cli:
    cli.write("tone.yaml", EXPERIMENT)
    assert cli("ab", "define", "tone.yaml").out == "tone: 100% of the units take part, A 50.0%, B 50.0%\n"
    return cli


def test_an_online_experiment_from_definition_to_verdict(online: Cli) -> None:
    assert online("ab", "status", "tone", "--json").json["verdict"] == "running"
    online.write("o.jsonl", outcomes("tone", 600, {"A": 3, "B": 7}))
    told = online("ab", "record", "tone", "o.jsonl")
    assert told.out == "tone: 600 of 600 outcomes count\n"
    assert (
        "0 of 600 outcomes count\n  600 duplicate (such as unit 'u0')" in online("ab", "record", "tone", "o.jsonl").out
    )
    found = online("ab", "status", "tone", "--output", "tone.html")
    assert found.code == 0
    assert "B wins: better than A" in found.out
    assert "units are split as assigned" in found.out
    assert "600 duplicate" in found.out
    assert max(map(len, found.out.splitlines())) <= 80
    assert "B wins" in (online.directory / "tone.html").read_text("utf-8")
    late = online.write("late.csv", "unit_id,value\nnew,1\n")
    assert "1 late" in online("ab", "record", "tone", late).out
    assert online("ab", "stop", "tone").code == 2
    assert "tone  online: B wins" in online("ab", "status").out


def test_the_same_unit_gets_the_same_variant_everywhere(online: Cli) -> None:
    experiment = Experiment(name="tone", variants=["A", "B"])
    told = online("ab", "assign", "tone", "u1", "u2", "--json").json["assigned"]
    assert told == [{"unit_id": unit, "variant": experiment.assign(unit)} for unit in ("u1", "u2")]
    assert online("ab", "assign", "tone", "u1").out == f"u1: {experiment.assign('u1')}\n"


def test_only_the_ramp_may_change(online: Cli) -> None:
    online.write("tone.yaml", EXPERIMENT | {"weights": {"A": 1, "B": 3}})
    found = online("ab", "define", "tone.yaml")
    assert found.code == 2
    assert "define it under another name, such as 'tone-2'" in found.err
    online.write("tone.yaml", EXPERIMENT | {"weigths": {}})
    assert "weigths" in online("ab", "define", "tone.yaml").err


@pytest.mark.parametrize("limit", [131_072, 64 * 1024 * 1024])
def test_csv_outcomes_and_what_is_wrong_with_them(online: Cli, limit: int) -> None:
    csv.field_size_limit(limit)  # of the whole process: a data set that was read before has raised it
    online.write("o.csv", "unit_id,value,metric,at\nu1,yes,success,2026-03-01T10:00:00Z\nu2,0,,\nu3,1,joy,\n")
    told = online("ab", "record", "tone", "o.csv", "--json").json
    assert (told["counted"], told["refused"]) == (2, {"unknown metric": 1})
    for name, text, message in (
        ("a.csv", "unit,value\n1,2\n", "no 'unit_id'"),
        ("b.csv", "unit_id,value\nu9\n", "b.csv:2: has not as many cells"),
        ("c.csv", "unit_id,value\nu9,maybe\n", "c.csv:2"),
        ("d.jsonl", '{"unit_id": "u9", "value": 1}\n{"unit_id"\n', "d.jsonl:2: is no JSON"),
        ("e.jsonl", "[1]\n", "is list, no object"),
        ("g.jsonl", "[" * 100_000, "g.jsonl:1: is no JSON"),
        ("h.csv", "unit_id,value\n" + "u" * 200_000 + ",1\n", "is no CSV: field larger"),
        ("i.csv", "unit_id,value,value\nu9,1,0\n", "has the column 'value' twice"),
        ("f.jsonl", '{"unit_id": "u9", "value": 1, "metrik": "x"}\n', "metrik"),
        ("g.txt", "x", "expected a file that ends in .jsonl or .csv"),
    ):
        online.write(name, text)
        found = online("ab", "record", "tone", name)
        assert found.code == 2
        assert message in found.err
    assert "cannot read" in online("ab", "record", "tone", "nowhere.csv").err
    assert online("ab", "status", "tone", "--json").json["samples"] == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_outcomes_come_through_a_pipe_which_can_be_read_once(online: Cli) -> None:
    pipe = online.directory / "p.jsonl"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_text, '{"unit_id": "u1", "value": 1}\n', "utf-8")
        assert online("ab", "record", "tone", "p.jsonl").out == "tone: 1 of 1 outcomes count\n"


def test_a_stopped_experiment_says_why(online: Cli) -> None:
    found = online("ab", "stop", "tone", "--reason", "the feature was dropped")
    assert "Undecided: the feature was dropped" in found.out
    assert "B 50.0%; it ended at " in online("ab", "define", "tone.yaml").out
    assert online("ab", "status", "nobody").code == 2


def test_an_online_win_moves_the_alias(online: Cli) -> None:
    with store_at(online) as store:
        versions = VersionManager(store.versions)
        for _ in range(2):
            versions.create("routing", Prompt.of(PromptTemplate.from_text("{{ x }}"), id="p"))
        versions.tag("routing", "1.0.0", "production")
    online.write(
        "live.yaml",
        {
            "name": "live", "variants": {"A": "1.0.0", "B": "1.0.1"}, "effect": 0.1,
            "workflow_id": "routing", "promote": "production",
        },
    )  # fmt: skip
    online("ab", "define", "live.yaml")
    online.write("o.jsonl", outcomes("live", 600, {"A": 3, "B": 7}))
    online("ab", "record", "live", "o.jsonl")
    found = online("ab", "status", "live", "--json").json
    assert found["promotion"]["version"] == "1.0.1"
    with store_at(online) as store:
        moves = VersionManager(store.versions).alias_history("routing", "production")
        assert [(move.version, bool(move.reason)) for move in moves] == [("1.0.0", False), ("1.0.1", True)]


def test_versions_that_a_win_could_not_promote_are_refused_before_it_begins(online: Cli) -> None:
    def define(name: str, control: str, other: str) -> str:
        variants = {"A": control, "B": other}
        online.write("p.yaml", {"name": name, "variants": variants, "workflow_id": "routing", "promote": "production"})
        found = online("ab", "define", "p.yaml")
        assert (found.code == 0) == (not found.err)
        return found.err

    assert "'B' could not be promoted to 'production': unknown workflow 'routing'" in define("p", "old", "1.0.0")
    with store_at(online) as store:
        VersionManager(store.versions).create("routing", Prompt.of(PromptTemplate.from_text("{{ x }}"), id="p"))
    assert "unknown version of 'routing' '1.0.1'; did you mean '1.0.0'" in define("p", "old", "1.0.1")
    assert define("p", "old", "1.0.0") == ""  # the alias points nowhere: any control will do
    with store_at(online) as store:
        VersionManager(store.versions).tag("routing", "1.0.0", "production")
    assert "variant 'A' could not be promoted" in define("q", "old", "1.0.0")
    assert "by number, such as '1.0.0'" in define("q", "production", "1.0.0")
    assert define("p", "old", "1.0.0") == ""  # it has begun
    assert [one["id"] for one in online("ab", "status", "--json").json["experiments"]] == ["tone", "p"]


def test_no_experiment_yet(cli: Cli) -> None:
    cli.plan()
    cli("run", "plan.yaml", "-q")
    assert "no experiment yet" in cli("ab", "status").out
    assert cli("ab", "status", "--json").json == {"experiments": []}

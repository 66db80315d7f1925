"""``run``, ``resume``, ``decide``, ``compare`` and ``runs``."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from cli_kit import Cli, calls_in, counted, right_model, routing_plan, wrong_model

from sharpen.executor.models import RunExecutionResult
from sharpen.optimizer.models import Decision, TestExecutionReport
from sharpen.storage.store import Store


def test_exit_code_0_when_the_rules_hold(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6)
    done = cli("run", "plan.yaml")
    assert done.code == 0
    assert "6 of 6 tests passed" in done.out
    assert "routing: 6/6, 100% passed" in done.err


def test_exit_code_1_when_the_rules_do_not_hold(cli: Cli) -> None:
    cli.plan(target=wrong_model(), cases=6)
    done = cli("run", "plan.yaml")
    assert done.code == 1
    assert "success_rate 0 < 0.9" in done.out
    assert "got 'no idea'" in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80


def test_exit_code_3_when_the_budget_ends_the_run(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6, execution={"budget": {"max_calls": 4}})
    done = cli("run", "plan.yaml")
    assert done.code == 3
    assert "4 of 4 that ran passed, 2 did not run" in done.out
    run_id = cli("runs", "list", "--json").json["runs"][0]["run_id"]
    assert f"Go on: sharpen resume {run_id}\n" in done.out
    assert "4/6, 100% passed · 2 not run" in done.err


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_budget_of_calls_is_exact(cli: Cli, limit: int) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(6), log) | {"execution": {"budget": {"max_calls": limit}}})
    assert cli("run", "plan.yaml").code == 3
    assert calls_in(log) == limit


def test_resume_pays_only_for_what_is_left(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    plan = counted(routing_plan(6), log) | {"execution": {"budget": {"max_calls": 4}, "cache": False}}
    cli.write("plan.yaml", plan)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    spent = cli("resume", run_id)
    assert (spent.code, calls_in(log)) == (3, 4), "what was spent counts"
    assert "with a larger budget: --set execution.budget.max_calls=MORE" in spent.out
    done = cli("resume", run_id, "--json", "--set", "execution.budget.max_calls=6")
    assert done.code == 1
    assert done.json["run"]["run_id"] == run_id
    assert done.json["run"]["statistics"]["completed_tasks"] == 6
    assert sorted(log.read_text().split()) == [f"case-{number:02}" for number in range(6)]
    assert cli("resume", run_id).code == 1
    assert calls_in(log) == 6


def test_a_second_run_is_answered_from_the_cache(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(6), log))
    first, second = cli("run", "plan.yaml", "--json").json, cli("run", "plan.yaml", "--json").json
    assert calls_in(log) == 6
    assert second["run"]["statistics"]["cached_tasks"] == 6
    assert second["report"]["success_rate"] == first["report"]["success_rate"]
    cli("run", "plan.yaml", "--set", "execution.cache=false")
    assert calls_in(log) == 12


PRICED = {"kind": "scripted", "default": {"output": "billing", "cost": 0.02}}


@pytest.mark.parametrize(("limit", "code"), [(0.01, 1), (0.03, 0)])
def test_the_price_of_a_prompt_is_judged_alike_whether_paid_or_remembered(cli: Cli, limit: float, code: int) -> None:
    cli.plan(target=PRICED, cases=6, rules={"min_success_rate": 0, "max_cost_per_request": limit})
    first, second = cli("run", "plan.yaml", "--json"), cli("run", "plan.yaml", "--json")
    assert (first.code, second.code) == (code, code)
    assert second.json["decision"] == first.json["decision"]
    assert second.json["run"]["statistics"]["cached_tasks"] == 6
    reports = first.json["report"], second.json["report"]
    assert [report["cost_per_request"] for report in reports] == [pytest.approx(0.02)] * 2
    assert [report["total_cost"] for report in reports] == [pytest.approx(0.12), 0]
    shown = " ".join(cli("runs", "show", second.json["run"]["run_id"]).out.split())
    assert "Cost $0 " in shown
    assert "Cost per request $0.020 " in shown


def test_the_json_document_is_the_contract_s_models(cli: Cli) -> None:
    cli.plan(cases=6)
    done = cli("run", "plan.yaml", "--json")
    assert list(done.json) == ["run", "report", "decision", "patterns", "flakiness", "time"]
    run = RunExecutionResult.model_validate(done.json["run"])
    report = TestExecutionReport.model_validate(done.json["report"])
    decision = Decision.model_validate(done.json["decision"])
    assert (run.statistics.total_tasks, report.total_tests, decision.should_optimize) == (6, 6, True)
    assert [task.case_id for task in run.task_results] == [f"case-{number:02}" for number in range(6)]
    assert "routing: 6 tests" in done.err


def test_quiet_means_no_progress(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=6)
    done = cli("run", "plan.yaml", "--quiet")
    assert done.err == ""
    assert "6 of 6 tests passed" in done.out


def test_set_overrides_any_key(cli: Cli) -> None:
    cli.plan(cases=6)
    done = cli(
        "run", "plan.yaml", "--json", "--set", "target={kind: scripted, default: {output: billing}}",
        "--set", "rules.min_success_rate=0.3", "--set", "execution.repeats=2", "--set", "assertions.0.type=contains",
    )  # fmt: skip
    assert done.code == 0
    assert done.json["run"]["statistics"]["total_tasks"] == 12
    assert done.json["report"]["success_rate"] == pytest.approx(1 / 3)


def test_reports_are_written_in_every_format_also_into_new_directories(cli: Cli) -> None:
    cli.plan(cases=6)
    names = ["new/deep/r.html", "r.json", "r.junit.xml", "r.md"]
    done = cli("run", "plan.yaml", *(part for name in names for part in ("--output", name)))
    assert [line for line in done.out.splitlines() if line.startswith("Report: ")] == [f"Report: {n}" for n in names]
    assert "<html" in Path("new/deep/r.html").read_text("utf-8")
    assert list(json.loads(Path("r.json").read_text("utf-8"))) == [
        "run", "report", "decision", "patterns", "flakiness", "time",
    ]  # fmt: skip
    suite = ElementTree.parse("r.junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("6", "6")
    assert "case-00" in Path("r.md").read_text("utf-8")


def test_a_report_of_an_older_run(cli: Cli) -> None:
    cli.plan(cases=6)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    assert cli("runs", "show", run_id, "-o", "later.json").code == 0
    assert json.loads(Path("later.json").read_text("utf-8"))["run"]["run_id"] == run_id


def test_the_store_is_where_it_is_said_to_be(cli: Cli) -> None:
    plan = cli.plan(name="project/plan.yaml", cases=6)
    cli("run", plan)
    assert (plan.parent / ".sharpen" / "sharpen.db").exists()
    url = "sqlite:///elsewhere/mine.db"
    cli("run", plan, "--store", url)
    assert len(cli("runs", "list", "--json", "--store", url).json["runs"]) == 1
    cli.monkeypatch.setenv("SHARPEN_STORE", url)
    cli("run", plan)
    assert len(cli("runs", "list", "--json").json["runs"]) == 2


def test_what_to_type_next_names_the_store_when_it_would_not_be_found(cli: Cli) -> None:
    plan = cli.plan(name="my project/plan.yaml", target=right_model(), cases=6, execution={"budget": {"max_calls": 4}})
    done = cli("run", plan)
    hint = next(line for line in done.out.splitlines() if line.startswith("Go on: sharpen "))
    url = "sqlite:///my project/.sharpen/sharpen.db"
    assert hint.endswith(f" --store '{url}'")
    run_id = hint.split()[4]
    assert cli("resume", run_id, "--store", url, "--set", "execution.budget.max_calls=6").code == 0


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    cli.plan(cases=6)
    ids = [cli("run", "plan.yaml", "--json").json["run"]["run_id"] for _ in range(3)]
    listed = cli("runs", "list", "--json")
    assert list(listed.json) == ["runs"]
    assert [run["run_id"] for run in listed.json["runs"]] == ids[::-1]
    assert {"run_id", "workflow_id", "status", "started_at"} <= set(listed.json["runs"][0])
    assert {run["status"] for run in listed.json["runs"]} == {"completed"}
    assert len(cli("runs", "list", "--json", "-n", 2).json["runs"]) == 2
    table = cli("runs", "list").out
    assert all(run_id in table for run_id in ids)
    assert cli("runs", "list", "--quiet").out == ""


def test_a_run_is_shown_as_it_was_reported(cli: Cli) -> None:
    cli.plan(cases=6)
    document = cli("run", "plan.yaml", "--json").json
    shown = cli("runs", "show", document["run"]["run_id"][:-2], "--json")
    assert shown.code == 0
    assert shown.json["run"]["task_results"] == document["run"]["task_results"]
    assert shown.json["report"] == document["report"] | {"executed_at": shown.json["report"]["executed_at"]}
    assert shown.json["decision"] == document["decision"]


def test_runs_are_exported_and_replayed(cli: Cli) -> None:
    cli.plan(cases=6)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    lines = [json.loads(line) for line in cli("runs", "export", run_id).out.splitlines()]
    assert [line["case_id"] for line in lines] == [f"case-{number:02}" for number in range(6)]
    rows = list(csv.DictReader(io.StringIO(cli("runs", "export", run_id, "--format", "csv").out)))
    assert rows[0]["output"] == "I think it is billing."
    cli.write("recorded.jsonl", cli("runs", "export", run_id, "--format", "recorded").out)
    replayed = cli("run", "plan.yaml", "--json", "--set", "target={kind: scripted, file: recorded.jsonl}")
    outputs = [task["output"] for task in replayed.json["run"]["task_results"]]
    assert outputs == [line["output"] for line in lines]


def test_decide_by_analysis_by_the_newest_run_and_by_a_run(cli: Cli) -> None:
    cli.plan(cases=6)
    before = cli("decide", "plan.yaml", "--json").json
    assert (before["run_id"], before["report"]) == (None, None)
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    after = cli("decide", "plan.yaml", "--json")
    assert after.code == 1
    assert after.json["run_id"] == run_id
    assert "success_rate" in [trigger["metric"] for trigger in after.json["decision"]["triggers"]]
    assert cli("decide", run_id, "--json").json["decision"] == after.json["decision"]
    assert "by run" in cli("decide", "plan.yaml").out
    lenient = cli("decide", "plan.yaml", "--json", "--set", "rules={min_success_rate: 0, optimization_threshold: 0}")
    assert lenient.code == 0
    assert lenient.json["decision"]["should_optimize"] is False


def test_decide_prefers_a_complete_run_to_a_newer_one_that_was_cut_short(cli: Cli) -> None:
    cli.plan(cases=6)
    complete = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    cut = cli("run", "plan.yaml", "--set", "execution={cache: false, budget: {max_calls: 1}}")
    assert cut.code == 3
    assert cli("decide", "plan.yaml", "--json").json["run_id"] == complete


def test_compare_tells_what_was_fixed_and_what_differs(cli: Cli) -> None:
    cli.plan(cases=6)
    first = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    target = "target={kind: scripted, default: {output: billing}}"
    second = cli("run", "plan.yaml", "--json", "--set", target).json["run"]["run_id"]
    found = cli("compare", first, second, "--json")
    assert found.code == 0
    assert found.json["fixed"] == ["case-00", "case-03"]
    assert found.json["broken"] == []
    assert len(found.json["still_failing"]) == 4
    assert {item["aspect"] for item in found.json["differences"]} == {"model"}
    success = found.json["metrics"][0]
    assert (success["name"], success["test"], success["p_value"]) == ("success_rate", "exact McNemar", 0.5)
    text = cli("compare", first, second).out
    assert text.startswith("! Not only the prompt: these runs are not alike\n    model: ")
    assert "6 cases paired: 2 fixed, 0 broken, 4 still failing." in text
    assert cli("compare", first, second, "--quiet").out == ""


def test_runs_without_a_shared_case_cannot_be_compared(cli: Cli) -> None:
    cli.plan(cases=3)
    first = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    cli.plan(cases=1, dataset=[{"id": "other", "vars": {"message": "My parcel."}, "expected": "shipping"}])
    second = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    found = cli("compare", first, second)
    assert found.code == 2
    assert found.err == f"error: runs {first!r} and {second!r} share no case that both ran; nothing to compare\n"


def test_a_resumed_run_needs_its_cases(cli: Cli) -> None:
    cli.write("cases.jsonl", routing_plan(6)["dataset"])
    cli.plan(dataset="cases.jsonl", execution={"budget": {"max_calls": 4}})
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    fewer = routing_plan(5)["dataset"]
    other = [{**case, "expected": "other"} for case in routing_plan(6)["dataset"]]
    for changed in (fewer, other, routing_plan(6)["dataset"][::-1]):
        cli.write("cases.jsonl", changed)
        done = cli("resume", run_id)
        assert done.code == 2
        assert f"the data set is no longer the one that run {run_id!r} began with; restore it" in done.err
    cli.write("cases.jsonl", routing_plan(6)["dataset"])
    assert cli("resume", run_id, "--set", "execution.budget.max_calls=6").code in (0, 1)


def test_no_number_of_resumptions_gets_around_a_budget(cli: Cli) -> None:
    """What a task cost that was cut off while it was retried is not forgotten when it is asked again."""
    cli.plan(
        cases=6,
        target={"kind": "scripted", "default": {"failure": "server"}},
        execution={"concurrency": 3, "max_retries": 1, "budget": {"max_calls": 3}, "cache": False},
    )
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    for calls in (4, 5, 6):
        cli("resume", run_id, "--set", f"execution.budget.max_calls={calls}")
        with Store.open(f"sqlite:///{cli.directory}/.sharpen/sharpen.db") as store:
            assert store.spent(run_id).calls == calls

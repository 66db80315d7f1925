"""Runs that are too large to be held: every command reads them from the store. The limits are lowered for that."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_kit import Cli, routing_cases, routing_plan

from sharpen.config import case_set
from sharpen.config.settings import store_url
from sharpen.executor import run as executor_run
from sharpen.executor.models import ResultLog
from sharpen.storage import runs as stored_runs
from sharpen.storage.store import Store

CASES = 90


@pytest.fixture(params=[1, 2], ids=["once", "twice"])
def large(request: pytest.FixtureRequest, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a run of 90 cases, each run once or twice, two thirds of which fail; 20 of anything may be held."""
    monkeypatch.setattr(case_set, "HELD", 20)
    monkeypatch.setattr(case_set, "SAMPLE", 12)
    for module in (executor_run, stored_runs):
        monkeypatch.setattr(module, "HELD_RESULTS", 20, raising=False)
    return _run(cli, request.param)


def _run(cli: Cli, repeats: int = 1, **keys: object) -> str:
    cli.write("cases.jsonl", [*routing_cases(CASES)])
    rules = [{"contains": "invoice", "output": "billing"}]
    target = {"kind": "scripted", "rules": rules, "default": {"output": "no idea"}}
    plan = routing_plan() | {"dataset": "cases.jsonl", "target": target, "execution": {"repeats": repeats}} | keys
    cli.write("plan.yaml", plan)
    ended = cli("run", "plan.yaml", "--json", "--quiet")
    assert ended.code == 1
    run_id: str = ended.json["run"]["run_id"]
    with Store.open(store_url(Path())) as store:
        assert isinstance(store.runs.load_result(run_id).task_results, ResultLog)
    return run_id


def test_a_run_is_shown_as_it_was_told(cli: Cli, large: str) -> None:
    for name in ("x.json", "x.junit.xml", "x.md", "x.html"):
        assert cli("runs", "show", large, "-o", name).code == 0
    shown = cli("runs", "show", large, "--json").json
    assert shown == json.loads(Path("x.json").read_text())
    tasks = shown["run"]["task_results"]
    assert [task["case_id"] for task in tasks] == sorted(task["case_id"] for task in tasks)
    assert len(tasks) == shown["run"]["statistics"]["total_tasks"] == shown["time"]["tasks"]
    assert len(ET.parse("x.junit.xml").findall(".//failure")) == shown["run"]["statistics"]["failed_tasks"]
    assert "Failing cases (60)" in Path("x.md").read_text()
    page = Path("x.html").read_text()
    assert "Shown: all 60 cases that failed and all 30 others. Long texts are cut. All of them, whole: <code>" in page
    decided = cli("decide", large, "--json").json
    assert decided["decision"] == shown["decision"]
    assert decided["report"]["p95_response_time_ms"] == shown["report"]["p95_response_time_ms"]


def test_failing_cases_are_shown_with_their_inputs_though_few_are_held(cli: Cli, large: str) -> None:
    for command in (("runs", "show", large), ("resume", large)):
        text = cli(*command).out
        for line in text.splitlines():
            if line.startswith("  ✗ "):
                assert "My " in line
        assert text.count("  ✗ ") == 10


def test_exports_hold_every_result_with_its_inputs(cli: Cli, large: str) -> None:
    whole = cli("runs", "export", large, "-f", "json").json
    assert len(whole["cases"]) == CASES
    inputs = {case["id"]: case for case in whole["cases"]}
    lines = [json.loads(line) for line in cli("runs", "export", large).out.splitlines()]
    assert len(lines) == len(whole["results"]) >= CASES
    assert all(line["vars"] == inputs[line["case_id"]]["vars"] for line in lines)
    assert all(line["expected"] == inputs[line["case_id"]]["expected"] for line in lines)
    rows = list(csv.DictReader(io.StringIO(cli("runs", "export", large, "-f", "csv").out)))
    assert [row["case_id"] for row in rows] == [line["case_id"] for line in lines]
    assert [row["vars.message"] for row in rows] == [line["vars"]["message"] for line in lines]
    assert len(cli("runs", "export", large, "-f", "recorded").out.splitlines()) == len(lines)


def test_large_runs_are_compared_case_by_case(cli: Cli, large: str) -> None:
    repeats = len(cli("runs", "export", large).out.splitlines()) // CASES
    rules = [{"contains": "parcel", "output": "shipping"}]
    other = _run(cli, repeats, target={"kind": "scripted", "rules": rules, "default": {"output": "no idea"}})
    found = cli("compare", large, other, "--json").json
    assert (len(found["fixed"]), len(found["broken"]), len(found["still_failing"])) == (30, 30, 30)
    assert {item["aspect"] for item in found["differences"]} == {"model"}
    assert found["data"]["paired"] == CASES == found["metrics"][0]["cases"]
    cli.write("cases.jsonl", routing_cases(CASES + 1)[1:])
    cli("run", "plan.yaml", "--quiet")
    newest = cli("runs", "list", "--json").json["runs"][0]["run_id"]
    found = cli("compare", large, newest, "--json").json
    assert {item["aspect"] for item in found["differences"]} == {"model", "data set"}
    assert found["data"]["paired"] == CASES - 1
    assert (found["data"]["only_first_ids"], found["data"]["only_second_ids"]) == (["case-00"], ["case-90"])


def test_a_run_that_was_killed_can_be_looked_at(cli: Cli, large: str) -> None:
    with sqlite3.connect(store_url(Path()).removeprefix("sqlite:///")) as store:
        store.execute("UPDATE runs SET status = 'running', finished_at = NULL, statistics = NULL")
        store.execute("DELETE FROM results WHERE case_id > 'case-49'")
        store.execute("DELETE FROM run_cases WHERE case_id > 'case-69'")
    store.close()
    shown = cli("runs", "show", large, "-o", "x.html", "-o", "x.junit.xml", "-o", "x.md")
    assert shown.code == 0
    assert "✗ case-01  My parcel number 1 is wrong." in shown.out
    assert "Unfinished" in Path("x.html").read_text()
    document = cli("runs", "show", large, "--json").json
    statistics = document["run"]["statistics"]
    saved = len(document["run"]["task_results"])
    assert saved == statistics["completed_tasks"]
    assert 0 < saved < statistics["total_tasks"]
    assert len(cli("runs", "export", large).out.splitlines()) == saved
    assert cli("decide", large, "--json").json["run_id"] == large
    assert cli("compare", large, large).code == 0

"""What commands tell while they execute something: log events on stderr, nothing but the document on stdout."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_kit import Cli, Outcome

from servers.faulty import FaultyServer, answering, status

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def project(cli: Cli, openai_server: FaultyServer) -> Cli:
    cli.plan(cases=6, target={"kind": "openai", "model": "m", "base_url": openai_server.base_url})
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    openai_server.script(status(503, "busy with your message"), answering(lambda prompt: "billing"))
    return cli


def events(done: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.err.splitlines()]


def test_json_logs_are_all_there_is_on_stderr(project: Cli) -> None:
    done = project("run", "plan.yaml", "--json", "--log-format", "json", "--log-level", "debug")
    assert done.code == 1
    run_id = done.json["run"]["run_id"]
    told = events(done)
    assert [line["event"] for line in told if line["event"] != "task_finished"] == [
        "run_started",
        "attempt_failed",
        "run_finished",
    ]
    assert {line["run_id"] for line in told} == {run_id}
    assert sum(line["event"] == "task_finished" for line in told) == 6
    assert next(line for line in told if line["event"] == "attempt_failed")["http_status"] == 503
    for secret in (KEY, "invoice", "your message", "Which queue"):
        assert secret not in done.err


def test_variables_of_the_environment_do_the_same(project: Cli) -> None:
    project.monkeypatch.setenv("SHARPEN_LOG_FORMAT", "json")
    project.monkeypatch.setenv("SHARPEN_LOG_LEVEL", "warning")
    assert [line["event"] for line in events(project("run", "plan.yaml"))] == ["attempt_failed"]


def test_text_logs_stand_beside_the_progress(project: Cli) -> None:
    done = project("run", "plan.yaml", "--log-level", "info")
    assert "routing: 6 tests" in done.err
    assert " WARNING attempt_failed run_id=run-" in done.err


def test_without_the_options_nothing_is_logged(project: Cli) -> None:
    assert "attempt_failed" not in project("run", "plan.yaml").err


def test_unknown_formats_are_refused_with_the_right_ones(project: Cli) -> None:
    refused = project("run", "plan.yaml", "--log-format", "xml")
    assert refused.code == 2
    assert "'xml'" in refused.err
    assert "'json'" in refused.err


def test_a_search_and_a_resumed_run_are_logged_too(cli: Cli) -> None:
    cli.plan(cases=30, execution={"budget": {"max_calls": 3}, "cache": False})
    run_id = cli("run", "plan.yaml", "--json").json["run"]["run_id"]
    resumed = events(cli("resume", run_id, "--log-format", "json", "--set", "execution.budget.max_calls=100"))
    assert [line["event"] for line in resumed] == ["run_resumed", "run_started", "run_finished"]
    cli.plan(cases=30)
    told = events(cli("optimize", "plan.yaml", "--log-format", "json"))
    assert {"run_started", "search_phase", "candidate_measured", "run_finished"} <= {line["event"] for line in told}


def test_otel_without_its_packages_names_the_extra(project: Cli) -> None:
    project.monkeypatch.setattr("sharpen.telemetry.otel_setup._NEEDED", ("sharpen_no_such_package",))
    refused = project("run", "plan.yaml", "--otel")
    assert refused.code == 2
    assert "pip install 'sharpen[otel]'" in refused.err


def test_runs_show_explains_where_the_time_went(project: Cli) -> None:
    run_id = project("run", "plan.yaml", "--json").json["run"]["run_id"]
    shown = project("runs", "show", run_id).out
    assert "Where the time went" in shown
    assert "What errors cost" in shown
    found = project("runs", "show", run_id, "--json").json["time"]
    errors = {error["kind"]: error for error in found["errors"]}
    assert (errors["server"]["attempts"], errors["server"]["tasks"]) == (1, 0)
    assert errors["assertion"]["tasks"] == 4
    assert found["tasks"] == 6
    assert found["allowed"] == project("runs", "show", run_id, "--json").json["run"]["metadata"]["concurrency"]

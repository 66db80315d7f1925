"""Servers that cannot be used: one clear message, soon, and never N failures."""

from __future__ import annotations

import pytest
from cli_kit import Cli

from servers.faulty import FaultyServer, chat, hang, status

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def project(cli: Cli, openai_server: FaultyServer) -> Cli:
    cli.plan(target={"kind": "openai", "model": "m", "base_url": openai_server.base_url})
    return cli


def test_a_dead_server_is_one_message(project: Cli) -> None:
    failed = project("run", "plan.yaml", "--set", "target.base_url=http://127.0.0.1:9/v1")
    assert (failed.code, failed.out) == (3, "")
    assert failed.err.count("cannot reach the target") == 1
    assert "127.0.0.1:9" in failed.err
    assert project("runs", "list", "--json").json["runs"][0]["status"] == "aborted"


def test_a_wrong_key_is_refused_once_and_never_shown(project: Cli, openai_server: FaultyServer) -> None:
    project.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    openai_server.script(status(401, f"Incorrect API key provided: {KEY}"))
    failed = project("run", "plan.yaml", "--json", "--set", "execution.concurrency=2")
    assert failed.code == 3
    assert "refuses the credentials" in failed.json["error"]["message"]
    assert len(openai_server.requests) <= 2
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    stored = b"".join(path.read_bytes() for path in (project.directory / ".sharpen").iterdir())
    assert KEY not in failed.out + failed.err
    assert KEY.encode() not in stored


def test_a_model_that_does_not_exist(project: Cli, openai_server: FaultyServer) -> None:
    openai_server.script(status(404, "The model `m` does not exist", "model_not_found"))
    failed = project("run", "plan.yaml", "--quiet", "--set", "execution.concurrency=4")
    assert failed.code == 3
    assert failed.err.count("The model `m` does not exist") == 1
    assert len(openai_server.requests) <= 8


def test_a_server_that_goes_away_keeps_what_was_paid_for(project: Cli, openai_server: FaultyServer) -> None:
    openai_server.script(*[chat("billing")] * 5, status(401, "revoked"))
    failed = project("run", "plan.yaml", "--set", "execution.concurrency=1")
    assert failed.code == 3
    run_id = project("runs", "list", "--json").json["runs"][0]["run_id"]
    assert f"5 finished results are kept, `sharpen resume {run_id}` goes on" in failed.err
    openai_server.script(chat("billing"))
    assert project("resume", run_id).code == 1
    assert len(openai_server.requests) == 6 + 25


def test_a_server_that_hangs_is_a_timeout_of_each_case(project: Cli, openai_server: FaultyServer) -> None:
    openai_server.script(hang())
    limits = "execution={timeout_s: 0.2, max_retries: 0, concurrency: 30}"
    found = project("run", "plan.yaml", "--json", "--set", limits)
    assert found.code == 1
    assert found.json["run"]["statistics"]["timeout_tasks"] == 30
    assert found.json["report"]["error_distribution"]["timeout_errors"] == 30


def test_a_budget_counts_requests_exactly(project: Cli, openai_server: FaultyServer) -> None:
    openai_server.script(status(500), chat("billing"))
    settings = "execution={cache: false, concurrency: 4, budget: {max_calls: 11}}"
    stopped = project("run", "plan.yaml", "--json", "--set", settings)
    assert stopped.code == 3
    assert len(openai_server.requests) == 11
    statistics = stopped.json["run"]["statistics"]
    assert statistics["completed_tasks"] + statistics["cancelled_tasks"] == 30
    assert "max_calls" in stopped.json["run"]["stop_reason"]

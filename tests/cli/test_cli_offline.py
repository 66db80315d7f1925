"""``--offline``: what would leave this machine is refused before anything is called, wherever a plan names it."""

from __future__ import annotations

from typing import Any

import pytest
from cli_kit import Cli

from servers.faulty import FaultyServer, chat

ELSEWHERE: dict[str, Any] = {"kind": "openai", "model": "m", "base_url": "https://models.example.com/v1"}
RUBRIC = {"type": "llm-rubric", "value": "is polite", "judge": ELSEWHERE}


@pytest.fixture
def here(openai_server: FaultyServer) -> dict[str, Any]:
    openai_server.script(chat("billing"))
    return {"kind": "openai", "model": "m", "base_url": openai_server.base_url}


@pytest.mark.parametrize("command", ["check", "run", "optimize", "decide"])
def test_every_command_refuses(cli: Cli, command: str) -> None:
    cli.plan(target=ELSEWHERE)
    failed = cli(command, "plan.yaml", "--offline", "--json")
    assert failed.code == 2
    error = failed.json["error"]
    assert (error["type"], len(error["problems"])) == ("PlanError", 1)
    assert error["problems"][0]["key"] == "target.base_url"
    assert error["problems"][0]["where"].startswith("plan.yaml:")
    assert "'models.example.com'" in error["message"]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"assertions": [RUBRIC]}, "assertions.0.judge.base_url"),
        (
            {"dataset": [{"vars": {"message": "x"}, "expected": "y", "assertions": [RUBRIC]}]},
            "assertions.0.judge.base_url",
        ),
        ({"optimize": {"rewriter": ELSEWHERE}}, "optimize.rewriter.base_url"),
    ],
)
def test_judges_and_rewriters_are_targets_too(
    cli: Cli, here: dict[str, Any], openai_server: FaultyServer, keys: dict[str, Any], place: str
) -> None:
    cli.plan(target=here, **keys)
    failed = cli("run", "plan.yaml", "--offline", "--json")
    assert failed.code == 2
    assert [problem["key"] for problem in failed.json["error"]["problems"]] == [place]
    assert not openai_server.requests


def test_a_plug_in_that_does_not_tell(cli: Cli) -> None:
    cli.write("mute_target.py", MUTE)
    cli.plan(target={"kind": "mute_target:Mute"})
    failed = cli("run", "plan.yaml", "--offline")
    assert failed.code == 2
    assert "'mute_target:Mute' does not tell where it calls" in failed.err
    assert cli("run", "plan.yaml", "--set", "rules.min_success_rate=0").code == 2, "the mode holds for the process"


def test_by_the_variable(cli: Cli) -> None:
    cli.plan(target=ELSEWHERE)
    cli.monkeypatch.setenv("SHARPEN_OFFLINE", "1")
    assert cli("run", "plan.yaml").code == 2
    cli.monkeypatch.setenv("SHARPEN_OFFLINE", "yse")
    failed = cli("run", "plan.yaml")
    assert (failed.code, failed.err) == (
        2,
        "error: the environment variable SHARPEN_OFFLINE is 'yse'; expected 1 or 0\n",
    )


def test_this_machine_is_called_past_any_proxy(cli: Cli, here: dict[str, Any], openai_server: FaultyServer) -> None:
    cli.plan(target=here, cases=4, rules={"min_success_rate": 0})
    cli.monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert cli("run", "plan.yaml", "--offline").code == 0
    assert len(openai_server.requests) == 4


def test_resuming_too(cli: Cli, here: dict[str, Any], openai_server: FaultyServer) -> None:
    cli.plan(target={**here, "base_url": f"http://localhost:{openai_server.port}/v1"}, cases=4)
    budget = "execution={concurrency: 1, budget: {max_calls: 2}}"
    assert cli("run", "plan.yaml", "--set", budget).code == 3
    run_id = cli("runs", "list", "--json").json["runs"][0]["run_id"]
    resumed = cli("resume", run_id, "--offline", "--set", "execution.budget.max_calls=9", "--json")
    assert resumed.code in (0, 1)
    assert len(openai_server.requests) == 4


MUTE = """
from sharpen.targets.base import Failure, Target, TargetResponse
from sharpen.targets.exceptions import failure_of


class Mute(Target):
    async def invoke(self, request):
        return TargetResponse("billing")

    def classify(self, exception):
        return failure_of(exception)

    def identity(self):
        return {"kind": "mute"}
"""

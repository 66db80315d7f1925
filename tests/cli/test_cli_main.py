"""The error boundary: what goes wrong becomes a message, an exit code and, with ``--json``, one document."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from cli_kit import Cli

from sharpen import __version__, wiring
from sharpen.cli.commands import COMMANDS, load
from sharpen.errors import BudgetExhausted


def test_help_without_arguments(cli: Cli) -> None:
    shown = cli()
    assert shown.code == 0
    assert shown.out == cli("--help").out
    assert all(f"\n  {name} " in shown.out for name in COMMANDS)
    assert max(map(len, shown.out.splitlines())) <= 80


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"sharpen {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(cli: Cli, name: str) -> None:
    shown = cli(name, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: sharpen {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_as_it_explains_itself(name: str) -> None:
    paragraph = " ".join(load(name).help.partition("\n\n")[0].split())
    sentence, _, rest = paragraph.partition(". ")
    assert COMMANDS[name] == (f"{sentence}." if rest else paragraph)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    def commands(command: Any) -> list[Any]:
        return [command, *(sub for child in getattr(command, "commands", {}).values() for sub in commands(child))]

    for command in commands(load(name)):
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{command.name} {parameter.opts}"


def test_an_error_is_one_line_on_stderr(cli: Cli) -> None:
    failed = cli("run", "nope.yaml")
    assert failed.code == 2
    assert failed.out == ""
    assert failed.err.startswith("error: there is no file ")
    assert failed.err.count("\n") == 1


def test_all_mistakes_at_once(cli: Cli) -> None:
    cli.plan(cases=3, rules={"min_succes_rate": 1}, execution={"concurrency": 0})
    failed = cli("run", "plan.yaml")
    assert failed.code == 2
    assert failed.err.count("error: ") == 2
    assert failed.err.endswith("2 mistakes; nothing was called\n")


def test_an_error_is_one_document_with_json(cli: Cli) -> None:
    cli.plan(cases=3, execution={"concurrency": 0})
    failed = cli("run", "plan.yaml", "--json")
    assert failed.code == 2
    error = failed.json["error"]
    assert (error["type"], error["exit_code"]) == ("PlanError", 2)
    assert error["problems"][0]["key"] == "execution.concurrency"
    assert error["message"] in failed.err


def test_a_mistake_on_the_command_line_too(cli: Cli) -> None:
    failed = cli("run", "plan.yaml", "--jsn", "--json")
    assert failed.code == 2
    assert failed.json["error"]["type"] == "UsageError"
    assert failed.json["error"]["message"].startswith("no such option: --jsn")


def fail_with(cli: Cli, error: BaseException) -> Any:
    def broken(*_: object) -> None:
        raise error

    cli.monkeypatch.setattr(wiring, "load_plan", broken)
    return cli("run", "plan.yaml")


def test_a_run_that_could_not_finish_is_3(cli: Cli) -> None:
    failed = fail_with(cli, BudgetExhausted("the budget of 3 calls (max_calls) is spent"))
    assert (failed.code, failed.err) == (3, "error: the budget of 3 calls (max_calls) is spent\n")


def test_an_interrupt_before_anything_was_called_is_130(cli: Cli) -> None:
    failed = fail_with(cli, KeyboardInterrupt())
    assert failed.code == 130
    assert failed.err.startswith("error: interrupted; ")


def test_what_the_system_refuses_is_3_and_names_the_file(cli: Cli) -> None:
    failed = fail_with(cli, OSError(errno.EIO, "Input/output error", "cases.jsonl"))
    assert (failed.code, failed.err) == (
        3,
        "error: the system refused to read or write: 'cases.jsonl': Input/output error\n",
    )


def test_a_fault_of_ours_is_not_mistaken_for_broken_rules(cli: Cli) -> None:
    failed = fail_with(cli, ZeroDivisionError("division by zero"))
    assert failed.code == 3
    assert "Traceback" in failed.err
    assert failed.err.endswith("error: this is a fault of sharpen, please report it with the lines above\n")

"""``sharpen cache``, and plans and commands that want none."""

from __future__ import annotations

from datetime import timedelta

import pytest
import typer
from cli_kit import Cli, calls_in, counted, routing_plan

from sharpen.cli.quantities import age, size


def test_show_and_prune(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(6), log))
    assert cli("cache", "show").code == 2  # no store yet
    cli("run", "plan.yaml")
    shown = cli("cache", "show")
    assert shown.code == 0
    assert shown.out.startswith("6 answers, ")
    assert cli("cache", "show", "--json").json["entries"] == 6
    assert cli("cache", "prune", "--older-than", "1h").out.startswith("dropped 0 answers, 0 B; 6 are left, ")
    assert cli("cache", "prune", "--all", "--dry-run").out.startswith("would drop 6 answers, ")
    cli("run", "plan.yaml")
    assert calls_in(log) == 6
    pruned = cli("cache", "prune", "--max-size", "0B", "--json")
    assert (pruned.json["entries"], pruned.json["left"]) == (6, 0)
    assert cli("cache", "show").out == "no answer is remembered\n"
    cli("run", "plan.yaml")
    assert calls_in(log) == 12


def test_prune_asks_what_should_go(cli: Cli) -> None:
    cli.plan()
    asked = cli("cache", "prune")
    assert (asked.code, asked.out) == (2, "")
    assert asked.err == "error: which answers should go? expected --older-than AGE, --max-size SIZE or --all\n"
    for option, value in (("--older-than", "soon"), ("--older-than", "9" * 30 + "d"), ("--max-size", "200")):
        refused = cli("cache", "prune", option, value)
        assert refused.code == 2
        assert repr(value) in refused.err


def test_no_cache_neither_asks_nor_answers_it(cli: Cli) -> None:
    log = cli.directory / "calls.log"
    cli.write("plan.yaml", counted(routing_plan(6), log))
    cli("run", "plan.yaml", "--no-cache")
    assert cli("cache", "show").out == "no answer is remembered\n"
    cli("run", "plan.yaml")
    cli("run", "plan.yaml", "--no-cache")
    cli("run", "plan.yaml", "--set", "execution.cache=false")
    assert calls_in(log) == 24


@pytest.mark.parametrize(
    ("text", "meant"),
    [("30d", timedelta(days=30)), ("1.5 h", timedelta(hours=1.5)), ("2W", timedelta(weeks=2)), ("0s", timedelta())],
)
def test_ages(text: str, meant: timedelta) -> None:
    assert age(text) == meant


@pytest.mark.parametrize(("text", "meant"), [("200MB", 200_000_000), ("1GiB", 2**30), ("0.5 kb", 500), ("7b", 7)])
def test_sizes(text: str, meant: int) -> None:
    assert size(text) == meant


@pytest.mark.parametrize("text", ["", "d", "30", "-1d", "30 days", "1e3s", "½h"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected an age such as 12h, 30d or 2w"):
        age(text)

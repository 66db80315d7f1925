"""``versions list|show|diff|rollback|tag``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_kit import Cli, routing_plan

from sharpen.wiring import load_plan, open_store, optimize_plan


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores of one and of two workflows, made once: each has its plan's prompt as 1.0.0, the proved one as 2.0.0."""
    directory = tmp_path_factory.mktemp("stores")
    for workflow in ("routing", "other"):
        plan = directory / f"{workflow}.yaml"
        plan.write_text(json.dumps(routing_plan() | {"workflow_id": workflow}), "utf-8")
        with open_store(f"sqlite:///{directory}/two.db", plan) as store:
            assert optimize_plan(load_plan(plan), store).version == "2.0.0"
        if workflow == "routing":
            shutil.copy(directory / "two.db", directory / "one.db")
    return directory


@pytest.fixture
def optimized(cli: Cli, stores: Path) -> Cli:
    (cli.directory / ".sharpen").mkdir()
    shutil.copy(stores / "one.db", cli.directory / ".sharpen" / "sharpen.db")
    return cli


@pytest.fixture
def two_workflows(optimized: Cli, stores: Path) -> Cli:
    shutil.copy(stores / "two.db", optimized.directory / ".sharpen" / "sharpen.db")
    return optimized


def versions(cli: Cli, *arguments: str) -> list[tuple[str, str]]:
    found = cli("versions", "list", "--json", *arguments)
    assert list(found.json) == ["versions"]
    return [(version["workflow_id"], version["version"]) for version in found.json["versions"]]


def test_versions_are_listed_newest_first(two_workflows: Cli) -> None:
    assert versions(two_workflows, "routing") == [("routing", "2.0.0"), ("routing", "1.0.0")]
    assert versions(two_workflows, "--workflow", "other") == [("other", "2.0.0"), ("other", "1.0.0")]
    everything = versions(two_workflows)
    assert everything[:2] == [("other", "2.0.0"), ("other", "1.0.0")]
    assert len(everything) == 4
    table = two_workflows("versions", "list").out
    assert "routing" in table
    assert "+100.0" in table


def test_a_version_knows_its_evidence(optimized: Cli) -> None:
    shown = optimized("versions", "show", "2.0.0", "--json").json
    assert (shown["parent"], shown["kind"]) == ("1.0.0", "optimized")
    assert shown["verification"]["accepted"] is True
    assert len(shown["run_ids"]) == 2
    for run_id in shown["run_ids"]:
        assert optimized("runs", "show", run_id, "--json").code == 0
    assert optimized("versions", "show", "2.0.0", "--format", "json").json == shown


def test_the_text_shows_evidence_and_prompt(optimized: Cli) -> None:
    text = optimized("versions", "show").out
    assert "better on held-out cases (7 fixed, 0 broken" in text
    assert text.endswith("{{ message }}\n")


def test_the_prompt_alone(optimized: Cli) -> None:
    """What an application reads: no heading, no evidence, exactly the prompt."""
    assert optimized("versions", "show", "1.0.0", "--format", "prompt").out == (
        "Which queue does this message belong to?\n\n{{ message }}\n"
    )


def test_a_prompt_of_several_messages_is_a_prompt_file(cli: Cli) -> None:
    prompt = {"system": "You are a clerk.", "user": "Which queue does this message belong to?\n\n{{ message }}"}
    cli.plan(prompt=prompt)
    cli("optimize", "plan.yaml", "--quiet")
    text = cli("versions", "show", "1.0.0", "--format", "prompt").out
    assert text == f"# system\n\nYou are a clerk.\n\n# user\n\n{prompt['user']}\n"
    cli.write("same.md", text)
    same = cli("run", "plan.yaml", "--json", "--set", "prompt=same.md").json["run"]["metadata"]["prompt_hash"]
    assert same == cli("run", "plan.yaml", "--json").json["run"]["metadata"]["prompt_hash"]


def test_two_versions_side_by_side(optimized: Cli) -> None:
    text = optimized("versions", "diff", "1.0.0", "2.0.0").out
    assert "+Answer with exactly one of: billing, shipping, technical." in text
    assert "success_rate: 0 → 1" in text
    assert optimized("versions", "diff", "1.0.0").out == text  # to the latest, left out
    found = optimized("versions", "diff", "1.0.0", "2.0.0", "--json").json
    assert "success_rate" in [metric["name"] for metric in found["metrics"]]
    assert "the prompts are equal" in optimized("versions", "diff", "1.0.0", "1.0.0").out


def test_rollback_is_a_new_head_and_history_stays(optimized: Cli) -> None:
    done = optimized("versions", "rollback", "1.0.0")
    assert done.code == 0
    assert done.out == "routing 2.0.1: rollback to 1.0.0\n"
    assert [version for _, version in versions(optimized)] == ["2.0.1", "2.0.0", "1.0.0"]
    old, new = (optimized("versions", "show", name, "-f", "prompt").out for name in ("1.0.0", "latest"))
    assert old == new
    assert optimized("versions", "rollback", "2.0.0", "--json").json["version"] == "2.0.2"


def test_an_alias_points_where_it_was_told_to(optimized: Cli) -> None:
    assert optimized("versions", "tag", "1.0.0", "production").out == "production → routing 1.0.0\n"
    assert "Answer with" not in optimized("versions", "show", "production", "-f", "prompt").out
    moved = optimized("versions", "tag", "2.0.0", "production", "--expect", "1.0.0", "--json").json
    assert moved == {"workflow_id": "routing", "version": "2.0.0", "alias": "production"}
    assert "Answer with" in optimized("versions", "show", "production", "-f", "prompt").out


def test_an_alias_that_moved_meanwhile_is_a_conflict(optimized: Cli) -> None:
    optimized("versions", "tag", "2.0.0", "production")
    late = optimized("versions", "tag", "1.0.0", "production", "--expect", "1.0.0")
    assert late.code == 2
    assert "'production'" in late.err
    assert "2.0.0" in late.err
    assert optimized("versions", "show", "production", "--json").json["version"] == "2.0.0"


def test_the_workflow_may_stand_first_where_there_are_several(two_workflows: Cli) -> None:
    assert two_workflows("versions", "show", "other", "1.0.0", "--json").json["workflow_id"] == "other"
    assert two_workflows("versions", "show", "other", "--json").json["version"] == "2.0.0"
    assert two_workflows("versions", "tag", "other", "1.0.0", "live").out == "live → other 1.0.0\n"
    assert two_workflows("versions", "rollback", "1.0.0", "-w", "routing", "--quiet").out == ""
    assert versions(two_workflows, "routing")[0] == ("routing", "2.0.1")
    unclear = two_workflows("versions", "show", "1.0.0")
    assert unclear.code == 2
    assert unclear.err == "error: which workflow? the store holds 2: other, routing; expected --workflow NAME\n"

"""``versions export|import|create|three-way|tag|untag|aliases``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_kit import Cli, routing_plan

from sharpen.wiring import load_plan, open_store, optimize_plan


@pytest.fixture
def optimized(cli: Cli) -> Cli:
    """A store with 1.0.0, the plan's prompt, and 2.0.0, proved; production is 1.0.0."""
    plan = cli.directory / "plan.json"
    plan.write_text(json.dumps(routing_plan()), "utf-8")
    with open_store(None, plan) as store:
        assert optimize_plan(load_plan(plan), store).version == "2.0.0"
    assert cli("versions", "tag", "1.0.0", "production").code == 0
    return cli


def text_of(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text("utf-8") for path in directory.rglob("*.*")}


def test_versions_go_to_files_and_come_back_exactly(optimized: Cli) -> None:
    written = optimized("versions", "export", "prompts")
    assert written.out.endswith("2 versions, 5 files new or changed\n")
    assert sorted(path.name for path in (optimized.directory / "prompts" / "routing").iterdir()) == [
        "1.0.0.json", "1.0.0.md", "2.0.0.json", "2.0.0.md", "aliases.yaml",
    ]  # fmt: skip
    new = ("--store", f"sqlite:///{optimized.directory}/new.db")
    found = optimized("versions", "import", "prompts", "--aliases", *new, "--json").json
    assert [one["version"] for one in found["added"]] == ["1.0.0", "2.0.0"]
    assert found["aliases"] == [{"workflow_id": "routing", "alias": "production", "version": "1.0.0"}]
    for number in ("1.0.0", "2.0.0"):
        here, there = (optimized("versions", "show", number, "--json", *where).json for where in ((), new))
        assert here == there
    again = optimized("versions", "import", "prompts", "--aliases", *new)
    assert again.out == "0 versions added, 2 were here already\n"
    before = text_of(optimized.directory / "prompts")
    optimized("versions", "export", "again", *new)
    after = text_of(optimized.directory / "again")
    assert {name: text for name, text in after.items() if "aliases" not in name} == {
        name: text for name, text in before.items() if "aliases" not in name
    }


def test_an_export_leaves_what_is_there_alone(optimized: Cli) -> None:
    optimized("versions", "export", "prompts")
    assert optimized("versions", "export", "prompts", "--json").json["written"] == []
    edited = optimized.directory / "prompts" / "routing" / "2.0.0.md"
    edited.write_text(edited.read_text("utf-8").replace("exactly one", "precisely one"), "utf-8")
    refused = optimized("versions", "export", "prompts")
    assert refused.code == 2
    assert "2.0.0.md' exists and is not what the store holds" in refused.err
    assert "precisely one" in edited.read_text("utf-8")


def test_a_file_that_says_the_same_in_another_form_is_left_alone(optimized: Cli) -> None:
    optimized("versions", "export", "prompts")
    file = optimized.directory / "prompts" / "routing" / "2.0.0.md"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    before = file.read_bytes()
    again = optimized("versions", "export", "prompts", "--json")
    assert (again.code, again.json["written"], file.read_bytes()) == (0, [], before)
    (file.with_suffix(".json")).unlink()
    assert "2.0.0.md' exists and is not what the store holds" in optimized("versions", "export", "prompts").err
    file.unlink()
    assert len(optimized("versions", "export", "prompts", "--json").json["written"]) == 2


def test_names_and_messages_that_are_no_text(cli: Cli) -> None:
    (cli.directory / "prompt.md").write_text("Sort {{ message }}.", "utf-8")
    for given in (("-w", "a\udcff"), ("-w", "a", "-m", "\udcff")):
        refused = cli("versions", "create", "prompt.md", *given)
        assert (refused.code, "which is no Unicode text; expected UTF-8" in refused.err) == (2, True)


def test_what_versions_print_moves_no_cursor(cli: Cli) -> None:
    (cli.directory / "prompt.md").write_text("\x1b[2JSort {{ message }}.", "utf-8")
    why = "because \x1b[31mred " + "of a long story " * 9
    shown = [cli("versions", "create", "prompt.md", "-w", "a\x1b[1m", "-m", why).out]
    (cli.directory / "prompt.md").write_text("\x1b[2JSort {{ message }} well.", "utf-8")
    shown += [cli("versions", "create", "prompt.md").out, cli("versions", "diff", "1.0.0", "1.0.1").out]
    shown += [cli("versions", "show", "1.0.0").out, cli("versions", "tag", "1.0.0", "production").out]
    assert not any("\x1b" in text for text in shown)
    assert "of a long story of a long story" in shown[3]  # the whole message, which the table cuts
    assert cli("versions", "show", "1.0.0", "--format", "prompt").out == "\x1b[2JSort {{ message }}.\n"


@pytest.mark.parametrize("document", ["{}", '{"prompt": 1}', "[]", "null", "{"])
def test_a_record_that_is_none_any_more_is_named(cli: Cli, document: str) -> None:
    (cli.directory / "prompt.md").write_text("Sort {{ message }}.", "utf-8")
    cli("versions", "create", "prompt.md", "-w", "routing")
    with closing(sqlite3.connect(cli.directory / ".sharpen" / "sharpen.db")) as file, file:
        file.execute("UPDATE versions SET document = ?", (document,))
    for command in (("versions", "show"), ("versions", "export", "out")):
        refused = cli(*command, "--json")
        assert (refused.code, refused.json["error"]["type"]) == (2, "StoreError")
    assert "routing 1.0.0" in cli("store", "check").out


def test_a_reviewed_edit_becomes_a_new_version(optimized: Cli) -> None:
    optimized("versions", "export", "prompts")
    edited = optimized.directory / "prompts" / "routing" / "2.0.0.md"
    edited.write_text(edited.read_text("utf-8").replace("exactly one", "precisely one"), "utf-8")
    refused = optimized("versions", "import", "prompts", "--store", f"sqlite:///{optimized.directory}/new.db")
    assert refused.code != 0
    assert "was altered" in refused.err
    assert "versions create" in refused.err
    made = optimized("versions", "create", str(edited), "-m", "reviewed", "--bump", "minor", "--json").json
    assert (made["version"], made["parent"], made["kind"], made["message"]) == ("2.1.0", "2.0.0", "manual", "reviewed")
    again = optimized("versions", "create", str(edited))
    assert "has this prompt already (latest: 2.1.0)" in again.err


def test_a_first_version_needs_a_workflow(cli: Cli) -> None:
    (cli.directory / "prompt.md").write_text("Sort {{ message }}.", "utf-8")
    assert "expected --workflow NAME" in cli("versions", "create", "prompt.md").err
    assert cli("versions", "create", "prompt.md", "-w", "triage").out == "triage 1.0.0: from prompt.md\n"
    (cli.directory / "prompt.md").write_text("Sort {{ message }} well.", "utf-8")
    assert cli("versions", "create", "prompt.md").out == "triage 1.0.1: from prompt.md\n"


def test_a_conflict_imports_nothing(optimized: Cli) -> None:
    optimized("versions", "export", "prompts")
    (optimized.directory / "prompt.md").write_text("Sort {{ message }}.", "utf-8")
    other = ("--store", f"sqlite:///{optimized.directory}/other.db")
    optimized("versions", "create", "prompt.md", "-w", "routing", *other)
    refused = optimized("versions", "import", "prompts", *other)
    assert "another version of that number: routing 1.0.0; nothing was imported" in refused.err
    assert len(optimized("versions", "list", "--json", *other).json["versions"]) == 1


@pytest.mark.parametrize("text", ["[1]", '"x"', "{", "[" * 100_000])
def test_evidence_that_is_no_evidence_is_refused(optimized: Cli, text: str) -> None:
    optimized("versions", "export", "prompts")
    (optimized.directory / "prompts" / "routing" / "2.0.0.json").write_text(text, "utf-8")
    refused = optimized("versions", "import", "prompts", "--store", f"sqlite:///{optimized.directory}/new.db")
    assert (refused.code, "the JSON file beside" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("old", "new"), [("metadata:", "metadata: ["), ("\n---\n", "\n"), ("  prompt:\n", "  prompt: x\n  x:\n")]
)
def test_a_version_s_file_that_cannot_be_read_any_more_is_no_other_file(optimized: Cli, old: str, new: str) -> None:
    optimized("versions", "export", "prompts")
    file = optimized.directory / "prompts" / "routing" / "2.0.0.md"
    file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    refused = optimized("versions", "import", "prompts", "--store", f"sqlite:///{optimized.directory}/new.db")
    assert (refused.code, "2.0.0.md" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "aliases",
    [
        "{production: 9.9.9}",
        "{production: 2}",
        "{production: latest}",
        "{production: [1.0.0]}",
        "{'../x': 1.0.0}",
        "{3: 1.0.0}",
        "[]",
    ],
)
def test_aliases_that_cannot_be_import_nothing(optimized: Cli, aliases: str) -> None:
    optimized("versions", "export", "prompts")
    (optimized.directory / "prompts" / "routing" / "aliases.yaml").write_text(
        f"workflow_id: routing\naliases: {aliases}\n", "utf-8"
    )
    new = ("--store", f"sqlite:///{optimized.directory}/new.db")
    assert optimized("versions", "import", "prompts", "--aliases", *new).code == 2
    assert optimized("versions", "list", "--json", *new).json["versions"] == []


def test_what_holds_no_version(cli: Cli) -> None:
    (cli.directory / "prompts").mkdir()
    (cli.directory / "prompts" / "README.md").write_text("# Prompts\n", "utf-8")
    assert "holds no exported version" in cli("versions", "import", "prompts").err
    assert "there is no file" in cli("versions", "import", "nowhere").err
    assert cli("versions", "import", "nowhere").code == 2


def test_three_ways(optimized: Cli) -> None:
    (optimized.directory / "hotfix.md").write_text("Which queue does this mail belong to?\n\n{{ message }}", "utf-8")
    optimized("versions", "create", "hotfix.md")
    optimized("versions", "tag", "2.0.1", "production")
    seen = optimized("versions", "three-way", "2.0.0", "--base", "1.0.0").out
    assert seen.startswith("routing: base 1.0.0 · candidate 2.0.0 · live 2.0.1\n")
    assert "only live changed\n  - Which queue does this message belong to?\n  + Which queue does this mail" in seen
    assert "only the candidate changed\n  + Answer with exactly one of" in seen
    assert "no conflicts" in seen
    found = optimized("versions", "three-way", "2.0.0", "1.0.0", "--json").json
    assert (found["base"], found["conflicts"]) == ("1.0.0", 0)
    assert "all three prompts are equal" in optimized("versions", "three-way", "1.0.0", "1.0.0").out


def test_aliases_and_their_history(optimized: Cli) -> None:
    assert (
        "points at 1.0.0, not at '2.0.0'"
        in optimized("versions", "tag", "latest", "production", "--expect", "2.0.0").err
    )
    assert "expected to be free" in optimized("versions", "tag", "latest", "production", "--expect", "").err
    assert optimized("versions", "tag", "latest", "production", "--expect", "1.0.0").code == 0
    optimized("versions", "tag", "latest", "canary")
    optimized("versions", "untag", "production")
    told = optimized("versions", "aliases", "--json").json
    assert told["aliases"] == {"canary": "2.0.0"}
    assert [(move["alias"], move["previous"], move["version"]) for move in told["history"]] == [
        ("production", None, "1.0.0"),
        ("production", "1.0.0", "2.0.0"),
        ("canary", None, "2.0.0"),
        ("production", "2.0.0", None),
    ]
    one = optimized("versions", "aliases", "canary").out
    assert one.startswith("canary → 2.0.0\n")
    assert "production" not in one
    assert "did you mean 'canary'" in optimized("versions", "aliases", "canari").err
    assert "canary" in optimized("versions", "list").out


def test_why_an_alias_moved_is_shown_whole(optimized: Cli) -> None:
    why = "measured against what was live on every case of last month, and read by two people who know the queues"
    optimized("versions", "tag", "2.0.0", "canary", "--by", "Ada", "-m", why)
    told = optimized("versions", "aliases").out
    assert f"canary – → 2.0.0 Ada · {why}" in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= 80


def test_who_did_it_is_kept(optimized: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (optimized.directory / "prompt.md").write_text("Sort {{ message }}.", "utf-8")
    optimized("versions", "create", "prompt.md", "--by", "Ada")
    optimized("versions", "tag", "latest", "production", "--by", "Ada")
    monkeypatch.setenv("SHARPEN_ACTOR", "release pipeline")
    optimized("versions", "untag", "production")
    optimized("versions", "rollback", "1.0.0")
    monkeypatch.delenv("SHARPEN_ACTOR")
    monkeypatch.setattr("getpass.getuser", lambda: "grace")
    optimized("versions", "tag", "2.0.0", "production")
    monkeypatch.setattr("getpass.getuser", nobody)
    optimized("versions", "tag", "1.0.0", "production")
    moves = optimized("versions", "aliases", "--json").json["history"]
    assert [move["actor"] for move in moves][1:] == ["Ada", "release pipeline", "grace", None]
    assert "Ada" in optimized("versions", "aliases").out
    assert "by          Ada\n" in optimized("versions", "show", "2.0.1").out
    assert optimized("versions", "show", "2.0.2", "--json").json["created_by"] == "release pipeline"
    optimized("versions", "export", "prompts")
    new = ("--store", f"sqlite:///{optimized.directory}/new.db")
    optimized("versions", "import", "prompts", "--aliases", "--by", "Lin", *new)
    assert optimized("versions", "show", "2.0.1", "--json", *new).json["created_by"] == "Ada"
    (move,) = optimized("versions", "aliases", "--json", *new).json["history"]
    assert (move["actor"], move["reason"]) == ("Lin", "imported from prompts/routing/aliases.yaml")


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 1000")


def test_show_tells_where_a_version_comes_from(optimized: Cli) -> None:
    shown = optimized("versions", "show", "2.0.0").out
    for line in ("parent      1.0.0", "plan        ", "data set    ", "model       (scripted)", "unaltered"):
        assert f"\n{line}" in shown or line in shown
    record = optimized("versions", "show", "2.0.0", "--json").json
    assert len(record["provenance"]["plan_hash"]) == 64
    assert record["provenance"] == optimized("versions", "show", "1.0.0", "--json").json["provenance"]

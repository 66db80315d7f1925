"""``lint``: prompts and plans, as text, JSON and SARIF; fixes; explanations."""

from __future__ import annotations

from pathlib import Path

from cli_kit import Cli, routing_plan

WEAK = "Please kindly summarize the text.\n\n{{ text }}\n\nPlease kindly summarize the text.\n"


def test_findings_are_told_with_their_place(cli: Cli) -> None:
    cli.write("weak.md", WEAK)
    found = cli("lint", "weak.md")
    assert found.code == 1
    assert "weak.md:5:1: SP105 [*] warning: " in found.out
    assert "Found " in found.out


def test_a_clean_prompt_is_0_and_silent_when_quiet(cli: Cli) -> None:
    cli.write("good.md", "Summarize the text in one sentence of at most 20 words.\n\n{{ text }}\n")
    found = cli("lint", "good.md")
    assert found.code == 0
    assert "No issues in 1 file." in found.out
    assert cli("lint", "good.md", "--quiet").out == ""


def test_json_holds_scores_and_positions(cli: Cli) -> None:
    cli.write("weak.md", WEAK)
    document = cli("lint", "weak.md", "--json").json
    assert document == cli("lint", "weak.md", "--output-format", "json").json
    (file,) = document["files"]
    assert file["file"] == "weak.md"
    assert {"overall_score", "clarity_score", "efficiency_score"} <= set(file)
    issue = next(issue for issue in file["issues"] if issue["type"] == "SP105")
    assert (issue["line"], issue["column"]) == (5, 1)


def test_sarif_for_code_hosts(cli: Cli) -> None:
    cli.write("weak.md", WEAK)
    (run,) = cli("lint", "weak.md", "--output-format", "sarif").json["runs"]
    assert run["tool"]["driver"]["name"] == "sharpen"
    (result,) = [result for result in run["results"] if result["ruleId"] == "SP105"]
    region = result["locations"][0]["physicalLocation"]
    assert region["artifactLocation"]["uri"] == "weak.md"
    assert region["region"]["startLine"] == 5


def test_fixes_are_applied_to_the_file_and_placeholders_stay(cli: Cli) -> None:
    path = cli.write("weak.md", WEAK)
    cli("lint", "weak.md", "--fix")
    fixed = path.read_text("utf-8")
    assert "Please" not in fixed
    assert fixed.count("{{ text }}") == 1
    assert "can be fixed" not in cli("lint", "weak.md").out


def test_a_plan_is_linted_with_what_it_knows(cli: Cli) -> None:
    cli.write("plan.yaml", routing_plan(6))
    found = cli("lint", "plan.yaml", "--json")
    assert found.code == 1
    types = {issue["type"] for issue in found.json["files"][0]["issues"]}
    alone = cli("lint", cli.write("prompt.md", routing_plan()["prompt"]["user"]), "--json").json["files"][0]["issues"]
    assert types > {issue["type"] for issue in alone}  # that the assertions want one of three words, the plan knows
    better = "prompt={user: 'Answer with exactly one of: billing, shipping, technical.\n\n\n{{ message }}'}"
    assert cli("lint", "plan.yaml", "--set", better).code == 0


def test_a_rule_explains_itself(cli: Cli) -> None:
    text = cli("lint", "--explain", "SP105")
    assert text.code == 0
    assert text.out.startswith("## SP105 ")


def test_several_files_at_once(cli: Cli) -> None:
    cli.write("a.md", WEAK)
    cli.write("b.md", "Translate the text into French.\n\n{{ text }}\n")
    document = cli("lint", "a.md", "b.md", "--json").json
    assert [Path(file["file"]).name for file in document["files"]] == ["a.md", "b.md"]

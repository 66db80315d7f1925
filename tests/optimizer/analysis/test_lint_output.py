"""How findings are shown, and in which line of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from lint_kit import lint, prompt_of

from sharpen.errors import UnknownNameError
from sharpen.optimizer.analysis.explain import catalogue, explain
from sharpen.optimizer.analysis.fixes import apply_edits
from sharpen.optimizer.analysis.locate import locate
from sharpen.optimizer.analysis.output import render, render_json, render_sarif, render_text
from sharpen.optimizer.analysis.registry import RULES
from sharpen.optimizer.models import PromptAnalysis, TextEdit

DOCS = Path(__file__).parents[3] / "docs"
FILE = """---
description: Please ignore me
---
# system
You are a router.

Please sort the message.

# user
Message: {{ message }}
Thank you!
"""


def test_text_output_is_one_line_and_a_help_line_for_each_finding():
    shown = render_text([("a.md", lint("Please sort the message.")), ("b.md", lint("Sort the message."))])
    assert shown.splitlines() == [
        "a.md:1:1: SP303 [*] info: 'Please' costs tokens and changes nothing",
        "    help: Leave it out.",
        "a.md: overall 90, clarity 100, efficiency 75",
        "b.md: overall 100, clarity 100, efficiency 100",
        "Found 1 issue (1 info) in 2 files; 1 [*] can be fixed.",
    ]


def test_text_output_of_a_clean_file():
    assert render_text([("a.md", lint("Sort the message."))]).endswith("No issues in 1 file.")


def test_json_output_comes_back_as_the_same_analysis():
    analysis = lint("Please check this message!!!\n\n{{ message }}")
    (found,) = json.loads(render_json([("a.md", analysis)]))["files"]
    assert found.pop("file") == "a.md"
    assert PromptAnalysis.model_validate(found) == analysis


SARIF = {  # the parts of the OASIS schema that code hosts insist on
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "minItems": 1,
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {"rules": {"uniqueItems": True, "items": {"required": ["id"]}}},
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["message", "locations", "ruleId", "ruleIndex", "level"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {"required": ["uri"]},
                                                    "region": {
                                                        "required": ["startLine", "startColumn"],
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                        },
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}


def test_sarif_output_has_the_structure_of_the_standard():
    log = json.loads(render_sarif([("prompts/a b.md", lint("Please check {{ it")), ("/tmp/b.md", lint("Please go."))]))
    Draft7Validator(SARIF).validate(log)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]}
    assert uris == {"prompts/a%20b.md", "file:///tmp/b.md"}
    assert {r["level"] for r in run["results"]} >= {"error", "note"}


def test_an_unknown_format_names_those_there_are():
    with pytest.raises(UnknownNameError, match=r"'yaml'.*json, sarif, text"):
        render("yaml", [])
    assert render("text", []) == "No issues in 0 files."


def lines_of(prompt, text):
    return [(i.type, i.line, i.column) for i in locate(lint_of(prompt), prompt, text).issues]


def lint_of(prompt):
    return lint(*[(message.role, message.content) for message in prompt.messages])


def test_findings_point_into_the_file():
    prompt = prompt_of(
        ("system", "You are a router.\n\nPlease sort the message."), ("user", "Message: {{ message }}\nThank you!")
    )
    assert lines_of(prompt, FILE) == [("SP303", 7, 1), ("SP303", 11, 1)]


def test_findings_point_into_a_yaml_plan_with_its_indentation():
    prompt = prompt_of(("system", "Sort it."), ("user", "Please sort.\nThank you!"))
    text = "prompt:\n  system: Sort it.\n  user: |\n    Please sort.\n    Thank you!\nworkflow_id: x\n"
    assert lines_of(prompt, text) == [("SP303", 4, 5), ("SP303", 5, 5)]


def test_a_quoted_yaml_value_and_a_message_list():
    assert lines_of(prompt_of("Please sort."), 'prompt:\n- role: user\n  content: "Please sort."\n') == [
        ("SP303", 3, 13)
    ]
    assert lines_of(prompt_of("Please sort."), "prompt:\n- {role: user, content: 'Please sort.'}\n") == [
        ("SP303", 2, 26)
    ]


def test_a_message_that_is_not_in_the_file_keeps_its_own_lines():
    assert lines_of(prompt_of("One.\nPlease sort."), "other\nOne. Please sort.\n") == [("SP303", 2, 1)]


def test_repeated_messages_are_found_in_order():
    prompt = prompt_of("Please sort it.", "Please sort it.")
    found = lines_of(prompt, "# user\nPlease sort it.\n# user\nPlease sort it.\n")
    assert [line for rule, line, _ in found if rule == "SP303"] == [2, 4]


def test_explain_takes_id_or_name():
    assert explain("sp303") == explain("politeness")
    assert explain("SP303").startswith("## SP303 politeness\n\nCourtesies.\n\nSeverity: info. Reads: English only.")
    with pytest.raises(UnknownNameError, match="unknown rule 'SP999'"):
        explain("SP999")


def test_rules_have_distinct_ids_and_names_and_say_why():
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.id for rule in RULES] == sorted(rule.id for rule in RULES)
    assert all(rule.why and rule.mend and rule.check.__doc__ for rule in RULES)


def test_the_documentation_lists_the_rules_as_they_are():
    assert (DOCS / "lint-rules.md").read_text("utf-8") == catalogue()


def test_an_edit_cannot_reach_into_a_tag():
    with pytest.raises(ValueError, match="Jinja tag"):
        apply_edits("a {{ b }} c", [TextEdit(start=3, end=4, replacement="x")])
    with pytest.raises(ValueError, match="Jinja tag"):
        apply_edits("a {{ b }} c", [TextEdit(start=4, end=4, replacement="x")])
    with pytest.raises(ValueError, match="Jinja tag"):
        apply_edits("a { b", [TextEdit(start=3, end=3, replacement="{ c }}")])
    assert apply_edits("a {{ b }} c", [TextEdit(start=0, end=2), TextEdit(start=9, end=11)]) == "{{ b }}"

"""The JSON Schema and the page that is written from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sharpen import RunManifest
from sharpen.config.assertions import FAMILY_OF
from sharpen.config.models import Case
from sharpen.config.schema import plan_schema

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "workflow_id": "w",
    "prompt": "p.md",
    "target": {"kind": "scripted"},
    "dataset": "cases.jsonl",
}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    found = plan_schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_documented_example(schema: jsonschema.Draft202012Validator) -> None:
    from test_config_plan import EXAMPLE

    schema.validate(yaml.safe_load(EXAMPLE))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": {"system": "a", "user": "b"}},
        {"prompt": [{"role": "user", "content": "x"}]},
        {"prompt": {"messages": [{"role": "user", "content": "x"}]}},
        {"dataset": {"path": "c.csv", "limit": 5}},
        {"dataset": {"cases": [{}]}},
        {"dataset": [{"vars": {"a": 1}}, {"id": 7, "expected": [1]}]},
        {"target": {"kind": "my.module:Target", "options": {"a": 1}}},
        {"target": {"kind": "local"}},
        {"assertions": [{"type": "length", "min": 1}, {"type": "my:Assertion", "value": [1]}]},
        {"assertions": [{"type": "equals", "value": 1, "transform": ["strip", "lower"]}]},
        {"optimize": {"strategies": "auto", "rewriter": None}},
    ],
)
def test_every_form_that_loads(schema: jsonschema.Draft202012Validator, change: dict[str, Any], tmp_path: Path) -> None:
    plan = SMALL | change
    schema.validate(plan)
    (tmp_path / "p.md").write_text("hi")
    for name in ("cases.jsonl", "c.csv"):
        (tmp_path / name).write_text('{"vars": {}}\n{}\n' if name.endswith("l") else "a\n1\n")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    RunManifest.from_yaml(tmp_path / "plan.yaml")


@pytest.mark.parametrize("name", [form for name in FAMILY_OF for form in (name, f"not-{name}")])
def test_every_assertion_name(schema: jsonschema.Draft202012Validator, name: str) -> None:
    keys: dict[str, Any] = {"value": "x"}
    if name.endswith("-json"):
        keys = {"value": {"type": "object"}}
    elif name.endswith("length"):
        keys = {"max": 3}
    elif name.endswith(("latency", "cost")):
        keys = {"threshold": 1}
    elif name.endswith("rubric"):
        keys = {"value": "x", "judge": {"kind": "local"}}
    schema.validate(SMALL | {"assertions": [{"type": name, **keys}]})
    case = Case.model_validate({"id": "a", "assertions": [{"type": name, **keys}]})
    assert case.assertions[0].type == name


@pytest.mark.parametrize(
    "change",
    [
        {"workflow_id": ""},
        {"workflow_id": 5},
        {"colour": "red"},
        {"prompt": {}},
        {"prompt": {"sytem": "x"}},
        {"prompt": []},
        {"dataset": []},
        {"dataset": {}},
        {"dataset": {"path": "c.csv", "cases": [{}]}},
        {"dataset": [{"vars": {"expected": 1}}]},
        {"dataset": [{"text": "x"}]},
        {"target": {"model": "m"}},
        {"target": {"kind": "openai"}},
        {"target": {"kind": "opnai", "model": "m"}},
        {"assertions": [{"type": "equal", "value": 1}]},
        {"assertions": [{"type": "regex", "value": "a", "threshold": 1}]},
        {"assertions": [{"type": "equals", "value": 1, "transform": "first"}]},
        {"execution": {"concurrency": 0}},
        {"optimize": {"strategies": []}},
        {"rules": {"min_success_rate": 90}},
    ],
)
def test_wrong_ones(schema: jsonschema.Draft202012Validator, change: dict[str, Any]) -> None:
    assert not schema.is_valid(SMALL | change)


def test_the_callers_copy_is_its_own() -> None:
    plan_schema()["properties"].clear()
    assert plan_schema()["properties"]


def test_the_page_is_fresh() -> None:
    script = ROOT / "scripts" / "plan_reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_told(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts" / "plan_reference.py"
    copy.write_text((ROOT / "scripts" / "plan_reference.py").read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run([sys.executable, str(copy), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "plan-reference.md is stale: run scripts/plan_reference.py\n")


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs" / "plan-reference.md").read_text(encoding="utf-8")
    definitions = plan_schema()["$defs"]
    keys = {key for part in definitions.values() for key in part.get("properties", {})}
    told_in_prose = {"messages", "role", "content"}
    assert {key for key in keys - told_in_prose if f"`{key}`" not in page and f"`{key}: " not in page} == set()

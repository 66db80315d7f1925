"""The JSON Schema (draft 2020-12) of what users may write in a plan, for editors.

The models describe plans as they are after loading; here the short forms are added that the loader takes besides, and
each assertion's ``type`` is narrowed to the names that go with its other keys.
"""

from __future__ import annotations

from typing import Any

from sharpen.config.assertions import FAMILY_OF, AssertionConfig, PluginAssertion
from sharpen.config.introspect import parts_in
from sharpen.config.models import Case, RunManifest
from sharpen.config.prompt_files import ROLES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """The schema; a fresh one with each call."""
    schema = RunManifest.model_json_schema(mode="validation")
    definitions, properties = schema["$defs"], schema["properties"]
    _name_assertions(definitions)
    _free_case_ids(definitions["Case"])
    definitions["DatasetConfig"]["oneOf"] = [
        {"required": ["path"], "properties": {"path": {"type": "string"}}},
        {"required": ["cases"], "properties": {"cases": {"type": "array", "minItems": 1}}},
    ]
    for target in ("OpenAITarget", "LocalTarget", "PythonTarget", "DspyTarget", "ScriptedTarget"):
        definitions[target]["required"] = ["kind", *definitions[target].get("required", ())]
    optimize = definitions["OptimizeConfig"]["properties"]
    optimize["strategies"] = _one_or_many(optimize["strategies"])
    properties["prompt"] = _also(properties["prompt"], *_prompt_forms())
    properties["dataset"] = _also(
        properties["dataset"],
        {"type": "string", "description": "A file of cases."},
        {"type": "array", "items": {"$ref": "#/$defs/Case"}, "minItems": 1},
    )
    return {"$schema": _DIALECT, **schema, "title": "Test plan of sharpen"}


def _also(reference: dict[str, Any], *forms: dict[str, Any]) -> dict[str, Any]:
    """What ``reference`` describes, or one of the short forms."""
    return {"description": reference["description"], "anyOf": [*forms, {"$ref": reference["$ref"]}]}


def _one_or_many(many: dict[str, Any]) -> dict[str, Any]:
    """A list, or one entry of it by itself."""
    array = {"type": "array", "items": many["items"]} | ({"minItems": many["minItems"]} if "minItems" in many else {})
    return {"description": many["description"], "default": many["default"], "anyOf": [many["items"], array]}


def _prompt_forms() -> list[dict[str, Any]]:
    by_role = {role: {"type": "string", "description": "A Jinja2 template."} for role in ROLES}
    return [
        {"type": "string", "description": "A Markdown or text file."},
        {"type": "object", "properties": by_role, "additionalProperties": False, "minProperties": 1},
        {"type": "array", "items": {"$ref": "#/$defs/PromptMessage"}, "minItems": 1},
    ]


def _free_case_ids(case: dict[str, Any]) -> None:
    """An id may be left out or be a number; ``expected`` is no variable."""
    case["required"] = [key for key in case.get("required", ()) if key != "id"]
    case["properties"]["id"] = {
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}, {"type": "null"}],
        "description": Case.model_fields["id"].description,
    }
    case["properties"]["vars"]["propertyNames"] = {"not": {"const": "expected"}}


def _name_assertions(definitions: dict[str, Any]) -> None:
    for tag, family in parts_in(AssertionConfig).items():
        properties = definitions[family.__name__]["properties"]
        properties["transform"] = _one_or_many(properties["transform"])
        if family is not PluginAssertion:
            names = [name for name, of in FAMILY_OF.items() if of == tag]
            properties["type"] = {
                "enum": [*names, *(f"not-{name}" for name in names)],
                "description": properties["type"]["description"],
            }

"""Writes docs/plan-reference.md from the plan's models, so that it lists every key. ``--check`` only compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

from sharpen.config.assertions import FAMILY_OF, AssertionConfig, AssertionPart, PluginAssertion, Transform
from sharpen.config.introspect import parts_in
from sharpen.config.models import FORMAT_OF, RunManifest
from sharpen.config.schema import plan_schema
from sharpen.errors import ErrorKind

PAGE = Path(__file__).parents[1] / "docs" / "plan-reference.md"

HEAD = """\
<!-- Written by scripts/plan_reference.py from the models in sharpen.config. Edit those, then run it. -->

# Plan reference

A plan says what is tested (a prompt and the target it is sent to), on which cases, and what a good answer is. It is
one YAML file, or JSON with the same keys. Four keys are required; this is a whole plan:

```yaml
workflow_id: support-triage
prompt: {user: "Which queue? {{ message }}"}
target: {kind: openai, model: gpt-4o-mini}
dataset: cases.jsonl
assertions:
  - {type: equals, value: "{{ expected }}", transform: strip}
```

Every key works or is rejected: unknown keys, wrong types, missing files and rows that do not fit are reported all at
once, each with its file, line and key path, before anything is called. Relative paths start at the plan's directory.
YAML is read by its 1.2 rules: only `true` and `false` are booleans, so `yes`, `no`, `on`, dates and `12:30` are text.

Any key can be set on the command line: `--set execution.concurrency=8 --set assertions.0.transform=lower`. The value is
YAML, list entries are counted from 0. `sharpen schema` prints the same keys as a JSON Schema, for editors.

In the tables, **bold** keys are required.
"""

PROMPT = """\
## `prompt`

One of these:

- a path: a Markdown or text file (below);
- a mapping of roles: `{system: "…", user: "…"}`, in the order they are written;
- a list of messages: `[{role: system, content: "…"}, {role: user, content: "…"}]`.

Contents are Jinja2 templates over the case's variables, rendered in a sandbox. An undefined variable is an error;
`{{ name | default("…") }}` and `{% if name is defined %}` are how a template says that one may be missing. `expected`
is never a variable of a prompt.

**A prompt file** is split into messages by the headings `# system`, `# user` and `# assistant` (alone on their line, in
upper or lower case, outside of fenced code). A file without such a heading is one user message. In a file with
headings, text before the first one is an error. Blank lines around a message are dropped; all other white space is
kept. Optional front matter between two `---` lines knows `role`, whose message a file without headings is (`user`), and
`description`, which becomes the plan's description when the plan has none. `name`, `title`, `version`, `tags`,
`author`, `license`, `model` and `metadata` are for people and may hold anything; sharpen does nothing with them.
"""

DATASET = """\
## `dataset`

A path, a list of cases, or the mapping below. The format follows from the file's ending:

| format | endings | a row is |
|---|---|---|
| `jsonl` | {jsonl} | one case, as a JSON object on a line; streamed |
| `json` | {json} | one case of a list |
| `yaml` | {yaml} | one case of a list |
| `csv` | {csv} | the case's variables by column, with the columns `id` and `expected` apart; streamed |
| `parquet` | {parquet} | as in CSV; needs `pip install 'sharpen[parquet]'`; streamed |

Text files are UTF-8, with or without a byte order mark. CSV has commas between cells, one header row, and the same
number of cells in every row; messages count rows as a spreadsheet does, the header being row 1.
"""

CASE_NOTE = """\
Other keys are rejected, so that a misspelt one does not become a variable. Two cases of the same id are an error. A
number as `id` is taken as text.
"""

LARGE = """\
### Large data sets

Up to 10,000 cases are held in memory. A larger JSONL, CSV or Parquet file never is: every row is checked in one pass
before anything is called, and the run reads the file again, case by case, so that memory does not grow with the file.
Use JSONL where you can choose: a JSON or YAML file is one value that must be in memory as a whole, whatever its size.

- Leave the file alone while a command uses it: a file that has changed since it was checked ends the command with an
  error. Append to a copy.
- `sharpen check` estimates the tokens of a large data set from 1,000 cases drawn at random (the same ones every time),
  `sharpen lint` and a run's report look at these too. Its variables and ids are compared in every row.
- Cases with assertions of their own cost `check` and `run` further passes over the file. Assertions of the plan, with
  what differs in the case's variables, do not.
"""

ASSERTIONS = """\
## `assertions`

A list. The plan's assertions hold for every case, and a case may add its own. A case passes when all its assertions of
weight above 0 pass; its score is their weighted mean. `not-` before a name negates it: `not-contains`. In `value` every
text is a template over the case's variables, `expected`, and `vars` (all variables, by name).
"""

TARGET = """\
## `target`

What is called. The same mapping stands under `optimize.rewriter` and under `judge` of `llm-rubric`. A secret never
stands in a plan: what looks like one is refused.
"""


TOP_MEANING = {key: field.description or "" for key, field in RunManifest.model_fields.items()}

WEIGHTS_NOTE = """
The prompt itself scores 0. Both sides are means over the same dev cases; a figure that is not known, or 0 for the
prompt, counts for nothing. `{quality: 1, tokens: 0.2}` takes half the tokens for ten points of pass rate. The limits of
`rules` come first, and so does `margin`: [which claim is proved](search.md#several-goals).
"""

OPTIMIZE_NOTE = """\
`budget` takes the keys of `execution.budget`, `rewriter` those of `target`. A strategy of your own is named as
`module:Class`.
"""

PASSES_WHEN = {
    "equals": "is `value`",
    "iequals": "is `value`, upper and lower case being the same",
    "contains": "contains `value`",
    "icontains": "contains `value`, in upper or lower case",
    "starts-with": "starts with `value`",
    "ends-with": "ends with `value`",
    "contains-any": "contains at least one entry of `value`",
    "contains-all": "contains every entry of `value`",
    "icontains-any": "contains at least one entry, in upper or lower case",
    "icontains-all": "contains every entry, in upper or lower case",
    "one-of": "is one of the entries of `value`",
    "regex": "matches the pattern `value` (Python syntax) anywhere",
    "is-json": "is JSON as a whole; with `value`, JSON that satisfies this JSON Schema",
    "contains-json": "has JSON in it; with `value`, JSON that satisfies this JSON Schema",
    "is-number": "is a number; with `value`, one within `tolerance` of it",
    "levenshtein": "is at most `threshold` edits away from `value`",
    "length": "is between `min` and `max` long",
    "latency": "came within `threshold` ms (the last attempt alone)",
    "cost": "cost at most `threshold` USD; an unknown cost fails",
    "python": "satisfies your function, or a one-line expression",
    "llm-rubric": "gets at least `threshold` from a judge model that grades it by `value`",
}


def main() -> int:
    """Write the page, or compare it. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the page is stale, write nothing")
    check = parser.parse_args().check
    page = render()
    if not check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        print(f"{PAGE.name} is stale: run scripts/plan_reference.py", file=sys.stderr)
        return 1
    return 0


def render() -> str:
    """The whole page."""
    schema = plan_schema()
    definitions: dict[str, Any] = schema["$defs"]

    def keys(name: str, skip: tuple[str, ...] = ()) -> str:
        return table(definitions[name], skip)

    endings = {
        name: ", ".join(f"`{end}`" for end, of in FORMAT_OF.items() if of == name) for name in set(FORMAT_OF.values())
    }
    parts = [
        HEAD,
        "## Top level",
        table(schema),
        PROMPT,
        TARGET,
        *(section(3, f"`kind: {kind}`", definitions[name]) for kind, name in kinds(definitions)),
        section(4, "`price`", definitions["Price"]),
        section(4, "`rules` and `default` of `scripted`", definitions["ScriptedRule"]),
        "`default` takes the same keys without the four conditions. Error kinds: "
        + ", ".join(f"`{kind}`" for kind in ErrorKind)
        + ".",
        DATASET.format(**endings),
        keys("DatasetConfig"),
        "### A case",
        keys("Case"),
        CASE_NOTE,
        LARGE,
        ASSERTIONS,
        names_table(),
        "### Keys of every assertion",
        table_of(common_keys(definitions), {"type"}),
        "Transforms: " + ", ".join(f"`{name}`" for name in get_args(Transform)) + ".",
        *families(definitions),
        "## `execution`",
        keys("ExecutionConfig"),
        section(3, "`rate_limit`", definitions["RateLimit"]),
        section(3, "`budget`", definitions["Budget"]),
        section(3, "`hedge`", definitions["HedgeConfig"]),
        section(2, "`rules`", definitions["PlanRules"]),
        section(2, "`optimize`", definitions["OptimizeConfig"]),
        OPTIMIZE_NOTE,
        section(3, "`split`", definitions["SplitConfig"]),
        section(3, "`weights`", definitions["Weights"]),
        WEIGHTS_NOTE,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def common_keys(definitions: dict[str, Any]) -> dict[str, Any]:
    """The keys that all assertions share; ``type`` without the names of one family."""
    properties = definitions["LengthAssertion"]["properties"]
    shared = {key: properties[key] for key in AssertionPart.model_fields}
    return {**shared, "type": {"type": "name", "description": shared["type"]["description"]}}


def kinds(definitions: dict[str, Any]) -> list[tuple[str, str]]:
    """What is written under ``kind``, and the definition that goes with it."""
    named = [
        ("OpenAITarget", ""),
        ("LocalTarget", ""),
        ("PythonTarget", ""),
        ("DspyTarget", ""),
        ("ScriptedTarget", ""),
    ]
    found = [(definitions[name]["properties"]["kind"]["const"], name) for name, _ in named]
    return [*found, ("module:Class", "PluginTarget")]


def section(level: int, title: str, definition: dict[str, Any]) -> str:
    """Heading, the model's own words, and its keys."""
    return f"{'#' * level} {title}\n\n{prose(definition.get('description', ''))}\n\n{table(definition, ('kind',))}"


def names_table() -> str:
    """Every assertion name and what it asks of the output."""
    assert set(PASSES_WHEN) == set(FAMILY_OF), set(PASSES_WHEN) ^ set(FAMILY_OF)
    rows = [f"| `{name}` | {meaning} |" for name, meaning in PASSES_WHEN.items()]
    own = "| `module:Class` | satisfies an assertion class of your own |"
    return "\n".join(["| type | passes when the output |", "|---|---|", *rows, own])


def families(definitions: dict[str, Any]) -> list[str]:
    """The keys of each family beyond the common ones."""
    found = []
    for tag, family in parts_in(AssertionConfig).items():
        names = [name for name, of in FAMILY_OF.items() if of == tag]
        title = ", ".join(f"`{name}`" for name in names) if family is not PluginAssertion else "`module:Class`"
        extra = "\n\n".join((family.__doc__ or "").split("\n\n")[1:])
        body = table(definitions[family.__name__], tuple(AssertionPart.model_fields))
        found.append(f"### {title}\n\n{prose(extra)}\n\n{body}".replace("\n\n\n\n", "\n\n"))
    return found


def table(definition: dict[str, Any], skip: tuple[str, ...] = ()) -> str:
    """The keys of an object schema."""
    properties = {key: value for key, value in definition["properties"].items() if key not in skip}
    return table_of(properties, set(definition.get("required", ())))


def table_of(properties: dict[str, Any], required: set[str]) -> str:
    """Key, type, default and meaning."""
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        name = f"**`{key}`**" if key in required else f"`{key}`"
        default = "" if key in required else default_of(value)
        meaning = prose(value.get("description") or TOP_MEANING.get(key, "")).replace("|", "\\|")
        lines.append(f"| {name} | {kind_of(value)} | {default} | {meaning} |")
    return "\n".join(lines)


def default_of(value: dict[str, Any]) -> str:
    """The default as one would write it; nothing for what is off or empty."""
    default = value.get("default")
    if "$ref" in value or default in (None, "", [], {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{', '.join(map(str, default))}`" if isinstance(default, list) else f"`{default}`"


def kind_of(value: dict[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return {"ErrorKind": "error kind"}.get(name, "mapping")
    if "enum" in value:
        return " \\| ".join(f"`{item}`" for item in value["enum"]) if len(value["enum"]) < 6 else "name"
    if "const" in value:
        return f"`{value['const']}`"
    choices = value.get("anyOf") or value.get("oneOf")
    if choices:
        words = dict.fromkeys(kind_of(choice) for choice in choices if choice.get("type") != "null")
        if "number" in words:
            words.pop("whole number", None)
        return " or ".join(words)
    words_of = {"string": "text", "integer": "whole number", "boolean": "boolean", "object": "mapping"}
    kind = value.get("type", "anything")
    if kind == "array":
        return f"list of {plural(kind_of(value['items']))}" if value.get("items") else "list"
    if value.get("format") == "path":
        return "path"
    return words_of.get(kind, kind) + bounds(value)


def plural(words: str) -> str:
    """``text`` → ``texts``."""
    return " or ".join(f"{word}s" for word in words.split(" or "))


def bounds(value: dict[str, Any]) -> str:
    """`` ≥ 1``, ``, 1 to 100``."""
    signs = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    found = [f"{sign} {value[key]:g}" for key, sign in signs if key in value]
    if "minimum" in value and "maximum" in value:
        return f", {value['minimum']:g} to {value['maximum']:g}"
    return f" {', '.join(found)}" if found else ""


def prose(text: str) -> str:
    """A docstring's first words as Markdown: single back-ticks, one line for each paragraph."""
    paragraphs = text.replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


if __name__ == "__main__":
    raise SystemExit(main())

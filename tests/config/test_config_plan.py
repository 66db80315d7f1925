"""Good plans: the documented example, other forms of the same, overrides, snapshots."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sharpen import RunManifest
from sharpen.config.assertions import PluginAssertion, TextAssertion
from sharpen.config.models import DatasetConfig, OptimizeConfig, Thresholds
from sharpen.config.overrides import parse_override
from sharpen.config.targets import LocalTarget, OpenAITarget, PluginTarget
from sharpen.errors import PlanError

EXAMPLE = """\
workflow_id: support-triage            # required
description: Route a support message to a queue
prompt: prompts/triage.md              # a file, or {system: …, user: …}, or a list of {role, content}
target:                                # what is called
  kind: openai                         # openai (any OpenAI-compatible server) | local | python | scripted | …
  model: smollm2-135m-instruct
  base_url: http://127.0.0.1:8091/v1   # kind openai
  api_key_env: OPENAI_API_KEY          # the variable's name, never the key
  params: {temperature: 0, max_tokens: 8}
dataset: cases.jsonl                   # .jsonl .json .csv .yaml .parquet, or {path: …, …}, or an inline list
assertions:                            # hold for every case; a case may add its own
  - type: equals                       # names as promptfoo users know them, with the not- prefix
    value: "{{ expected }}"
    transform: first-line              # optional, a named transform
execution:
  concurrency: 64
  timeout_s: 60                        # one attempt
  max_retries: 3
  repeats: 1
  rate_limit: {requests_per_minute: 600, tokens_per_minute: 100000}
  budget: {max_cost_usd: 1.0, max_tokens: 500000, max_calls: 5000}
  cache: true
rules: {min_success_rate: 0.9}         # any ScoringRules threshold
optimize:
  strategies: [auto]
  rewriter: {kind: openai, model: …}   # a model that proposes rewrites; optional
  budget: {max_calls: 600}
  split: {train: 0.3, dev: 0.3, holdout: 0.4, seed: 0}
  alpha: 0.05                          # accepted probability of keeping a change that is none
"""
CASE = '{"vars": {"message": "Where is my parcel?"}, "expected": "shipping"}\n'


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "triage.md").write_text("# system\nYou route.\n\n# user\n\n{{ message }}\n")
    (tmp_path / "cases.jsonl").write_text(CASE)
    (tmp_path / "plan.yaml").write_text(EXAMPLE, encoding="utf-8")
    return tmp_path / "plan.yaml"


def test_the_documented_example_has_every_value(plan: Path) -> None:
    manifest = RunManifest.from_yaml(plan)
    assert manifest.workflow_id == "support-triage"
    assert manifest.description == "Route a support message to a queue"
    assert [(m.role, m.content) for m in manifest.prompt.messages] == [
        ("system", "You route."),
        ("user", "{{ message }}"),
    ]
    assert isinstance(manifest.target, OpenAITarget)
    assert manifest.target.params == {"temperature": 0, "max_tokens": 8}
    assert manifest.dataset == DatasetConfig(path=plan.parent / "cases.jsonl")
    (assertion,) = manifest.assertions
    assert isinstance(assertion, TextAssertion)
    assert (assertion.value, assertion.transform) == ("{{ expected }}", ("first-line",))
    execution = manifest.execution
    assert (execution.concurrency, execution.timeout_s, execution.cache) == (64, 60.0, True)
    assert (execution.rate_limit.requests_per_minute, execution.rate_limit.tokens_per_minute) == (600, 100_000)
    assert (execution.budget.max_cost_usd, execution.budget.max_calls) == (1.0, 5000)
    assert manifest.rules == Thresholds(min_success_rate=0.9)
    assert manifest.optimize.split.holdout == 0.4
    assert isinstance(manifest.optimize.rewriter, OpenAITarget)
    assert manifest.source == plan
    assert manifest.base_dir == plan.parent
    (case,) = manifest.iter_cases()
    assert (case.id, case.vars, case.expected) == ("case-0001", {"message": "Where is my parcel?"}, "shipping")


def test_the_same_plan_as_json(plan: Path) -> None:
    text = json.dumps(yaml.safe_load(EXAMPLE), indent="\t")
    plan.with_suffix(".json").write_text(text)
    assert RunManifest.from_yaml(plan.with_suffix(".json")).model_dump() == RunManifest.from_yaml(plan).model_dump()


def test_a_snapshot_loads_back_anywhere(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plan.parent)
    manifest = RunManifest.from_yaml("plan.yaml")
    monkeypatch.chdir("/")
    snapshot = json.loads(json.dumps(manifest.model_dump(mode="json")))
    again = RunManifest.model_validate(snapshot)
    assert again.model_dump() == manifest.model_dump()
    assert list(again.iter_cases()) == list(manifest.iter_cases())


def test_built_in_python_from_plain_data() -> None:
    manifest = RunManifest(
        workflow_id="w",
        prompt={"system": "s", "user": "{{ q }}"},
        target={"kind": "scripted"},
        dataset=[{"vars": {"q": 1}}, {"id": "mine", "vars": {"q": 2}}, {"vars": {"q": 3}}],
    )
    assert [case.id for case in manifest.iter_cases()] == ["case-0001", "mine", "case-0003"]
    assert manifest.source is None
    assert manifest.base_dir == Path.cwd()
    again = RunManifest.model_validate(manifest.model_dump(mode="json"))
    assert again == manifest
    assert manifest.with_prompt(manifest.prompt).dataset == manifest.dataset


def test_python_takes_a_prompt_file_too(plan: Path) -> None:
    file = plan.parent / "prompts" / "triage.md"
    manifest = RunManifest(workflow_id="w", prompt=file, target={"kind": "scripted"}, dataset=[{"vars": {}}])
    assert manifest.prompt.variables == {"message"}


def test_the_source_survives_a_new_prompt(plan: Path) -> None:
    manifest = RunManifest.from_yaml(plan)
    assert manifest.with_prompt(manifest.prompt).source == plan


def test_python_hides_inputs_in_validation_errors() -> None:
    with pytest.raises(ValidationError) as caught:
        OpenAITarget(model="m", api_key_env="sk-s3cret")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValidationError, match="cases 1 and 2 share the id 'a'"):
        DatasetConfig(cases=[{"id": "a"}, {"id": "a"}])
    with pytest.raises(ValidationError, match="'format' says how to read a file"):
        DatasetConfig(cases=[{"id": "a"}], format="csv")


def test_own_classes_stand_where_names_do(plan: Path) -> None:
    text = EXAMPLE.replace("kind: openai                         #", "kind: my.module:Target #")
    head, _, tail = text.partition("  model: smollm2")
    _, _, tail = tail.partition("dataset:")
    plan.write_text(head + "dataset:" + tail.replace("type: equals ", "type: not-my:Assertion "), encoding="utf-8")
    manifest = RunManifest.from_yaml(plan)
    assert isinstance(manifest.target, PluginTarget)
    assert isinstance(manifest.assertions[0], PluginAssertion)
    assert (manifest.assertions[0].name, manifest.assertions[0].negated) == ("my:Assertion", True)


def test_anchors_and_merge_keys(plan: Path) -> None:
    plan.write_text(
        "workflow_id: w\nprompt: {user: hi}\ntarget: &model {kind: openai, model: m, api: chat}\n"
        "dataset: [{vars: {}}]\noptimize:\n  rewriter:\n    <<: *model\n    model: n\n"
    )
    manifest = RunManifest.from_yaml(plan)
    assert isinstance(manifest.target, OpenAITarget)
    assert manifest.optimize.rewriter == manifest.target.model_copy(update={"model": "n"})


def test_front_matter_describes_the_plan(plan: Path) -> None:
    (plan.parent / "p.md").write_text("---\ndescription: from the prompt\nrole: system\n---\n\n  keep  \n\n")
    plan.write_text("workflow_id: w\nprompt: p.md\ntarget: {kind: scripted}\ndataset: [{vars: {}}]\n")
    manifest = RunManifest.from_yaml(plan)
    assert manifest.description == "from the prompt"
    assert [(m.role, m.content) for m in manifest.prompt.messages] == [("system", "  keep  ")]


def test_front_matter_for_people_is_left_alone(plan: Path) -> None:
    (plan.parent / "p.md").write_text(
        "---\nname: triage\ntitle: Triage\nversion: 1.2\ntags: [a, b]\nauthor: {mail: x@example.org}\nlicense: MIT\n"
        "model: some-model\nmetadata: null\ndescription: sorts\n---\nhello\n"
    )
    plan.write_text("workflow_id: w\nprompt: p.md\ntarget: {kind: scripted}\ndataset: [{vars: {}}]\n")
    manifest = RunManifest.from_yaml(plan)
    assert manifest.description == "sorts"
    assert [(m.role, m.content) for m in manifest.prompt.messages] == [("user", "hello")]


def test_local_paths_start_at_the_plan(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    plan.write_text(
        "workflow_id: w\nprompt: {user: hi}\ntarget: {kind: local, model: m.gguf}\ndataset: [{vars: {}}]\n"
        "optimize: {rewriter: {kind: local, model: ~/n.gguf}}\n"
    )
    manifest = RunManifest.from_yaml(plan)
    assert isinstance(manifest.target, LocalTarget)
    assert manifest.target.model == plan.parent / "m.gguf"
    assert manifest.optimize.rewriter == LocalTarget(model=Path("/home/someone/n.gguf"))


def test_yes_and_dates_stay_text(plan: Path) -> None:
    plan.write_text(
        "workflow_id: w\nprompt: {user: hi}\ntarget: {kind: scripted}\n"
        "dataset: [{vars: {a: yes, b: 2024-01-02, c: 12:30, d: on, e: 1e3, f: true, g: 010}, expected: no}]\n"
    )
    (case,) = RunManifest.from_yaml(plan).iter_cases()
    assert case.vars == {"a": "yes", "b": "2024-01-02", "c": "12:30", "d": "on", "e": 1000.0, "f": True, "g": 10}
    assert case.expected == "no"


def test_one_strategy_needs_no_list() -> None:
    assert OptimizeConfig(strategies="rewrite").strategies == ("rewrite",)


# --- overrides ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "read", "value"),
    [
        ("execution.concurrency=8", lambda m: m.execution.concurrency, 8),
        ("execution.budget={max_calls: 7}", lambda m: m.execution.budget.max_calls, 7),
        ("target.params.stop=[a, b]", lambda m: m.target.params["stop"], ["a", "b"]),
        ("assertions.0.value=a=b", lambda m: m.assertions[0].value, "a=b"),
        ("assertions.0.transform=[strip, lower]", lambda m: m.assertions[0].transform, ("strip", "lower")),
        ("dataset.limit=1", lambda m: m.dataset.limit, 1),
        ("prompt={user: 'Hi {{ message }}'}", lambda m: m.prompt.messages[0].content, "Hi {{ message }}"),
        ("description=", lambda m: m.description, ""),
        ("optimize.split.seed=-3", lambda m: m.optimize.split.seed, -3),
    ],
)
def test_overrides(plan: Path, option: str, read: object, value: object) -> None:
    if option == "description=":  # an empty value is YAML's null, and no description is a text
        option = 'description=""'
    manifest = RunManifest.from_yaml(plan, (option,))
    assert callable(read)
    assert read(manifest) == value


def test_overrides_reach_inline_cases(plan: Path) -> None:
    plan.write_text(
        "workflow_id: w\nprompt: {user: hi}\ntarget: {kind: scripted}\ndataset: [{vars: {a: 1}}, {vars: {}}]\n"
    )
    options = ("dataset.0.vars.a=2", "dataset.limit=1")
    (case,) = RunManifest.from_yaml(plan, options).iter_cases()
    assert case.vars == {"a": 2}


def test_overrides_leave_shared_anchors_alone(plan: Path) -> None:
    plan.write_text(
        "workflow_id: w\nprompt: {user: hi}\ntarget: &t {kind: openai, model: a}\ndataset: [{vars: {}}]\n"
        "optimize: {rewriter: *t}\n"
    )
    manifest = RunManifest.from_yaml(plan, ("target.model=b",))
    assert isinstance(manifest.target, OpenAITarget)
    assert isinstance(manifest.optimize.rewriter, OpenAITarget)
    assert (manifest.target.model, manifest.optimize.rewriter.model) == ("b", "a")


_keys = st.lists(st.text("abcdefghij_-09", min_size=1, max_size=6), min_size=1, max_size=4)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100)
@given(_keys, _values)
def test_overrides_are_parsed_back(keys: list[str], value: object) -> None:
    override = parse_override(f"{'.'.join(keys)}={json.dumps(value, ensure_ascii=False)}")
    assert override.path == tuple(keys)
    assert override.value == value


def test_the_plan_is_the_only_thing_read(plan: Path) -> None:
    """Nothing is created beside a plan, and the data set is opened for reading alone."""
    before = sorted(plan.parent.rglob("*"))
    RunManifest.from_yaml(plan)
    assert sorted(plan.parent.rglob("*")) == before


def test_candidates_are_written_like_the_prompt(plan: Path) -> None:
    (plan.parent / "other.md").write_text("# system\nOther.\n\n# user\n{{ message }}\n")
    plan.write_text(
        "workflow_id: w\nprompt: prompts/triage.md\ntarget: {kind: scripted}\ndataset: [{vars: {message: hi}}]\n"
        'optimize: {candidates: [other.md, {user: "Route {{ message }}"}]}\n'
    )
    first, second = RunManifest.from_yaml(plan).optimize.candidates
    assert [(m.role, m.content) for m in first.messages] == [("system", "Other."), ("user", "{{ message }}")]
    assert second.variables == {"message"}


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("missing.md", "missing.md"),
        ('"Say {{ x }}"', "a text stands where a file is named"),
        ('{user: "{{ x"}', "optimize.candidates"),
        ("{users: hi}", "unknown key 'users'"),
    ],
)
def test_mistakes_of_candidates_are_told_with_their_place(plan: Path, candidate: str, message: str) -> None:
    plan.write_text(
        f"workflow_id: w\nprompt: {{user: hi}}\ntarget: {{kind: scripted}}\ndataset: [{{vars: {{}}}}]\n"
        f"optimize:\n  candidates: [{candidate}]\n"
    )
    with pytest.raises(PlanError, match=re.escape(message)):
        RunManifest.from_yaml(plan)

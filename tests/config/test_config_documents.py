"""YAML and JSON as data with lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config import documents
from sharpen.config.documents import parse
from sharpen.errors import PlanError

YAML, JSON = Path("a.yaml"), Path("a.json")

# PyYAML writes YAML 1.1, in which 0E0, +.5 and 0o7 are texts and stand unquoted; in YAML 1.2 they are numbers
_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0[ox]\w+|[-+]?\.\w+")
_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(
    lambda text: not _NUMBER.fullmatch(text)
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100)
@given(_json)
def test_reads_what_others_write(value: object) -> None:
    text = json.dumps(value, indent=1)
    assert parse(text, JSON).data == value
    assert parse(json.dumps(value, ensure_ascii=False), YAML).data == value, "JSON is YAML too"
    assert parse(yaml.safe_dump(value, allow_unicode=True), YAML).data == value


@pytest.mark.parametrize(("name", "text"), [
    (YAML, "a: 1\nb:\n  - x\n  - c: 2\n    d: |\n      text\n"),
    (JSON, '{"a": 1,\n"b":[\n\t"x",\n{"c": 2,\n"d": "text\\n"}]}'),
])  # fmt: skip
def test_lines(name: Path, text: str) -> None:
    document = parse(text, name)
    assert document.data == {"a": 1, "b": ["x", {"c": 2, "d": "text\n"}]}
    lines = [document.mark(path).line for path in ((), ("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d"))]
    assert lines == [1, 1, 2, 3, 4, 5]
    assert document.where(("b", 1, "nowhere", "at all")) == f"{name}:4"


def test_a_block_text_begins_below_its_key() -> None:
    assert parse("a: |\n  text\n", YAML).mark(("a",)).text_line == 2
    assert parse("a: text\n", YAML).mark(("a",)).text_line == 1


def test_json_with_escaped_emoji_keeps_its_lines() -> None:
    assert parse('{"a": "\\ud83d\\ude00",\n"b": 1}', JSON).mark(("b",)).line == 2


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 2}}', '[{"b": 1,\t"b": 2}]'])
def test_json_duplicates(text: str) -> None:
    (problem,) = parse(text, JSON).problems
    assert "stands twice" in problem.message
    assert problem.where == "a.json:1"


def test_json_that_yaml_cannot_place() -> None:
    """A form that is no YAML: the mistake is still told, without its line."""
    document = parse('{"a"\n: 1, "a"\n: 2}', JSON)
    assert [problem.where for problem in document.problems] == ["a.json"]
    assert document.where(("a",)) == "a.json:1"


@pytest.mark.parametrize("text", ["", " \n", "# only a comment\n"])
def test_empty(text: str) -> None:
    assert parse(text, YAML).data is None


def test_empty_json() -> None:
    assert parse(" ", JSON).data is None


@pytest.mark.parametrize(("text", "message"), [
    ("[" * 200, "nested more than 100 deep"),
    ("a: &a [*a]", "alias '*a' names no anchor above it"),
    ("<<: 5", "'<<' merges a mapping"),
    ("<<: [{a: 1}, 5]", "'<<' merges a mapping"),
    ("a: \x01", "is not allowed"),
    ("a: b: c", "not valid YAML"),
])  # fmt: skip
def test_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=r"^a\.yaml:1: ") as caught:
        parse(text, YAML)
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [
    ("[" * 100_000, "nested too deeply"),
    ('["\\ud800"]', "half of a surrogate pair"),
    ("[Infinity]", "Infinity is no JSON value"),
    ("9" * 5000, "Exceeds the limit"),
])  # fmt: skip
def test_json_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse(text, JSON)


def test_a_surrogate_pair_is_a_character() -> None:
    assert parse('["\\ud83d\\ude00"]', JSON).data == ["😀"]


def test_aliases_do_not_multiply_for_ever() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(PlanError, match="aliases multiply"):
        parse(bomb, YAML)


def test_merge_lists_and_own_keys_win() -> None:
    document = parse("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\n", YAML)
    assert document.data["z"] == {"a": 0, "b": 1, "c": 2}
    assert document.mark(("z", "c")).line == 2


@pytest.mark.parametrize("text", ["a: !python/name:os.system x", "a: !!binary eA==", "a: !mine [1]", "a: !!set {b}"])
def test_tags_construct_nothing(text: str) -> None:
    document = parse(text, YAML)
    assert ["is not supported" in problem.message for problem in document.problems] == [True]


def test_core_tags_and_numbers() -> None:
    text = "[!!str 1, !!int 7, !!float 1.5, ! x, 0x1F, 0o17, -5, +.5, 1_000, 0b1, -, -x, .x, 1.2.3]"
    expected = ["1", 7, 1.5, "x", 31, 15, -5, 0.5, "1_000", "0b1", "-", "-x", ".x", "1.2.3"]
    assert parse(text, YAML).data == expected


@pytest.mark.parametrize("number", [".inf", "-.INF", ".NaN", "1e999", "9" * 5000])
def test_numbers_that_are_none(number: str) -> None:
    document = parse(f"a: {number}", YAML)
    assert "is no finite number" in document.problems[0].message


def test_works_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_LOADER", yaml.SafeLoader)
    assert parse("a: [1, {b: yes}]\n", YAML).data == {"a": [1, {"b": "yes"}]}
    for text in ("a: b: c", "a: \x01"):
        with pytest.raises(PlanError, match=r"^a\.yaml:1: not valid YAML"):
            parse(text, YAML)

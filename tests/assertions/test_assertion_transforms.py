import json
import time
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.assertions import json_text, transforms
from sharpen.config.assertions import Transform

NAMES = get_args(Transform)
texts = st.text(max_size=200) | st.text(alphabet='ab *_`#>[](){}",.:-+0159eE\n\t−“”', max_size=60)


def test_every_transform_a_plan_may_name_exists():
    assert set(transforms._FUNCTIONS) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("strip", "  a b \n", "a b"),
        ("lower", "ÄB", "äb"),
        ("upper", "äb", "ÄB"),
        ("first-line", "\n\n  Billing \nbecause", "Billing"),
        ("first-line", " \n ", ""),
        ("last-line", "so\nBilling\n\n", "Billing"),
        ("first-word", "  billing, I think", "billing,"),
        ("first-word", "", ""),
        ("last-word", "it is billing ", "billing"),
        ("strip-punctuation", " **billing**. ", "billing"),
        ("strip-punctuation", "«déjà-vu!»", "déjà-vu"),
        ("strip-punctuation", "...", ""),
        ("strip-quotes", ' "billing" ', "billing"),
        ("strip-quotes", "“'billing'”", "billing"),
        ("strip-quotes", "»so« und »so«", "so« und »so"),
        ("strip-quotes", "it's", "it's"),
        ("strip-quotes", '"', '"'),
        ("strip-markdown", "**Billing**", "Billing"),
        ("strip-markdown", "```json\n{\"a\": 1}\n```", '{"a": 1}'),
        ("strip-markdown", "# Title\n> - *one*\n* `two`", "Title\none\ntwo"),
        ("strip-markdown", "see [the docs](http://x.y) and snake_case_name", "see the docs and snake_case_name"),
        ("strip-markdown", "2 * 3 * 4", "2 * 3 * 4"),
        ("strip-markdown", "~~no~~ __yes__", "no yes"),
        ("collapse-whitespace", " a \n\t b ", "a b"),
        ("extract-json", 'Sure: {"a": [1, 2]} done {"b": 1}', '{"a": [1, 2]}'),
        ("extract-json", '{oops} [1, {"a": 2}]', '[1, {"a": 2}]'),
        ("extract-json", "none", ""),
        ("extract-number", "The total is $1,234.50, not 7.", "1234.50"),
        ("extract-number", "−5 degrees", "-5"),
        ("extract-number", "v2 has 3 parts", "3"),
        ("extract-number", "GPT-4", "4"),
        ("extract-number", "10-20", "10"),
        ("extract-number", "1,2345", "1"),
        ("extract-number", "about .5e3", ".5e3"),
        ("extract-number", "1.2.3", "1.2"),
        ("extract-number", "none", ""),
    ],
)  # fmt: skip
def test_transform(name, text, wanted):
    assert transforms.apply((name,), text) == wanted


def test_transforms_are_applied_in_order():
    text = "**Billing**.\nIt is about money."
    assert transforms.apply(("first-line", "strip-punctuation", "lower"), text) == "billing"
    assert transforms.apply(("lower", "last-word"), text) == "money."
    assert transforms.apply((), text) == text


@given(st.sampled_from(NAMES), texts)
@settings(max_examples=100)
def test_a_transform_takes_any_text(name, text):
    assert isinstance(transforms.apply((name,), text), str)


@given(st.sampled_from([name for name in NAMES if name not in ("strip-markdown", "upper", "lower")]), texts)
@settings(max_examples=100)
def test_doing_it_twice_changes_nothing(name, text):
    once = transforms.apply((name,), text)
    assert transforms.apply((name,), once) == once


@given(st.sampled_from([name for name in NAMES if name not in ("upper", "lower")]), texts)
@settings(max_examples=100)
def test_a_transform_never_adds(name, text):
    assert len(transforms.apply((name,), text)) <= len(text)


@given(texts, st.floats(allow_nan=False, allow_infinity=False), texts)
@settings(max_examples=50)
def test_what_extract_number_finds_is_a_number(before, number, after):
    found = transforms.extract_number(f"{before} {number} {after}")
    float(found)


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)), st.sampled_from(["", "Sure! ", "ok: "])
)
@settings(max_examples=50)
def test_extract_json_finds_what_was_put_in(value, prose):
    found = transforms.extract_json(prose + json.dumps(value) + "\nHope this helps {you}")
    assert json_text.parse(found) == value


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 20_000, '["' * 30_000, "**a " * 30_000, "`" * 50_000])
@pytest.mark.parametrize("name", ["extract-json", "strip-markdown", "extract-number"])
def test_hostile_text_ends_soon(name, text):
    start = time.process_time()
    transforms.apply((name,), text)
    assert time.process_time() - start < 2

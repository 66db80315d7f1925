"""One failing answer has one shape, and it is the one that a person would name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import ErrorKind
from sharpen.optimizer.patterns.language import sure_language
from sharpen.optimizer.patterns.lists import kinds, refusal
from sharpen.optimizer.patterns.output_shapes import shape_of
from sharpen.optimizer.patterns.shape import Shape
from sharpen.optimizer.patterns.task import Task, task_of
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.strategies.registry import STRATEGIES

REVIEW = "The suitcase lost a wheel on its very first trip."
GERMAN = "Der Koffer hat auf der ersten Reise ein Rad verloren und das ist nicht gut für die Kunden, die ihn kaufen."
LABEL_CASES = [LabelledCase(f"c{n}", {"text": REVIEW}, ("billing", "shipping", "refund")[n % 3]) for n in range(12)]
LABELS = task_of(LABEL_CASES, {})


def shape(output: str | None, expected: Any = "billing", task: Task = LABELS, text: str = REVIEW, **more: Any) -> Shape:
    more.setdefault("failed_assertions", ("equals",))
    outcome = CaseOutcome("c", 0.0, 0.0, output=output, **more)
    return shape_of(LabelledCase("c", {"text": text}, expected), outcome, task)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("Billing.", "label_form"),
        ('"BILLING"', "label_form"),
        ("**billing**", "label_form"),
        ("billing\nbilling\nbilling", "label_continued"),
        ("billing\n\nExplanation: the invoice is named.", "label_continued"),
        ("billing, because an invoice is named", "label_continued"),
        ("The message belongs to billing.", "label_in_prose"),
        ("billing or shipping", "several_labels"),
        ("It could be shipping, or refund.", "several_labels"),
        ("invoice", "invented_label"),
        ("The customer seems to be quite unhappy about the trip.", "no_label"),
        ("   \n", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("As an AI language model, I have no opinion on billing.", "refusal"),
        ("I cannot classify this message.", "refusal"),
        ("Es tut mir leid, aber das kann ich nicht beantworten.", "refusal"),
        (REVIEW, "echo"),
        (f"Message: {REVIEW} {REVIEW}", "echo"),
        ("Das ist eine gute Frage, die ich nicht so einfach für dich und die anderen klären kann.", "language"),
        ("Это сообщение о сломанном чемодане", "language"),
    ],
)
def test_shapes_of_answers_that_should_be_a_label(output: str, kind: str) -> None:
    text = "The suitcase lost a wheel and it is not the first time that this has happened to me with you."
    found = shape(output, text=REVIEW if "suitcase" in output else text)
    assert found.kind == kind


def test_another_label_names_both() -> None:
    assert shape("shipping") == Shape("wrong_label", "shipping", "billing")
    assert shape("Shipping\n\nbilling is something else") == Shape("wrong_label", "shipping", "billing")
    assert shape("I think that this is about Refund!") == Shape("wrong_label", "refund", "billing")
    assert shape("shipping").id == "wrong_label:billing>shipping"


def test_a_label_that_stands_in_the_echoed_input_is_no_answer() -> None:
    text = "My billing address was used for shipping, by mistake."
    assert shape(text, text=text).kind == "echo"
    assert shape(f"{text}\nQueue: shipping", text=text).kind == "wrong_label"


def test_cut_at_the_token_limit_only_where_nothing_more_is_known() -> None:
    assert shape("Let me think about this step by", finish_reason="length").kind == "cut"
    assert shape("The queue is billing and", finish_reason="length").kind == "label_in_prose"


def test_errors_before_answers() -> None:
    assert shape(None, error_kind=ErrorKind.TIMEOUT).kind == "timeout"
    assert shape("billing", error_kind=ErrorKind.ASSERTION_CRASH).kind == "assertion_crash"
    assert shape(None).kind == "no_answer"
    assert shape("billing", failed_assertions=("latency", "cost")).kind == "too_slow"
    assert shape("billing", failed_assertions=("contains",)) == Shape("assertion", "contains")
    assert shape("billing", failed_assertions=()).kind == "other"


JSON = Task("json")
WANTED = {"name": "Ann", "age": 7}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('```json\n{"name": "Ann", "age": 7}\n```', Shape("json_fenced")),
        ('Here it is: {"name": "Ann", "age": 7}. Anything else?', Shape("json_in_prose")),
        ('[see below]\n{"name": "Ann", "age": 7}', Shape("json_in_prose")),
        ('{"name": "Ann"}\n{"age": 7}', Shape("json_several")),
        ("The name is Ann and she is 7.", Shape("no_json")),
        ('{"name": "Ann", "age": 7', Shape("json_unclosed")),
        ('{"name": "An', Shape("json_unclosed")),
        ('{"name": {"first": "Ann"}, "age": ', Shape("json_unclosed")),
        ("{'name': 'Ann'}", Shape("json_broken", 'other quotation marks than "')),
        ('{"name": "Ann", "age": 7,}', Shape("json_broken", "a comma before the closing bracket")),
        ('["Ann", 7 ,\n]', Shape("json_broken", "a comma before the closing bracket")),
        ('{"a": True}', Shape("json_broken", "Python's True, False or None")),
        ('{"name": "Ann" "age": 7}', Shape("json_broken", "a comma missing, or a quotation mark inside a text")),
        ('{name: "Ann"}', Shape("json_broken", "a key without quotation marks")),
        ('{"name": "A\nnn"}', Shape("json_broken", "a line break inside a text")),
        ('{"name": "Ann", // her name\n "age": 7}', Shape("json_broken", "a comment")),
        ('{"name" "Ann"}', Shape("json_broken", "a colon missing")),
        ('{"name": "\\q"}', Shape("json_broken", "a backslash that escapes nothing")),
        ('{"name": NaN}', Shape("json_broken", "NaN or Infinity")),
        ('{"age": 07}', Shape("json_broken", "a comma missing, or a quotation mark inside a text")),
        ("[" * 100_000, Shape("json_broken", "nested too deeply")),
        ('{"name": "Ann"}', Shape("json_missing_key", "age")),
        ('{"name": "Ann", "age": 7, "city": "Rom"}', Shape("json_extra_key", "city")),
        ('{"name": "Ann", "age": "7"}', Shape("json_type", "$.age")),
        ('{"name": "Bob", "age": 7.0}', Shape("json_value", "name")),
        ('["Ann", 7]', Shape("json_type", "$")),
        ('{"name": "Ann", "age": 7}', Shape("assertion", "is-json")),
    ],
)
def test_shapes_of_answers_that_should_be_json(output: str, expected: Shape) -> None:
    found = shape(output, WANTED, JSON, failed_assertions=("is-json",))
    assert found.kind == expected.kind
    if output[:20] != "[" * 20:
        assert found == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("at $: 'age' is a required property", Shape("json_missing_key", "age")),
        ("at $: Additional properties are not allowed ('x' was unexpected)", Shape("json_extra_key", "x")),
        ("at $.items[3].price: '9' is not of type 'number'", Shape("json_type", "$.items[].price")),
        ("at $.kind: 'b' is not one of ['a']", Shape("json_choice", "$.kind")),
        ("at $.name: '' should be non-empty", Shape("json_schema", "$.name")),
    ],
)
def test_what_the_schema_said(reason: str, expected: Shape) -> None:
    found = shape("{}", None, JSON, failed_assertions=("is-json",), reasons=(f"the JSON breaks its schema {reason}",))
    assert found == expected


def test_json_cut_at_the_token_limit() -> None:
    assert shape('{"name": "An', WANTED, JSON, finish_reason="length").kind == "json_cut"
    assert shape("Let me see.", WANTED, JSON, finish_reason="length").kind == "cut"


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("The total is 42 euros.", "number_in_prose"),
        ("First 40, then 2 more: 42", "number_in_prose"),
        ("41", "wrong_number"),
        ("It is 41.", "wrong_number"),
        ("I would say a lot", "no_number"),
        ("42", "assertion"),
    ],
)
def test_shapes_of_answers_that_should_be_a_number(output: str, kind: str) -> None:
    assert shape(output, 42, Task("number")).kind == kind


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("rome", "text_form"),
        ('"Rome"', "text_form"),
        ("Rome. It has been the capital since 1871.", "text_continued"),
        ("The capital is Rome, of course.", "text_in_prose"),
        ("Romed", "assertion"),
        ("Milan", "assertion"),
        ("Rome", "assertion"),
    ],
)
def test_shapes_of_other_answers(output: str, kind: str) -> None:
    assert shape(output, "Rome", Task("text")).kind == kind


def test_a_translation_that_was_not_made() -> None:
    text = "The suitcase has lost a wheel on the first trip and that is not good for the people who buy it."
    assert shape(text + " It is.", GERMAN, Task("text"), text="short") == Shape("language", "English")
    assert shape(text, GERMAN, Task("text"), text=text).kind == "echo"


@pytest.mark.parametrize(
    "text", ["negative", "OK", "No!", "la casa", "12345 !?", "Hotel Bar Restaurant", "das Problem"]
)
def test_no_language_is_claimed_of_a_few_words(text: str) -> None:
    assert sure_language(text) is None


def test_languages_that_are_sure() -> None:
    assert sure_language(GERMAN) == "German"
    assert sure_language("Это сообщение о сломанном чемодане") == "Cyrillic"
    assert sure_language("这个箱子坏了") == "Chinese or Japanese"
    assert sure_language("Она сказала that this is the суть of it all, and we agree with her on this point") is None


def test_ordinary_answers_are_no_refusals() -> None:
    for text in (
        "Sorry for the delay, your parcel left today.",
        "I can help you with that.",
        "negative",
        "Unfortunately broken.",
    ):
        assert not refusal().match(text)


def test_an_expected_refusal_is_none() -> None:
    assert shape("I can't help with this.", "I can't help with that.", Task("text")).kind != "refusal"


def test_every_kind_names_strategies_that_exist() -> None:
    assert {name for text in kinds().values() for name in text.strategies} <= STRATEGIES.keys()
    assert all(kind.value in kinds() for kind in ErrorKind if kind.value not in ("assertion", "cancelled", "budget"))


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=80) | st.sampled_from(["{", "[1,", '{"a":', "```json\n", "billing"]),
    st.sampled_from([LABELS, JSON, Task("number"), Task("text")]),
    st.none() | st.text(max_size=10) | st.integers() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([None, "stop", "length"]),
)
def test_every_answer_has_a_shape_that_can_be_told(output: str, task: Task, expected: Any, finish: str | None) -> None:
    found = shape(output, expected, task, finish_reason=finish)
    assert found.kind in kinds()
    assert found == shape(output, expected, task, finish_reason=finish)

"""What is read off the assertions, and the sentence it becomes."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from sharpen.config.assertions import AssertionConfig
from sharpen.config.models import Case
from sharpen.optimizer.analysis.contract_derivation import closed_set, derive_contract
from sharpen.optimizer.ports import LabelledCase

LABELS = ("shipping", "billing", "technical")


def assertions(*entries):
    return TypeAdapter(tuple[AssertionConfig, ...]).validate_python(entries)


def cases(expected, **vars):
    return [Case(id=f"c{n}", vars=vars, expected=value) for n, value in enumerate(expected)]


def sentence(entries, expected=(), **vars):
    contract = derive_contract(assertions(*entries), cases(expected, **vars))
    return contract and contract.sentence()


EXPECTED = {"type": "equals", "value": "{{ expected }}"}
THREE = LABELS * 3
SCHEMA = {
    "properties": {
        "queue": {"enum": ["a", "b"]},
        "n": {"type": "integer"},
        "x": {"type": ["string", "null"]},
        "y": True,
    }
}


@pytest.mark.parametrize(
    ("entries", "expected", "said"),
    [
        ([EXPECTED], THREE, "Answer with exactly one of: billing, shipping, technical. No other words."),
        (
            [{**EXPECTED, "type": "iequals"}],
            THREE,
            "Answer with exactly one of: billing, shipping, technical. No other words.",
        ),
        ([{**EXPECTED, "transform": "first-word"}], THREE, "Answer with exactly one of: billing, shipping, technical."),
        ([{**EXPECTED, "type": "icontains"}], THREE, "Answer with exactly one of: billing, shipping, technical."),
        ([{"type": "one-of", "value": "no, yes"}], (), "Answer with exactly one of: no, yes. No other words."),
        ([{"type": "one-of", "value": ["a, b", "c"]}], (), 'Answer with exactly one of: "a, b", "c". No other words.'),
        (
            [{"type": "one-of", "value": ["{{ word }}", "none"]}],
            (1, 2),
            "Answer with exactly one of: w, none. No other words.",
        ),
        ([{"type": "regex", "value": "^(spam|ham)$"}], (), "Answer with exactly one of: spam, ham. No other words."),
        ([{"type": "regex", "value": "(?i)spam|ham"}], (), "Answer with exactly one of: spam, ham."),
        ([{"type": "is-json"}], (), "Answer with valid JSON only."),
        ([{"type": "contains-json"}], (), "Answer with valid JSON."),
        (
            [{"type": "is-json", "value": SCHEMA}],
            (),
            'Answer with one JSON object only, with the keys "queue" (one of: a, b), "n" (integer), '
            '"x" (string or null), "y".',
        ),
        (
            [{"type": "contains-json", "value": {"required": ["id"]}}],
            (),
            'Answer with a JSON object, with the key "id".',
        ),
        ([{"type": "is-number"}], (), "Answer with a number only."),
        ([{"type": "is-number", "transform": "extract-number"}], (), "Answer with a number."),
        ([EXPECTED], range(9), "Answer with a number only."),
        ([EXPECTED], ("2024-01-02", "2023-04-05"), "Answer with a date in the form YYYY-MM-DD and nothing else."),
        ([EXPECTED], ("apple", "pear", "fig"), "Answer with one word only."),
        ([EXPECTED], ("Anna Lee", "Bob Ray"), "Copy the answer exactly as it stands in the text. No other words."),
        ([EXPECTED], ("Carl Doe", "Dora Poe"), "Give only the answer itself, with no other words."),
        ([{"type": "length", "max": 1, "unit": "words"}], (), "Use at most 1 word."),
        ([{"type": "length", "min": 2, "unit": "lines"}], (), "Use at least 2 lines."),
        ([{"type": "length", "min": 2, "max": 2}], (), "Use exactly 2 characters."),
        ([{"type": "length", "min": 2, "max": 9}], (), "Use 2 to 9 characters."),
        ([{"type": "starts-with", "value": "Dear"}], (), 'Begin the answer with "Dear".'),
        ([{"type": "ends-with", "value": "."}], (), 'End the answer with ".".'),
        ([{"type": "contains", "value": "SKU"}], (), 'Mention "SKU".'),
        ([{"type": "contains-all", "value": ["a", "b"]}], (), "Mention all of: a, b."),
        ([{"type": "icontains-any", "value": "a,b"}], (), "Mention at least one of: a, b."),
        ([{"type": "not-contains", "value": "sorry"}], (), 'Do not write "sorry".'),
        (
            [EXPECTED, {"type": "length", "max": 9}],
            THREE,
            "Answer with exactly one of: billing, shipping, technical. No other words. Use at most 9 characters.",
        ),
    ],
)
def test_sentence(entries, expected, said):
    assert sentence(entries, expected, word="w", text="from Anna Lee to Bob Ray") == said


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], THREE),
        ([{**EXPECTED, "weight": 0}], THREE),
        ([{**EXPECTED, "type": "not-equals"}], THREE),
        ([EXPECTED], ()),
        ([EXPECTED], (None, None)),
        ([{"type": "equals", "value": "{{ missing }}"}], THREE),
        ([{**EXPECTED, "type": "icontains"}], ("one", "two", "three")),
        ([{"type": "regex", "value": r"^[A-Z]{3}-\d+$"}], ()),
        ([{"type": "one-of", "value": "{{ expected }}"}], THREE),
        ([{"type": "latency", "threshold": 5}], THREE),
        ([{"type": "not-contains", "value": "{{ word }}"}], THREE),
        ([{"type": "not-is-json"}], THREE),
    ],
)
def test_no_contract(entries, expected):
    assert sentence(entries, expected, word="w") is None


def test_the_answer_is_called_what_the_data_calls_it():
    data = [Case(id=str(n), vars={"queue": LABELS[n % 3]}) for n in range(9)]
    contract = derive_contract(assertions({"type": "equals", "value": "{{ queue | lower }}"}), data)
    assert contract is not None
    assert (contract.name, contract.labels) == ("queue", ("billing", "shipping", "technical"))


def test_both_models_of_a_case_give_the_same_contract():
    both = [
        derive_contract(assertions(EXPECTED), [Case(id=str(n), expected=LABELS[n % 3]) for n in range(9)]),
        derive_contract(assertions(EXPECTED), [LabelledCase(str(n), {}, LABELS[n % 3]) for n in range(9)]),
    ]
    assert both[0] == both[1] is not None


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        (["a", "b"] * 4, ("a", "b")),
        (["a"] * 8, ()),
        (["a", "b", "c", "d"], ()),
        (["a"] * 7 + ["b"], ("a", "b")),
        (["word " * 6, "b"] * 4, ()),
        (["two\nlines", "b"] * 4, ()),
        ([f"{n}" for n in range(21)] * 9, ()),
    ],
)
def test_a_closed_set_is_small_short_and_seen_again(answers, labels):
    assert closed_set(answers) == labels


@pytest.mark.parametrize(
    ("entry", "answer", "accepted"),
    [
        ({"type": "one-of", "value": "a,b"}, ' "A". ', True),
        ({"type": "one-of", "value": "a,b"}, "c", False),
        ({"type": "is-json"}, "[1]", True),
        ({"type": "is-json", "value": {"properties": {"a": {}}}}, "[1]", False),
        ({"type": "is-json"}, "{a}", False),
        ({"type": "is-number"}, "1,000.5", True),
        ({"type": "is-number"}, "one", False),
        ({"type": "length", "max": 3}, "anything", True),
    ],
)
def test_accepts(entry, answer, accepted):
    contract = derive_contract(assertions(entry))
    assert contract is not None
    assert contract.accepts(answer) is accepted


@pytest.mark.parametrize(
    ("value", "expected", "said"),
    [
        (
            {"queue": "{{ expected }}", "n": 1},
            THREE,
            'with the keys "queue" (one of: billing, shipping, technical), "n" (integer).',
        ),
        (
            "{{ expected }}",
            [{"a": "x y z", "b": True}, {"a": "u", "b": None, "c": 1}],
            'with the keys "a" (string), "b" (boolean or null).',
        ),
        ("{{ expected }}", [["a"], ["b", "c"]], "valid JSON only."),
        ("{{ expected }}", [{1: "a", "b": "c"}], 'with the key "b" (string).'),
    ],
)
def test_outputs_that_must_be_equal_to_json_have_its_keys(value, expected, said):
    contract = derive_contract(assertions({"type": "equals", "value": value}), cases(expected))
    assert (contract.kind, contract.exact) == ("json", True)
    assert contract.sentence().endswith(said)

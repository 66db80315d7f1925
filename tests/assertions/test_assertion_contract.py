"""Every built-in keeps the contract that third parties are held to."""

import json
from typing import ClassVar

import pytest

from sharpen.assertions.base import Assertion, Verdict
from sharpen.assertions.registry import ASSERTIONS
from sharpen.targets.base import TargetResponse
from sharpen.testing.assertion_suite import AssertionContract, Sample

SCHEMA = {"type": "object", "required": ["queue"]}

TABLE = {
    "equals": ({"value": "{{ expected }}"}, [Sample("a", "a"), Sample("5", 5)], [Sample("a", "b")]),
    "iequals": ({"value": "A"}, [Sample("a")], [Sample("b")]),
    "contains": ({"value": "{{ vars.q }}"}, [Sample("abc", variables={"q": "b"})], [Sample("a", variables={"q": "b"})]),
    "icontains": ({"value": "B"}, [Sample("abc")], [Sample("a")]),
    "starts-with": ({"value": "a"}, [Sample("ab")], [Sample("ba")]),
    "ends-with": ({"value": "a"}, [Sample("ba")], [Sample("ab")]),
    "contains-any": ({"value": ["a", "b"]}, [Sample("xb")], [Sample("x")]),
    "contains-all": ({"value": "{{ expected }}"}, [Sample("ab", ["a", "b"])], [Sample("a", ["a", "b"])]),
    "icontains-any": ({"value": "A, B"}, [Sample("b")], [Sample("x")]),
    "icontains-all": ({"value": ["A", "{{ expected }}"]}, [Sample("ab", "B")], [Sample("a", "B")]),
    "one-of": ({"value": ["a", "b"]}, [Sample("a")], [Sample("ab")]),
    "regex": ({"value": "^a+$"}, [Sample("aaa")], [Sample("b")]),
    "is-json": ({"value": SCHEMA}, [Sample('{"queue": 1}')], [Sample("{}"), Sample("queue")]),
    "contains-json": ({"value": SCHEMA}, [Sample('so {"queue": 1}.')], [Sample("{}"), Sample("queue")]),
    "is-number": ({"value": "{{ expected }}", "tolerance": 1}, [Sample("5", 4)], [Sample("6", 4), Sample("x", 4)]),
    "levenshtein": ({"value": "{{ expected }}", "threshold": 1}, [Sample("cat", "car")], [Sample("dog", "car")]),
    "length": ({"min": 1, "max": 3, "unit": "words"}, [Sample("one two")], [Sample(""), Sample("1 2 3 4")]),
    "latency": ({"threshold": 10}, [Sample("", latency_ms=10)], [Sample("", latency_ms=11)]),
    "cost": ({"threshold": 0.1}, [Sample("", cost=0.1)], [Sample("", cost=0.2)]),
    "python": ({"value": "len(output) >= 5"}, [Sample("12345")], [Sample("1234")]),
    "llm-rubric": ({"value": "is {{ expected }}", "judge": {"kind": "scripted"}}, [Sample("ok", 1)], [Sample("no", 1)]),
}


def test_the_table_holds_every_built_in():
    assert set(TABLE) == set(ASSERTIONS)


async def judge(messages):
    good = "\nok\n" in messages[-1].content
    return TargetResponse(json.dumps({"pass": good, "score": 0.9 if good else 0.1, "reason": "so it seems"}))


def _suite(name):
    keys, passing, failing = TABLE[name]
    body = {"entry": {"type": name, **keys}, "passing": passing, "failing": failing, "judge": lambda self: judge}
    return type(f"Test_{name}", (AssertionContract,), body)


for _name in TABLE:
    globals()[f"Test_{_name.replace('-', '_')}"] = _suite(_name)


class MinWords(Assertion):
    """A third party's assertion, as docs/writing-an-assertion.md has it."""

    def __init__(self, config, *, words=1):
        self._words = words

    def check(self, context):
        found = len(context.output.split())
        return Verdict.of(found >= self._words, f"{found} words, at least {self._words} wanted")


class TestPlugin(AssertionContract):
    entry: ClassVar = {"type": f"{__name__}:MinWords", "options": {"words": 2}}
    passing = (Sample("two words"),)
    failing = (Sample("one"),)


def _failures(suite):
    instance, failed = suite(), set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(instance, name)()
            except AssertionError:
                failed.add(name)
    return failed


class Forgetful(MinWords):
    """Counts how often it was asked."""

    def check(self, context):
        self._words += 1
        return super().check(context)


class OutOfBounds(MinWords):
    def check(self, context):
        return Verdict(len(context.output) > 3, 2.0)


class Silent(MinWords):
    def check(self, context):
        return Verdict.of("w" in context.output)


class Fragile(MinWords):
    def check(self, context):
        context.output.encode("ascii")
        return super().check(context)


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (Forgetful, "test_the_verdict_depends_on_the_case_alone"),
        (OutOfBounds, "test_good_outputs_pass_and_bad_ones_fail"),
        (Silent, "test_a_failure_says_why"),
        (Fragile, "test_any_output_is_judged_within_bounds"),
    ],
)
def test_the_suite_catches(broken, caught):
    suite = type("Suite", (TestPlugin,), {"entry": {"type": f"{__name__}:{broken.__name__}", "options": {"words": 2}}})
    assert caught in _failures(suite)


def test_the_suite_has_nothing_against_a_good_one():
    assert _failures(TestPlugin) == set()


def test_the_suite_wants_samples():
    with pytest.raises(AssertionError, match="at least one output that passes"):
        type("Suite", (TestPlugin,), {"passing": ()})().test_there_are_samples_of_both_kinds()

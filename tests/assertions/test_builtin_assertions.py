"""What each built-in name accepts, refuses and says."""

import pytest
from pydantic import ValidationError

from sharpen.assertions.grading import Grader
from sharpen.assertions.lists import split
from sharpen.assertions.number import read_number
from sharpen.assertions.registry import ASSERTIONS, build_assertion
from sharpen.config.assertions import FAMILY_OF, AssertionPart
from sharpen.errors import ErrorKind, PlanError, UnknownNameError

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
}


def test_every_name_of_a_plan_has_a_class(parse):
    assert set(ASSERTIONS) == set(FAMILY_OF)


def test_an_unknown_name_says_what_is_near():
    with pytest.raises(UnknownNameError, match="did you mean 'contains'"):
        build_assertion(AssertionPart(type="contain"))


@pytest.mark.parametrize(
    ("type", "value", "output", "passes"),
    [
        ("equals", "billing", "billing", True),
        ("equals", "billing", "Billing", False),
        ("equals", "billing", "billing ", False),
        ("equals", "", "", True),
        ("equals", 5, "5", True),
        ("equals", 5, "5.0", False),
        ("equals", 1.5, "1.5", True),
        ("equals", True, "true", True),
        ("equals", False, "False", False),
        ("equals", {"a": 1, "b": [True]}, '{"b": [true], "a": 1.0}', True),
        ("equals", {"a": 1}, '{"a": true}', False),
        ("equals", {"a": 1}, "a: 1", False),
        ("equals", [1, 2], "[1,2]", True),
        ("iequals", "Straße", "STRASSE", True),
        ("iequals", "a", "b", False),
        ("contains", "ill", "billing", True),
        ("contains", "ILL", "billing", False),
        ("contains", 42, "it is 42.", True),
        ("icontains", "ILL", "billing", True),
        ("icontains", "x", "billing", False),
        ("starts-with", "bill", "billing", True),
        ("starts-with", "ing", "billing", False),
        ("ends-with", "ing", "billing", True),
        ("ends-with", "bill", "billing", False),
        ("contains-any", ["x", "ill"], "billing", True),
        ("contains-any", ["x", "y"], "billing", False),
        ("contains-any", "x, ill", "billing", True),
        ("contains-any", ["ILL"], "billing", False),
        ("icontains-any", ["x", "ILL"], "billing", True),
        ("contains-all", ["b", "ing"], "billing", True),
        ("contains-all", ["b", "x"], "billing", False),
        ("contains-all", [1, True], "1 true", True),
        ("icontains-all", ["B", "ING"], "billing", True),
        ("one-of", ["billing", "other"], "billing", True),
        ("one-of", ["billing", "other"], "bill", False),
        ("one-of", "billing, other", "other", True),
        ("one-of", ["", "x"], "", True),
        ("regex", r"^\d{4}-\d{2}$", "2024-05", True),
        ("regex", r"\d{4}", "in 2024.", True),
        ("regex", r"^\d+$", "a1", False),
        ("is-number", ..., " -1.5e3\n", True),
        ("is-number", ..., "1,234.5", False),
        ("is-number", ..., "12 apples", False),
        ("is-number", ..., "NaN", False),
        ("is-number", ..., "Infinity", False),
        ("is-number", ..., "١٢", False),
        ("is-number", 3, "3.0", True),
        ("is-number", "3", "3.1", False),
        ("levenshtein", "kitten", "sitting", True),
        ("levenshtein", "kitten", "completely different", False),
        ("is-json", ..., ' {"a": 1}\n', True),
        ("is-json", ..., "5", True),
        ("is-json", ..., "here: {}", False),
        ("is-json", ..., "[NaN]", False),
        ("is-json", PERSON, '{"name": "Ada", "age": 36}', True),
        ("is-json", PERSON, '{"name": "Ada", "age": -1}', False),
        ("contains-json", ..., 'Sure: ```json\n{"a": 1}\n```', True),
        ("contains-json", ..., "nothing {here}", False),
        ("contains-json", PERSON, 'first [1], then {"name": "Ada"}', True),
        ("contains-json", PERSON, 'only {"age": 3}', False),
    ],
)
def test_passes(result, type, value, output, passes):
    found = result(type, output, value=value)
    assert (found.passed, found.error) == (passes, None)
    if type not in ("levenshtein", "contains-all"):
        assert found.score == float(passes)
    assert passes or found.reason
    opposite = result(f"not-{type}", output, value=value)
    assert (opposite.passed, opposite.score) == (not passes, pytest.approx(1 - found.score))
    assert opposite.passed or "must not" in opposite.reason


@pytest.mark.parametrize(
    ("keys", "output", "passes"),
    [
        ({"max": 3}, "abc", True),
        ({"max": 2}, "abc", False),
        ({"min": 4}, "abc", False),
        ({"min": 2, "max": 2, "unit": "words"}, " two  words\n", True),
        ({"max": 1, "unit": "lines"}, "a\nb", False),
        ({"max": 2, "unit": "lines"}, "a\nb\n", True),
    ],
)
def test_length(result, keys, output, passes):
    assert result("length", output, keys=keys).passed is passes


@pytest.mark.parametrize(
    ("value", "tolerance", "output", "passes"),
    [
        (1.0, 0.1, "1.1", True),  # in binary floats 1.1 - 1.0 > 0.1
        (1.0, 0.1, "1.1000001", False),
        (-2, 2, "0", True),
        ("{{ expected }}", 1, "11", True),
        (1e300, 0, "1" + "0" * 300, True),
        (0, 5, "1e999999999", False),
    ],
)
def test_a_number_within_its_tolerance(result, value, tolerance, output, passes):
    assert result("is-number", output, value=value, keys={"tolerance": tolerance}, expected=10).passed is passes


def test_an_exponent_no_decimal_can_hold_is_no_number():
    assert read_number("1e9999999999999999999999") is None


def test_levenshtein_scores_similarity(result):
    found = result("levenshtein", "sitting", value="kitten", keys={"threshold": 2})
    assert not found.passed
    assert found.score == pytest.approx(1 - 3 / 7)
    assert found.reason.startswith("3 edits from 'kitten', at most 2 allowed")
    assert result("levenshtein", "", value="").score == 1


def test_contains_all_scores_the_share_found(result):
    found = result("contains-all", "a c", value=["a", "b", "c", "d"])
    assert (found.passed, found.score) == (False, 0.5)
    assert "missing: ['b', 'd']" in found.reason


@pytest.mark.parametrize(("latency_ms", "passes"), [(100.0, True), (100.1, False)])
def test_latency(result, latency_ms, passes):
    assert result("latency", "x", keys={"threshold": 100}, latency_ms=latency_ms).passed is passes


@pytest.mark.parametrize(("cost", "passes"), [(0.01, True), (0.02, False), (0.0, True)])
def test_cost(result, cost, passes):
    assert result("cost", "x", keys={"threshold": 0.01}, cost=cost).passed is passes
    assert result("not-cost", "x", keys={"threshold": 0.01}, cost=cost).passed is not passes


@pytest.mark.parametrize("type", ["cost", "not-cost"])
def test_an_unknown_cost_fails_negated_or_not(result, type):
    found = result(type, "x", keys={"threshold": 1}, cost=None)
    assert (found.passed, found.score, found.error) == (False, 0.0, None)
    assert "unknown" in found.reason


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        ('"a, b", c', ["a, b", "c"]),
        (r'"say \"hi\"", "and ""bye"""', ['say "hi"', 'and "bye"']),
        (",, a,,b,", ["a", "b"]),
        ('5" screen, b', ['5" screen', "b"]),
        ("a\nb, c", ["a\nb", "c"]),
        ("", []),
        (" , ", []),
    ],
)
def test_split(text, values):
    assert split(text) == values


@pytest.mark.parametrize("text", ['"open, b', '"a" b, c'])
def test_split_refuses_a_quote_that_does_not_close(text):
    with pytest.raises(ValueError, match="cannot split"):
        split(text)


def test_the_json_path_and_the_reason_are_told(result):
    found = result("is-json", '{"name": "Ada", "age": -1}', value=PERSON)
    assert found.reason == "the JSON breaks its schema at $.age: -1 is less than the minimum of 0"
    assert "$: 'name' is a required property" in result("contains-json", "{}", value=PERSON).reason
    assert "line 1, column 1" in result("is-json", "no", value=PERSON).reason


def test_a_long_value_does_not_swamp_the_reason(result):
    found = result("is-json", '{"name": ' + "[" + "1," * 2000 + "1]}", value=PERSON)
    assert found.reason == "the JSON breaks its schema at $.name: type 'string' fails"


def test_formats_are_checked(result):
    schema = {"type": "string", "format": "ipv4"}
    assert result("is-json", '"127.0.0.1"', value=schema).passed
    assert not result("is-json", '"localhost"', value=schema).passed


def test_a_templated_schema_is_compiled_for_what_it_renders_to(parse):
    import asyncio

    grader = Grader([parse({"type": "is-json", "value": {"enum": ["{{ expected }}", "none"]}})])

    async def passes(output, expected):
        return (await grader.grade(output=output, expected=expected)).passed

    assert asyncio.run(passes('"a"', "a"))
    assert not asyncio.run(passes('"a"', "b"))
    assert asyncio.run(passes("3", 3))  # a lone reference keeps its type
    for number in range(300):  # more than are remembered
        assert asyncio.run(passes(str(number), number))


def test_nothing_is_fetched_for_a_schema(result):
    found = result("is-json", "1", value={"$ref": "http://127.0.0.1:9/schema.json"})
    assert found.error is ErrorKind.ASSERTION_CRASH
    assert "127.0.0.1:9" in found.reason


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"type": "contains", "value": ""}, "every output satisfies"),
        ({"type": "contains-any", "value": []}, "the list of values is empty"),
        ({"type": "contains-all", "value": ["a", ""]}, "every output contains"),
        ({"type": "one-of", "value": '"open'}, "cannot split"),
        ({"type": "is-number", "value": "three"}, "'three' is no number"),
        ({"type": "is-json", "value": {"type": "objekt"}}, "no JSON Schema"),
        ({"type": "contains", "value": "{{ expected"}, "is no template"),
        ({"type": "is-json", "value": {"enum": ["{{ expected"]}}, "line 1"),
        ({"type": "python", "value": "len(output) >"}, "no Python expression"),
        ({"type": "python", "value": "no_such_module_here:check"}, "cannot import"),
        ({"type": "python", "value": "json:decoder"}, "cannot be called"),
        ({"type": "llm-rubric", "value": "  ", "judge": {"kind": "scripted"}}, "rubric is empty"),
        ({"type": "json:JSONDecoder"}, "is no assertion"),
        ({"type": "json:nothing"}, "has no 'nothing'"),
    ],
)
def test_what_can_be_known_before_the_run_is_said_before_the_run(parse, entry, says):
    good = parse({"type": "equals", "value": "x"})
    with pytest.raises(PlanError, match=says) as caught:
        Grader([good, parse(entry)])
    (problem,) = caught.value.problems
    assert problem.key.startswith("assertions.1.")


def test_all_problems_are_told_at_once(parse):
    entries = [parse({"type": "contains", "value": ""}), parse({"type": "is-number", "value": "x"})]
    with pytest.raises(PlanError) as caught:
        Grader().prepare(entries, where="cases.jsonl row 3")
    assert [problem.key for problem in caught.value.problems] == ["assertions.0.value", "assertions.1.value"]
    assert all(str(problem).startswith("cases.jsonl row 3: ") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("type", "value"),
    [("contains", "{{ empty }}"), ("contains-any", "{{ empty }}"), ("is-number", "{{ word }}"), ("regex", "{{ bad }}")],
)
def test_a_value_that_renders_to_nonsense_is_the_assertions_failure(result, type, value):
    for name in (type, f"not-{type}"):
        found = result(name, "x", value=value, variables={"empty": "", "word": "w", "bad": "("})
        assert (found.passed, found.error) == (False, ErrorKind.ASSERTION_CRASH)


def test_only_equals_takes_a_mapping(parse):
    with pytest.raises(ValidationError, match="compares with one text"):
        parse({"type": "contains", "value": {"a": 1}})


def test_a_list_of_one_scalar(result):
    assert result("contains-any", "it is 5", value="{{ expected }}", expected=5).passed
    assert not result("one-of", "it is 5", value="{{ expected }}", expected=5).passed


def test_a_regular_expression_from_a_template(result):
    assert result("regex", "id-7", value="^id-{{ vars.number }}$", variables={"number": 7}).passed
    assert result("regex", "12", value="^{{ expected }}$", expected=12).passed

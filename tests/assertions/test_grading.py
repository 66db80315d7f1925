import asyncio
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.assertions.base import Assertion, Verdict
from sharpen.assertions.grading import Grade, Grader
from sharpen.config.assertions import AssertionPart, PluginAssertion
from sharpen.errors import BudgetExhausted, ErrorKind, PlanError, Problem, RunAborted

ME = __name__

ENTRIES = st.sampled_from([
    {"type": "equals", "value": "a"}, {"type": "equals", "value": {"a": 1}}, {"type": "icontains", "value": "É"},
    {"type": "contains-all", "value": ["a", "b", "c"]}, {"type": "one-of", "value": "a, b"},
    {"type": "regex", "value": r"\w+"}, {"type": "is-json"}, {"type": "contains-json", "value": {"type": "array"}},
    {"type": "is-number", "value": 3, "tolerance": 2}, {"type": "levenshtein", "value": "abc"},
    {"type": "length", "max": 5}, {"type": "python", "value": "len(output) > 2 and 'a' in output"},
    {"type": "contains", "value": "{{ expected }}"}, {"type": "contains", "value": "{{ nothing }}"},
])  # fmt: skip
outputs = st.text(max_size=20) | st.text(alphabet='abc{}[]"1, é\ud800\x00', max_size=20)
transforms = st.lists(st.sampled_from(["strip", "lower", "first-line", "strip-markdown", "extract-number"]), max_size=2)


class Scripted(Assertion):
    """Does what its options say."""

    def __init__(self, config, *, score=1.0, passed=None, raises=None, returns=..., later=False):
        self._verdict = (
            Verdict(score >= 0.5 if passed is None else passed, score, "because") if returns is ... else returns
        )
        self._raises, self._later = raises, later

    def check(self, context):
        if self._later:
            return self._wait(context)
        return self._now()

    def _now(self):
        if self._raises:
            raise self._raises
        return self._verdict

    async def _wait(self, context):
        await asyncio.sleep(0)
        return self._now()


def scripted(type=f"{ME}:Scripted", weight=1.0, **options):
    return PluginAssertion(type=type, weight=weight, options=options)


def run(*configs, **case) -> Grade:
    return asyncio.run(Grader(configs).grade(output="x", **case))


@given(ENTRIES, transforms, outputs, st.text(min_size=1, max_size=3))
@settings(max_examples=100)
def test_negation_turns_around_and_scores_stay_in_bounds(parse, entry, names, output, expected):
    async def both():
        plain = Grader([parse({**entry, "transform": names})])
        negated = Grader([parse({**entry, "transform": names, "type": f"not-{entry['type']}"})])
        return await plain.grade(output=output, expected=expected), await negated.grade(
            output=output, expected=expected
        )

    plain, negated = asyncio.run(both())
    assert 0 <= plain.score <= 1
    assert 0 <= negated.score <= 1
    if plain.results[0].error:
        assert negated.results[0].error
        assert not plain.passed
        assert not negated.passed
    else:
        assert plain.passed is not negated.passed
        assert plain.score + negated.score == pytest.approx(1)
    for grade in (plain, negated):
        assert grade.results[0].model_dump_json()


def test_without_assertions_an_answer_is_a_success():
    assert run() == Grade(True, 1.0, ())


def test_the_score_is_the_weighted_mean():
    grade = run(scripted(score=1.0, weight=3), scripted(score=0.2, passed=True, weight=1))
    assert grade.passed
    assert grade.score == pytest.approx((3 * 1 + 0.2) / 4)


def test_weight_zero_is_recorded_and_counts_nothing():
    grade = run(scripted(score=0.0, weight=0), scripted(score=1.0))
    assert (grade.passed, grade.score) == (True, 1.0)
    assert [result.passed for result in grade.results] == [False, True]
    assert run(scripted(score=0.0, weight=0)).score == 1.0


def test_one_failure_fails_the_case():
    grade = run(scripted(score=1.0, weight=100), scripted(score=0.0, weight=0.001))
    assert not grade.passed


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6)), max_size=5))
@settings(max_examples=60)
def test_the_mean_stays_between_the_extremes(pairs):
    grade = run(*(scripted(score=score, weight=weight) for score, weight in pairs))
    counted = [score for score, weight in pairs if weight > 0]
    if counted:
        assert min(counted) - 1e-9 <= grade.score <= max(counted) + 1e-9
        assert grade.passed is all(score >= 0.5 for score in counted)
    else:
        assert grade.score == 1.0


@pytest.mark.parametrize("type", [f"{ME}:Scripted", f"not-{ME}:Scripted"])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"raises": KeyError("k")}, "the assertion broke: KeyError: 'k'"),
        ({"raises": ValueError("two\n lines")}, "ValueError: two lines"),
        ({"raises": AssertionError()}, "the assertion broke: AssertionError"),
        ({"raises": RecursionError()}, "RecursionError"),
        ({"returns": True}, "returned True, expected a Verdict"),
        ({"returns": None}, "returned None, expected a Verdict"),
        ({"returns": Verdict(True, 1.5)}, "score 1.5, expected one in 0..1"),
        ({"returns": Verdict(True, float("nan"))}, "score nan"),
        ({"returns": Verdict(True, "high")}, "could not convert"),
    ],
)
def test_a_crash_is_that_assertions_failure_even_negated(type, later, options, says):
    grade = run(scripted(type, later=later, **options), scripted(score=1.0))
    broken, good = grade.results
    assert (broken.passed, broken.score, broken.error) == (False, 0.0, ErrorKind.ASSERTION_CRASH)
    assert says in broken.reason
    assert good.passed
    assert not grade.passed


@pytest.mark.parametrize("error", [RunAborted("server gone"), BudgetExhausted("no more")])
def test_what_ends_the_run_is_not_an_assertions_failure(error):
    with pytest.raises(type(error)):
        run(scripted(raises=error))
    with pytest.raises(type(error)):
        run(scripted(raises=error, later=True))


async def test_cancellation_passes_through():
    class Endless(Scripted):
        async def _wait(self, context):
            await asyncio.sleep(60)

    sys.modules[ME].Endless = Endless
    task = asyncio.create_task(Grader([scripted(f"{ME}:Endless", later=True)]).grade(output="x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_synchronous_checks_never_yield_to_the_loop(parse):
    grader = Grader([parse({"type": "equals", "value": "{{ expected }}"}), scripted()])
    coroutine = grader.grade(output="a", expected="a")
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value.passed


def test_asynchronous_checks_are_awaited():
    grade = run(scripted(score=0.7, later=True))
    assert (grade.passed, grade.score) == (True, 0.7)


def test_a_value_of_the_case(grade):
    entry = {"type": "equals", "value": "{{ greeting }} {{ vars.name }} {{ expected }}"}
    assert grade(entry, output="hi Bo 5", expected=5, variables={"greeting": "hi", "name": "Bo"}).passed


def test_expected_as_json(grade):
    entry = {"type": "equals", "value": "{{ expected }}"}
    assert grade(entry, output='{"b": [1], "a": null}', expected={"a": None, "b": [1]}).passed
    assert not grade(entry, output="{}", expected={"a": None}).passed
    assert grade({"type": "equals", "value": {"n": "{{ expected }}"}}, output='{"n": 3}', expected=3).passed


def test_a_case_without_expected_says_so(grade):
    (result,) = grade({"type": "equals", "value": "{{ expected }}"}, output="None").results
    assert result.error is ErrorKind.ASSERTION_CRASH
    assert "'expected' is undefined" in result.reason


def test_a_reason_can_always_be_stored(grade):
    (result,) = grade({"type": "equals", "value": "x"}, output="\ud800" + "é" * 10_000).results
    assert result.reason.encode()
    assert len(result.reason) < 500
    bad = run(scripted(returns=Verdict(False, 0.0, "\udfff" * 5000))).results[0]
    assert bad.reason == "?" * 999 + "…"


def test_negated_reasons_tell_what_held(grade):
    (result,) = grade({"type": "not-contains", "value": "foo"}, output="a foo").results
    assert result.reason == "contains 'foo' holds, and must not"
    (result,) = grade({"type": "not-contains", "value": "foo"}, output="bar").results
    assert (result.passed, result.reason) == (True, "")
    assert run(scripted(f"not-{ME}:Scripted")).results[0].reason.endswith("holds, and must not: because")


def test_a_cases_own_assertions_come_after_the_plans(parse):
    grader = Grader([parse({"type": "contains", "value": "a"})])
    extra = (parse({"type": "length", "max": 1}),)
    grade = asyncio.run(grader.grade(output="ab", extra=extra))
    assert [(result.type, result.passed) for result in grade.results] == [("contains", True), ("length", False)]
    assert len(asyncio.run(grader.grade(output="ab")).results) == 1


def test_equal_entries_are_compiled_once(parse, monkeypatch):
    from sharpen.assertions import check

    built = []
    monkeypatch.setattr(
        check,
        "build_assertion",
        lambda config, base, real=check.build_assertion: built.append(config) or real(config, base),
    )
    grader = Grader([parse({"type": "equals", "value": "a"})])
    for _ in range(3):
        for value in ("a", "b"):
            asyncio.run(grader.grade(output="a", extra=(parse({"type": "equals", "value": value}),)))
    assert len(built) == 2
    assert len(grader.prepare([parse({"type": "equals", "value": "b"})])) == 1
    assert len(built) == 2


def test_the_cache_is_bounded(parse, monkeypatch):
    from sharpen.assertions import grading

    monkeypatch.setattr(grading, "_CACHED_CHECKS", 3)
    grader = Grader()
    for number in range(9):
        asyncio.run(grader.grade(output="a", extra=(parse({"type": "equals", "value": number}),)))
    assert len(grader._compiled) == 3


def test_an_entry_no_cache_can_key_is_compiled_each_time():
    config = PluginAssertion(type=f"{ME}:Scripted", value=object())
    assert asyncio.run(Grader().grade(output="x", extra=(config,))).passed


def test_a_cases_assertion_that_cannot_be_built_fails_the_case_alone(parse):
    extra = (parse({"type": "python", "value": "output +"}), parse({"type": "equals", "value": "x"}))
    grade = asyncio.run(Grader().grade(output="x", extra=extra))
    assert [result.passed for result in grade.results] == [False, True]
    assert grade.results[0].error is ErrorKind.ASSERTION_CRASH
    assert "no Python expression" in grade.results[0].reason


def test_a_name_in_no_table_is_a_problem_of_the_plan():
    with pytest.raises(PlanError, match="unknown assertion 'contain'; did you mean 'contains'") as caught:
        Grader([AssertionPart(type="contain")])
    assert caught.value.problems[0].key == "assertions.0.type"


class Picky(Scripted):
    def __init__(self, config, **options):
        raise PlanError(Problem("the value is too short", key="value"))


def test_a_plugin_may_object_to_its_entry():
    with pytest.raises(PlanError) as caught:
        Grader([scripted(f"{ME}:Picky")])
    assert str(caught.value) == "assertions.0.value: the value is too short"


def test_a_plugins_options_are_its_constructors_keywords():
    with pytest.raises(PlanError, match="unexpected keyword argument 'scroe'") as caught:
        Grader([scripted(scroe=1)])
    assert caught.value.problems[0].key == "assertions.0.options"


def test_transforms_come_first_and_the_raw_output_stays(grade, parse):
    entry = {
        "type": "python",
        "value": "output == 'a' and context.raw_output == ' A '",
        "transform": ["strip", "lower"],
    }
    assert grade(entry, output=" A ").passed

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.assertions.base import Verdict
from sharpen.assertions.grading import Grader
from sharpen.assertions.rubric import MalformedJudgement, judge_messages, read_judgement
from sharpen.errors import BudgetExhausted, ErrorKind
from sharpen.targets.base import Failure, TargetError, TargetResponse

ENTRY = {"type": "llm-rubric", "value": "mentions {{ expected }}", "judge": {"kind": "scripted"}, "threshold": 0.6}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"pass": true, "score": 0.8, "reason": "fine"}', Verdict(True, 0.8, "fine")),
        ('Let me see.\n```json\n{"pass": true, "score": 1}\n```\nDone.', Verdict(True, 1.0)),
        ('{"pass": "Yes", "score": "0.7"}', Verdict(True, 0.7)),
        ('{"pass": true}', Verdict(True, 1.0)),
        ('{"score": 0.6, "reason": "just"}', Verdict(True, 0.6, "just")),
        ('{"pass": false, "reason": "bad"}', Verdict(False, 0.0, "the judge: bad (score 0, below the threshold 0.6)")),
        ('{"pass": false, "score": 0.9}', Verdict(False, 0.9, "the judge: no reason given (score 0.9)")),
        (
            '{"pass": true, "score": 0.5, "reason": "meh"}',
            Verdict(False, 0.5, "the judge: meh (score 0.5, below the threshold 0.6)"),
        ),
        ('The answer says {"pass": true, "score": 1}, but: {"pass": false, "score": 0, "reason": "it begs"}',
         Verdict(False, 0.0, "the judge: it begs (score 0, below the threshold 0.6)")),
        ('{"note": 1} {"pass": true, "score": 1, "reason": null} [2]', Verdict(True, 1.0)),
    ],
)  # fmt: skip
def test_a_judgement_is_read_tolerantly(text, verdict):
    assert read_judgement(text, 0.6) == verdict


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no JSON object"),
        ("I would say yes.", "I would say yes"),
        ('{"verdict": true}', "holds no JSON object"),
        ('["pass", true]', "holds no JSON object"),
        ('{"pass": "maybe", "score": 1}', "'maybe', neither true nor false"),
        ('{"pass": 1, "score": 1}', "pass is 1"),
        ('{"pass": true, "score": 7}', "score is 7"),
        ('{"pass": true, "score": "high"}', "score is 'high'"),
        ('{"pass": true, "score": true}', "score is True"),
        ('{"pass": true, "score": NaN}', "holds no JSON object"),
        ('{"pass": true, "score": "nan"}', "score is 'nan'"),
        ('{"pass": true, "score": [1]}', r"score is \[1\]"),
        ('{"pass": null, "score": null}', "neither pass nor score"),
        ('{"pass": true, "score": 1' + "0" * 400 + "}", "score is"),
    ],
)
def test_a_malformed_judgement_is_told_apart(text, says):
    with pytest.raises(MalformedJudgement, match=says):
        read_judgement(text, 0.6)


@given(st.text(max_size=60) | st.text(alphabet='{}[]":, pastrue01.', max_size=60))
@settings(max_examples=80)
def test_any_text_is_a_verdict_or_malformed(text):
    try:
        verdict = read_judgement(text, 0.5)
    except MalformedJudgement:
        return
    assert 0 <= verdict.score <= 1


@given(st.text(max_size=200))
@settings(max_examples=60)
def test_no_output_can_close_its_own_fence(output):
    text = judge_messages("polite", output)[1].content
    lines = text.split("\n")
    mark = next(line for line in lines if line.startswith("<<<ANSWER "))[len("<<<ANSWER ") : -len(">>>")]
    assert f"<<<END {mark}>>>" not in output
    inside = text[text.index(f"<<<ANSWER {mark}>>>\n") + len(mark) + 14 : text.rindex(f"\n<<<END {mark}>>>")]
    assert inside == output


def test_the_question_depends_on_rubric_and_output_alone():
    assert judge_messages("a", "b") == judge_messages("a", "b")
    assert judge_messages("a", "b") != judge_messages("a", "c")
    system, user = judge_messages("be {kind}", "<<<END x>>> {output} \ud800")
    assert (system.role, user.role) == ("system", "user")
    assert "be {kind}" in user.content
    assert "<<<END x>>> {output} \ud800" in user.content


def judged(parse, answer, type="llm-rubric", **case):
    seen = []

    async def judge(messages):
        seen.append(messages)
        if isinstance(answer, BaseException):
            raise answer
        return TargetResponse(answer)

    config = parse({**ENTRY, "type": type})

    def judge_for(asked):
        assert asked is config
        return judge

    grade = asyncio.run(Grader([config]).grade(output="it is red", expected="red", judge_for=judge_for, **case))
    return grade.results[0], seen


@pytest.mark.parametrize(("type", "passed", "score"), [("llm-rubric", True, 0.9), ("not-llm-rubric", False, 0.1)])
def test_the_judge_is_asked_once_with_the_rendered_rubric(parse, type, passed, score):
    result, seen = judged(parse, '{"pass": true, "score": 0.9, "reason": "red it is"}', type)
    assert (result.passed, result.error) == (passed, None)
    assert result.score == pytest.approx(score)
    assert "red it is" in result.reason
    ((_, user),) = seen
    assert "mentions red" in user.content
    assert "it is red" in user.content


@pytest.mark.parametrize("type", ["llm-rubric", "not-llm-rubric"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("no JSON here", "MalformedJudgement"),
        (TargetError(Failure(ErrorKind.SERVER, "the judge is down")), "the judge is down"),
    ],
)
def test_a_judge_that_fails_is_not_the_prompts_failure(parse, type, answer, says):
    result, _ = judged(parse, answer, type)
    assert (result.passed, result.error) == (False, ErrorKind.ASSERTION_CRASH)
    assert says in result.reason


def test_a_spent_budget_ends_the_run(parse):
    with pytest.raises(BudgetExhausted):
        judged(parse, BudgetExhausted("spent"))


def test_without_a_judge_the_reason_says_so(grade):
    (result,) = grade(ENTRY, output="x", expected="y").results
    assert result.error is ErrorKind.ASSERTION_CRASH
    assert "no judge is at hand" in result.reason

"""The shipped fake: rules, recordings, latency, failures and usage on request."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sharpen.config.targets import TARGET_FAILURES, ScriptedTarget
from sharpen.errors import ErrorKind, PlanError
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.registry import build_target
from sharpen.targets.scripted import ScriptedReplies, scripted


def request(
    text: str = "I want a refund", case_id: str = "c1", repeat: int = 0, system: str = "Route."
) -> TargetRequest:
    return TargetRequest((Message("system", system), Message("user", text)), case_id=case_id, repeat=repeat)


def ask(target: ScriptedReplies, *requests: TargetRequest) -> list[Any]:
    """Outputs, and kinds of failure, in order."""

    async def story() -> list[Any]:
        results: list[Any] = []
        async with target:
            for each in requests:
                try:
                    results.append((await target.invoke(each)).output)
                except TargetError as error:
                    results.append(target.classify(error).kind)
        return results

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({}, True),
        ({"contains": "refund"}, True),
        ({"contains": "Route."}, True),
        ({"contains": "Refund"}, False),
        ({"regex": r"(?i)REFUND$"}, True),
        ({"regex": r"^Route\.\n\nI want"}, True),
        ({"regex": "^refund"}, False),
        ({"equals": " I want a refund\n"}, True),
        ({"equals": "Route."}, False),
        ({"case_id": "c1"}, True),
        ({"case_id": "c2"}, False),
        ({"case_id": "c1", "contains": "refund", "regex": "want", "equals": "I want a refund"}, True),
        ({"case_id": "c1", "contains": "nothing"}, False),
    ],
)
def test_conditions(rule: dict[str, Any], matches: bool) -> None:
    assert ask(scripted({**rule, "output": "yes"}, default="no"), request()) == ["yes" if matches else "no"]


def test_the_first_rule_that_matches_answers() -> None:
    target = scripted(
        {"case_id": "c2", "output": "by case"}, {"contains": "refund", "output": "by text"}, {"output": "last"}
    )
    assert ask(target, request(), request(case_id="c2"), request("hello")) == ["by text", "by case", "last"]


def test_times_counts_for_each_case_and_anew_for_each_opening() -> None:
    target = scripted({"failure": "rate_limit", "times": 2}, default="ok")
    requests = [request(case_id=case) for case in ("a", "a", "b", "a", "b", "b")]
    limit = ErrorKind.RATE_LIMIT
    assert ask(target, *requests) == [limit, limit, limit, "ok", limit, "ok"]
    assert ask(target, *requests[:2]) == [limit, limit]


def test_a_default_can_run_out_too() -> None:
    target = ScriptedReplies(ScriptedTarget.model_validate({"default": {"output": "once", "times": 1}}))
    assert ask(target, request(), request()) == ["once", ErrorKind.BAD_REQUEST]


def test_no_rule_matches() -> None:
    target = scripted({"contains": "invoice", "output": "billing"})
    with pytest.raises(TargetError) as caught:
        asyncio.run(target.invoke(request("I want " + "x" * 500)))
    failure = caught.value.failure
    assert (failure.kind, failure.retryable) == (ErrorKind.BAD_REQUEST, False)
    for part in ("'c1'", "Route. I want xxx", "target.default: {output: ok}"):
        assert part in failure.message
    assert len(failure.message) < 300


@pytest.mark.parametrize("kind", TARGET_FAILURES)
def test_every_failure_on_request(kind: ErrorKind) -> None:
    rule = {"failure": kind.value, "message": "as told", "retry_after_s": 2.5, "cost": 0.5, "prompt_tokens": 3}
    with pytest.raises(TargetError) as caught:
        asyncio.run(scripted(rule).invoke(request()))
    retryable = kind in (ErrorKind.TIMEOUT, ErrorKind.CONNECTION, ErrorKind.SERVER, ErrorKind.RATE_LIMIT)
    assert caught.value.failure == Failure(
        kind, "as told", retryable=retryable, retry_after_s=2.5, usage=Usage(3, 0), cost=0.5
    )


def test_usage_and_cost_on_request_and_estimated() -> None:
    target = scripted({"case_id": "paid", "output": "x", "prompt_tokens": 7, "completion_tokens": 2, "cost": 0.25},
                      default="one two")  # fmt: skip
    assert asyncio.run(target.invoke(request(case_id="paid"))) == TargetResponse("x", Usage(7, 2), 0.25, "stop")
    assert asyncio.run(target.invoke(request())) == TargetResponse("one two", Usage(5, 2), 0.0, "stop")


def test_latency_of_the_reply_or_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("sharpen.targets.scripted.asyncio.sleep", sleep)
    target = scripted(
        {"case_id": "slow", "output": "x", "latency_ms": 120},
        {"case_id": "at once", "output": "x", "latency_ms": 0},
        default="y",
        latency_ms=40,
    )
    ask(target, request(case_id="slow"), request(case_id="usual"), request(case_id="at once"))
    assert slept == [0.12, 0.04]


def test_latency_really_passes() -> None:
    start = time.perf_counter()
    ask(scripted(default="ok", latency_ms=30), request())
    assert time.perf_counter() - start >= 0.028


def test_calls_are_remembered() -> None:
    target = scripted(default="ok")
    ask(target, request("a"), request("b"))
    assert target.call_count == 2
    assert [call.messages[-1].content for call in target.calls] == ["a", "b"]


# -- recordings -----------------------------------------------------------------------------------------------------


def recorded(tmp_path: Path, *lines: Any, **plan: Any) -> ScriptedReplies:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    target = build_target(ScriptedTarget(file=path, **plan))
    assert isinstance(target, ScriptedReplies)
    return target


def test_a_file_of_rules_goes_before_the_plans(tmp_path: Path) -> None:
    target = recorded(
        tmp_path,
        {"case_id": "a", "output": "recorded\u2028line"},
        "",
        {"contains": "refund", "output": "billing"},
        rules=({"output": "plan"},),
    )
    results = ask(target, request("x", "a"), request("refund", "b"), request("x", "b"))
    assert results == ["recorded\u2028line", "billing", "plan"]


def test_a_file_of_task_results(tmp_path: Path) -> None:
    """As ``runs export`` writes them: one line for each repeat, failures included."""
    common = {"task_id": "t", "status": "succeeded", "execution_time": 0.1, "attempts": 1, "total_tokens": 9}
    target = recorded(
        tmp_path,
        {**common, "case_id": "a", "repeat": 0, "output": "first", "prompt_tokens": 8, "completion_tokens": 1},
        {**common, "case_id": "a", "repeat": 1, "output": "second", "cost": None},
        {**common, "case_id": "b", "output": None, "error": {"kind": "timeout", "message": "too late"}},
        {**common, "case_id": "c", "status": "cancelled", "output": None, "error": {"kind": "cancelled"}},
        default={"output": "default"},
    )
    results = ask(
        target, request(case_id="a"), request(case_id="a", repeat=1), request(case_id="b"), request(case_id="c")
    )
    assert results == ["first", "second", ErrorKind.TIMEOUT, "default"]
    assert asyncio.run(target.invoke(request(case_id="a"))).usage == Usage(8, 1)


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        recorded(
            tmp_path,
            {"case_id": "a", "output": "fine"},
            "{broken",
            [1],
            {"case_id": "a"},
            {"output": "x", "outptu": "y"},
            {"output": "x", "regex": "("},
            {"failure": "assertion"},
        )
    text = str(caught.value)
    for line, part in {
        2: "property name",
        3: "a list",
        4: "exactly one of",
        5: "outptu",
        6: "regular",
        7: "no failure",
    }.items():
        assert any(f"answers.jsonl:{line}" in row and part in row for row in text.splitlines()), (line, text)
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_unreadable_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanError, match=r"target\.file: cannot read '.*x\.jsonl'"):
        ScriptedReplies(ScriptedTarget(file=path))


def test_identity_knows_every_rule(tmp_path: Path) -> None:
    one = recorded(tmp_path, {"case_id": "a", "output": "x"}).identity()
    other = recorded(tmp_path, {"case_id": "a", "output": "y"}).identity()
    assert one != other
    assert one["rules"] == [{"case_id": "a", "output": "x"}]


@pytest.mark.parametrize(
    "rule", [{}, {"output": "x", "failure": "server"}, {"failure": "budget"}, {"output": "x", "regex": "["}]
)
def test_what_a_rule_may_not_say(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        scripted(rule)


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "x", "y"]), st.integers(1, 3)), max_size=6
    ),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), max_size=12),
)
def test_equals_a_plain_search_through_all_rules(
    rules: list[tuple[str | None, str | None, int]], calls: list[tuple[str, str]]
) -> None:
    target = scripted(
        *({"case_id": c, "contains": t, "times": n, "output": str(i)} for i, (c, t, n) in enumerate(rules)),
        default="default",
    )
    used: dict[tuple[int, str], int] = {}
    expected = []
    for case_id, text in calls:
        answer = "default"
        for i, (c, t, n) in enumerate(rules):
            if c in (None, case_id) and t in (None, text) and used.get((i, case_id), 0) < n:
                used[i, case_id] = used.get((i, case_id), 0) + 1
                answer = str(i)
                break
        expected.append(answer)
    assert ask(target, *(request(text, case_id, system="-") for case_id, text in calls)) == expected

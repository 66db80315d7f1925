"""Groups add up, are told in words, are the same each time, and are found fast."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import ErrorKind
from sharpen.executor.models import TaskResult, TaskStatus
from sharpen.optimizer.error_patterns import (
    ErrorPatterns,
    find_patterns,
    group_material,
    learning_patterns,
    strategies_for,
)
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.splits import Split
from sharpen.optimizer.strategies.registry import expand

QUEUES = ("billing", "shipping", "refund")


def queues(answers: list[str | None]) -> tuple[list[LabelledCase], dict[str, CaseOutcome]]:
    """Cases whose right queue goes round, with these answers (None: the call timed out)."""
    cases = [LabelledCase(f"c{n}", {"text": f"message {n}"}, QUEUES[n % 3]) for n in range(len(answers))]
    outcomes = {
        case.case_id: CaseOutcome(
            case.case_id,
            float(answer == case.expected),
            0.0,
            output=answer,
            reasons=() if answer == case.expected else (f"expected {case.expected}, got {answer}",),
            error_kind=ErrorKind.TIMEOUT if answer is None else ErrorKind.ASSERTION,
            failed_assertions=() if answer is None else ("equals",),
        )
        for case, answer in zip(cases, answers, strict=True)
    }
    return cases, outcomes


def test_groups_with_names_sizes_examples_and_suggestions() -> None:
    answers = ["shipping", "shipping", "refund"] * 4 + ["Billing!", "shipping", "the queue is refund", None, "no idea"]
    found = find_patterns(*queues(answers), basis="all cases")
    assert (found.cases, found.failures, found.looked_at, found.basis) == (17, 8, 8, "all cases")
    assert [(group.id, group.size) for group in found.groups] == [
        ("wrong_label:billing>shipping", 4),
        ("invented_label:no idea", 1),
        ("label_form", 1),
        ("label_in_prose", 1),
        ("timeout", 1),
    ]
    top = found.groups[0]
    assert top.name == "Answered 'shipping' where 'billing' is right"
    assert top.share == 0.5
    assert [example.case_id for example in top.examples] == ["c0", "c3"]
    assert top.examples[0].reason == "expected billing, got shipping"
    assert top.suggestion
    assert found.confusion is not None
    assert found.confusion.given == (*found.confusion.expected, "other")
    table = dict(zip(found.confusion.expected, found.confusion.counts, strict=True))
    assert table == {"billing": (1, 0, 4, 0), "refund": (0, 5, 0, 0), "shipping": (0, 0, 5, 1)}


def test_rare_pairs_are_one_group() -> None:
    labels = [f"label{n}" for n in range(8)]
    cases = [LabelledCase(f"c{n}", {"t": "x"}, labels[n % 8]) for n in range(48)]
    outcomes = {
        case.case_id: CaseOutcome(case.case_id, 0.0, 0.0, output=labels[(n + 1 + n % 5) % 8])
        for n, case in enumerate(cases)
    }
    found = find_patterns(cases, outcomes)
    assert sum(group.size for group in found.groups) == 48
    assert len(found.groups) <= 6
    assert found.groups[0].name == "Another label" or found.groups[-1].name == "Another label"


def test_nothing_failed() -> None:
    found = find_patterns(*queues(["billing", "shipping", "refund"]))
    assert (found.cases, found.failures, found.groups, found.strategies) == (3, 0, (), ())
    assert find_patterns([], {}) == ErrorPatterns()


def test_what_did_not_run_is_no_evidence() -> None:
    cases, outcomes = queues(["nonsense"] * 6)
    outcomes["c0"] = CaseOutcome("c0", 0.0, 0.0, ran=False)
    del outcomes["c1"]
    found = find_patterns(cases, outcomes)
    assert (found.cases, found.failures) == (4, 4)


def test_strategies_follow_the_largest_groups() -> None:
    prose = find_patterns(*queues(["The queue is probably one of those I have seen"] * 12))
    assert strategies_for(prose)[0] == "format_focus"
    pairs = find_patterns(*queues(["shipping", "refund", "billing"] * 6))
    assert strategies_for(pairs)[0] == "demonstrations"
    assert strategies_for(find_patterns(*queues([None] * 6))) == ("efficiency_focus",)
    assert strategies_for(None) == ()


def test_material_for_a_rewriter() -> None:
    text = group_material(find_patterns(*queues(["shipping", "shipping", "refund"] * 4)).groups[0])
    lines = text.splitlines()
    assert lines[0] == "Answered 'shipping' where 'billing' is right (4 of the failures, 100%)"
    assert lines[1:4] == ["- input: message 0", "  answer: shipping", "  expected: billing"]
    assert lines[-1].startswith("What may help: ")


def test_texts_are_bounded() -> None:
    cases, outcomes = queues(["word " * 50_000] * 6)
    example = find_patterns(cases, outcomes).groups[0].examples[0]
    assert len(example.output or "") <= 300
    assert (example.output or "").endswith("…")


def test_how_an_answer_ended_reaches_the_outcome() -> None:
    result = TaskResult(
        task_id="t", case_id="c", status=TaskStatus.FAILED, output="{", finish_reason="length",
        assertion_results=({"type": "is-json", "passed": False, "score": 0, "reason": "no JSON"},),  # type: ignore[arg-type]
    )  # fmt: skip
    (outcome,) = outcomes_of([result])
    assert (outcome.finish_reason, outcome.failed_assertions) == ("length", ("is-json",))
    assert find_patterns([LabelledCase("c", {})], {"c": outcome}).groups[0].kind == "json_cut"


ANSWERS = st.lists(
    st.none() | st.sampled_from([*QUEUES, "Billing.", "{", "", "I can't help with that"]) | st.text(max_size=30),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_every_failure_is_in_exactly_one_group(answers: list[str | None]) -> None:
    cases, outcomes = queues(answers)
    found = find_patterns(cases, outcomes)
    assert sum(group.size for group in found.groups) == found.failures == found.looked_at
    assert len({group.id for group in found.groups}) == len(found.groups)
    assert abs(sum(group.share for group in found.groups) - (1 if found.failures else 0)) < 1e-9
    if found.confusion:
        answered = sum(outcome.output is not None for outcome in outcomes.values())
        assert sum(map(sum, found.confusion.counts)) == answered
    assert find_patterns(cases, outcomes) == found
    assert ErrorPatterns.model_validate_json(found.model_dump_json()) == found


def test_ten_thousand_failures_take_no_time() -> None:
    words = [f"word{n}" for n in range(9)] + ["the", "of", "and", "that", "came", "late", "was", "it", "is"]
    cases = [
        LabelledCase(f"c{n}", {"text": " ".join(words[n % 17 :] + words)}, QUEUES[n % 3], {"channel": str(n % 4)})
        for n in range(10_000)
    ]
    said = [
        "This is a message on a parcel, so it belongs to shipping.",
        "shipping",
        "no idea at all about this one, sorry",
    ]
    outcomes = {
        case.case_id: CaseOutcome(case.case_id, 0.0 if n % 7 else 1.0, 0.0, output=said[n % 3 - 1])
        for n, case in enumerate(cases)
    }
    find_patterns(cases[:50], outcomes)  # the data files are read once
    started = time.process_time()
    find_patterns(cases, outcomes)
    taken = time.process_time() - started
    assert taken < 5.0  # measured: 0.4 s; a tracer of coverage takes the sixfold, what is quadratic minutes


def test_held_out_cases_are_not_looked_at() -> None:
    cases, outcomes = queues(["shipping", "shipping", "refund"] * 4)
    split = Split(train=("c0", "c1"), dev=("c2", "c3"), holdout=tuple(case.case_id for case in cases[4:]))
    found = learning_patterns(cases, outcomes, split)
    assert found is not None
    assert (found.cases, found.failures) == (4, 2)
    shown = {example.case_id for group in found.groups for example in group.examples}
    assert shown == {"c0", "c3"}
    assert "held out" in found.basis
    assert learning_patterns(cases[4:], outcomes, split) is None


def test_auto_tries_what_the_failures_call_for_after_what_the_rules_say() -> None:
    names = expand(("auto",), "clarity_focus", False, ("format_focus", "rewrite", "structure_focus"))
    assert names[:4] == ("clarity_focus", "format_focus", "structure_focus", "demonstrations")
    assert expand(("demonstrations",), "clarity_focus", False, ("format_focus",)) == ("demonstrations",)

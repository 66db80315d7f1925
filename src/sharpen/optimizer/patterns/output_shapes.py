"""What one failing answer looks like. The most specific shape wins, so that every failure has exactly one. Pure."""

from __future__ import annotations

import re
from typing import Any

from sharpen.assertions.transforms import extract_number, strip_quotes
from sharpen.errors import ErrorKind
from sharpen.optimizer.analysis.output_contract import is_number
from sharpen.optimizer.patterns.json_shapes import json_shape
from sharpen.optimizer.patterns.language import sure_language
from sharpen.optimizer.patterns.lists import refusal
from sharpen.optimizer.patterns.shape import Shape
from sharpen.optimizer.patterns.task import Task, answer_text, plain
from sharpen.optimizer.ports import CaseOutcome, LabelledCase

CUT_REASONS = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
"""How providers say that the answer ended at the token limit."""
MEASURED = frozenset({"latency", "cost"})
SEEN = 2_000
"""Characters of an answer and of an input that are compared."""
ECHOED = 20
"""An echo repeats at least so many characters of the input, from its beginning."""
ECHO_HEAD = 60
_WORD_END = re.compile(r"\w")


def shape_of(case: LabelledCase | None, outcome: CaseOutcome, task: Task) -> Shape:
    """The shape of a failing outcome. ``case`` None: its inputs are not known."""
    kind = outcome.error_kind
    if kind is not None and kind is not ErrorKind.ASSERTION:
        return Shape(str(kind))
    output = outcome.output
    if output is None:
        return Shape("no_answer")
    failed = outcome.failed_assertions
    if failed and all(name.removeprefix("not-") in MEASURED for name in failed):
        return Shape("too_slow")
    if not output.strip():
        return Shape("empty")
    expected = case.expected if case else None
    if refusal().match(output[:300]) and not refusal().match(answer_text(expected)[:300]):
        return Shape("refusal")
    cut = outcome.finish_reason in CUT_REASONS
    if task.kind == "json":
        found = json_shape(output, expected, outcome.reasons, cut)
        return found or _check(outcome)
    inputs = _inputs(case)
    if task.kind == "labels":
        found = _label_shape(_without_echo(output, inputs), expected, task)
    elif task.kind == "number":
        found = _number_shape(output, expected)
    else:
        found = _text_shape(output, expected)
    return found or _left_over(output, expected, inputs, task, outcome, cut)


def _label_shape(output: str, expected: Any, task: Task) -> Shape | None:
    text, right = plain(output[:SEEN]), plain(answer_text(expected))
    if not text or not right:
        return None
    if text == right:
        return None if output.strip() == answer_text(expected).strip() else Shape("label_form")
    if text in task.labels:
        return Shape("wrong_label", task.labels[text], answer_text(expected).strip())
    named = task.named(output[:SEEN])
    first = plain(output.strip().splitlines()[0])
    if first == right or (_starts_with(text, right) and len(named) == 1):
        return Shape("label_continued")
    if first in task.labels:
        return Shape("wrong_label", task.labels[first], answer_text(expected).strip())
    if len(named) > 1:
        return Shape("several_labels")
    if named:
        same = plain(named[0]) == right
        return Shape("label_in_prose") if same else Shape("wrong_label", named[0], answer_text(expected).strip())
    return None


def _number_shape(output: str, expected: Any) -> Shape | None:
    found = extract_number(output[:SEEN])
    if not found:
        return None
    right = answer_text(expected).replace(",", "").strip()
    if is_number(right) and not is_number(output) and any(float(n) == float(right) for n in _numbers(output[:SEEN])):
        return Shape("number_in_prose")
    if is_number(right) and is_number(output) and float(found) == float(right):
        return None  # the right number: another check failed
    if not right:
        return None if is_number(output) else Shape("number_in_prose")
    return Shape("wrong_number")


def _numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text.replace(",", ""))[:100]


def _text_shape(output: str, expected: Any) -> Shape | None:
    text, right = plain(output[:SEEN]), plain(answer_text(expected)[:SEEN])
    if not right or output.strip() == answer_text(expected).strip():
        return None
    if text == right or plain(strip_quotes(output[:SEEN])) == right:
        return Shape("text_form")
    if _starts_with(text, right):
        return Shape("text_continued")
    return Shape("text_in_prose") if len(right) > 1 and _stands_in(text, right) else None


def _left_over(
    output: str, expected: Any, inputs: tuple[str, ...], task: Task, outcome: CaseOutcome, cut: bool
) -> Shape:
    """What holds for an answer of any kind in which the right one was not found."""
    if plain(output[:SEEN]) == plain(answer_text(expected)[:SEEN]) != "":
        return _check(outcome)
    if any(len(text) >= ECHOED and text[:ECHO_HEAD] in plain(output[:SEEN]) for text in inputs):
        return Shape("echo")
    if other := _other_language(output, expected, inputs, task):
        return Shape("language", other)
    if cut:
        return Shape("cut")
    if task.kind == "labels":
        words = plain(output[:SEEN]).split()
        longest = max(len(name.split()) for name in task.labels)
        like_a_label = 0 < len(words) <= longest + 1
        return Shape("invented_label", " ".join(words)[:40]) if like_a_label else Shape("no_label")
    return Shape("no_number") if task.kind == "number" else _check(outcome)


def _other_language(output: str, expected: Any, inputs: tuple[str, ...], task: Task) -> str | None:
    """The answer's language, when it is surely neither that of the expected answer nor, without one, of the inputs."""
    found = sure_language(output)
    if found is None:
        return None
    wanted = sure_language(answer_text(expected)) if task.kind == "text" else None
    known = {wanted} if wanted else {language for text in inputs if (language := sure_language(text))}
    return found if known and found not in known else None


def _check(outcome: CaseOutcome) -> Shape:
    return Shape("assertion", outcome.failed_assertions[0]) if outcome.failed_assertions else Shape("other")


def _inputs(case: LabelledCase | None) -> tuple[str, ...]:
    return tuple(plain(text[:SEEN]) for text in case.variables.values() if isinstance(text, str)) if case else ()


def _without_echo(output: str, inputs: tuple[str, ...]) -> str:
    """The answer after the input that it repeats first: labels that stand in the input are no answer."""
    lowered = output[: 2 * SEEN].casefold()
    for text in inputs:
        if len(text) >= ECHOED and 0 <= (at := lowered.find(text)) < ECHO_HEAD and len(lowered) == len(output):
            return output[at + len(text) :]
    return output


def _starts_with(text: str, start: str) -> bool:
    return text.startswith(start) and not _WORD_END.match(text, len(start))


def _stands_in(text: str, part: str) -> bool:
    at = text.find(part)
    while at >= 0:
        before = at == 0 or not _WORD_END.match(text, at - 1)
        if before and not _WORD_END.match(text, at + len(part)):
            return True
        at = text.find(part, at + 1)
    return False

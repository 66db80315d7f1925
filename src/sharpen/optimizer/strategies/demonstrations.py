"""Few-shot examples drawn from the train split; which draw helps is measured, never assumed.

In a chat the examples are user / assistant turns before the real question, or stand inside the one message. In a raw
completion they are worked examples in the very form of the question, with the instructions once above them, or repeated
with every example: small models follow the repeated form better, larger ones do not need its tokens.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sharpen.config.prompts import PromptMessage
from sharpen.errors import TemplateError
from sharpen.optimizer.analysis.accepted_answers import answer_of
from sharpen.optimizer.models import Change
from sharpen.optimizer.strategies.base import Candidate, Strategy, StrategyContext
from sharpen.templating import escape, render

SIZES = (8, 4, 2)  # how many examples, most promising first
DRAWS = 2  # random draws of each size: which examples are shown matters as much as how many
FORMS = {"chat": ("turns", "inline"), "completions": ("repeated", "inline")}
CHARACTERS_PER_TOKEN = 4
CUE = "Answer:"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One worked example: the case's variables and the answer to show."""

    case_id: str
    variables: dict[str, Any]
    answer: str


class Demonstrations(Strategy):
    """Adds worked examples from the train split."""

    name = "demonstrations"

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """One candidate for each size, draw and form, as long as the examples fit."""
        pool = _pool(context)
        forms = FORMS.get(context.api, ("turns", "inline"))
        candidates: dict[str, Candidate] = {}  # by content: without instructions two forms are one
        for draw in range(DRAWS):
            for size in SIZES:
                if size > len(pool):
                    continue
                chosen = draw_balanced(pool, size, context.rng)
                for form in forms:
                    candidate = _candidate(context, chosen, form, draw)
                    if candidate is not None:
                        candidates.setdefault(candidate.prompt.content_hash, candidate)
        return list(candidates.values())[: context.max_candidates]

    async def reapply(self, candidate: Candidate, context: StrategyContext) -> Candidate | None:
        """The same examples in the same form."""
        pool = {demonstration.case_id: demonstration for demonstration in _pool(context)}
        if not candidate.examples or not pool.keys() >= set(candidate.examples):
            return None
        form = candidate.changes[-1].rule_id.rpartition("/")[2]
        return _candidate(context, [pool[case_id] for case_id in candidate.examples], form)


def draw_balanced(pool: Sequence[Demonstration], size: int, rng: random.Random) -> list[Demonstration]:
    """``size`` demonstrations, each answer as often as the others where there are enough, in random order."""
    by_answer: dict[str, list[Demonstration]] = defaultdict(list)
    for demonstration in pool:
        by_answer[demonstration.answer].append(demonstration)
    groups = [rng.sample(by_answer[answer], len(by_answer[answer])) for answer in sorted(by_answer)]
    rng.shuffle(groups)
    chosen = [group[k] for k in range(max(map(len, groups))) for group in groups if k < len(group)][:size]
    rng.shuffle(chosen)
    return chosen


def split_question(content: str) -> tuple[str, str]:
    """(instructions, question): the question begins with the line of the first placeholder.

    A template with control blocks is not cut apart: all of it is the question.
    """
    start = content.find("{{")
    if start < 0 or "{%" in content:
        return "", content
    cut = content.rfind("\n", 0, start) + 1
    return content[:cut].rstrip(), content[cut:]


def _pool(context: StrategyContext) -> list[Demonstration]:
    """Train cases with an answer: what the assertions accept, else the expected one, else an output that passed."""
    pool, accepted = [], answer_of(context.assertions)
    for case in context.train:
        outcome = context.train_outcomes.get(case.case_id)
        if (found := accepted(case)) is not None:
            answer = found
        elif case.expected is not None:
            answer = case.expected if isinstance(case.expected, str) else json.dumps(case.expected, ensure_ascii=False)
        elif outcome is not None and outcome.passed and outcome.output:
            answer = outcome.output.strip()
        else:
            continue
        pool.append(Demonstration(case.case_id, case.variables, answer))
    return pool


def _candidate(
    context: StrategyContext, chosen: Sequence[Demonstration], form: str, draw: int | None = None
) -> Candidate | None:
    """The prompt with ``chosen`` in ``form``; None when it holds no question or the examples do not fit."""
    messages = context.prompt.messages
    last = len(messages) - 1
    if messages[last].role != "user" or "{{" not in messages[last].content:
        return None
    build = {"turns": _as_turns, "inline": _inline, "repeated": _repeated}[form]
    try:
        added = build(messages[last].content, chosen)
    except TemplateError:  # a train case lacks a variable: its own run says so, no example can be made of it
        return None
    new = context.prompt.with_messages((*messages[:last], *added))
    grown = len(new.text) - len(context.prompt.text)
    if context.max_added_tokens is not None and grown / CHARACTERS_PER_TOKEN > context.max_added_tokens:
        return None
    names = ", ".join(demonstration.case_id for demonstration in chosen)
    how = {
        "turns": "as turns of the chat",
        "inline": "above the question",
        "repeated": "with the instructions in each",
    }[form]
    names = names if draw is None else f"draw {draw + 1}: {names}"
    change = Change(
        rule_id=f"demonstrations/{form}",
        reason=f"{len(chosen)} worked examples from the train split {how} ({names})",
        after=new.text[:2000],
    )
    examples = tuple(demonstration.case_id for demonstration in chosen)
    return Candidate(prompt=new, strategy=Demonstrations.name, changes=(change,), examples=examples)


def _as_turns(content: str, chosen: Sequence[Demonstration]) -> tuple[PromptMessage, ...]:
    """Instructions first (as a system message), then question and answer by turns, then the real question."""
    instructions, question = split_question(content)
    messages = [PromptMessage(role="system", content=instructions)] if instructions else []
    for demonstration in chosen:
        asked = escape(render(question, demonstration.variables))
        messages.append(PromptMessage(role="user", content=asked))
        messages.append(PromptMessage(role="assistant", content=escape(demonstration.answer)))
    return (*messages, PromptMessage(role="user", content=question))


def _inline(content: str, chosen: Sequence[Demonstration]) -> tuple[PromptMessage, ...]:
    """One text: instructions once, worked examples, and the question in the same form."""
    instructions, question = split_question(content)
    return _worked(instructions, question, chosen)


def _repeated(content: str, chosen: Sequence[Demonstration]) -> tuple[PromptMessage, ...]:
    """One text in which every example is the whole message with its answer."""
    return _worked("", content, chosen)


def _worked(instructions: str, question: str, chosen: Sequence[Demonstration]) -> tuple[PromptMessage, ...]:
    """Examples in the question's own form; the text ends where the answer begins."""
    question = question.rstrip()
    if not question.endswith(":"):
        question = f"{question}\n{CUE}"
    shown = [
        f"{escape(render(question, demonstration.variables))} {escape(demonstration.answer)}"
        for demonstration in chosen
    ]
    text = "\n\n".join(part for part in (instructions, *shown, question) if part)
    return (PromptMessage(role="user", content=text),)

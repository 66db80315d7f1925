"""Takes out what costs tokens and asks for nothing. The task, the contract and the input always stay.

Where tokens are what the search is about, the rewriter, if there is one, is asked for shorter versions, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.optimizer.analysis.analyzer import find_issues
from sharpen.optimizer.analysis.cuts import sentence_removal
from sharpen.optimizer.analysis.examples import LABEL_LINE
from sharpen.optimizer.analysis.fixes import touches_tag
from sharpen.optimizer.analysis.output_contract import OutputContract
from sharpen.optimizer.analysis.text import HOLE, MessageText, Sentence
from sharpen.optimizer.models import TextEdit
from sharpen.optimizer.strategies.base import Candidate, StrategyContext
from sharpen.optimizer.strategies.compression import GOALS, compressed
from sharpen.optimizer.strategies.edits import Draft, read
from sharpen.optimizer.strategies.rule_strategy import RuleStrategy

RULES = frozenset({"SP105", "SP302", "SP303", "SP402"})
"""Lint rules whose safe fixes shorten a prompt."""
BACKGROUND_WORDS = 4

_GAPS = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)|\n[ \t]*(?:\n[ \t]*){2,}")


class EfficiencyFocus(RuleStrategy):
    """Removes filler, courtesies, repetitions and empty space; then, as a second candidate, background too.

    A model's shorter versions come after these.
    """

    name = "efficiency_focus"
    asks = 2 + len(GOALS)

    async def propose(self, context: StrategyContext) -> list[Candidate]:
        """By the rules, then by the rewriter."""
        found = await super().propose(context)
        known = {context.prompt.content_hash, *(each.prompt.content_hash for each in found)}
        for goal in GOALS[: max(0, context.max_candidates - len(found))] if context.saving else ():
            shorter = await compressed(context, goal, self.name)
            if shorter is not None and shorter.prompt.content_hash not in known:
                known.add(shorter.prompt.content_hash)
                found.append(shorter)
        return found

    async def reapply(self, candidate: Candidate, context: StrategyContext) -> Candidate | None:
        """By the rules; what a model left out cannot be left out elsewhere."""
        for again in await super().propose(context):
            if {change.rule_id for change in again.changes} <= {change.rule_id for change in candidate.changes}:
                return again
        return None

    def drafts(self, context: StrategyContext) -> Iterator[Draft]:
        """At most two drafts: what changes nothing of what is asked, and the instructions alone."""
        lean = _collapsed(context, _fixed(context, Draft(context.prompt)))
        yield lean
        yield _without_background(context, lean)


def _fixed(context: StrategyContext, draft: Draft) -> Draft:
    """All safe fixes, one after the other: every fix moves the places of those behind it."""
    while True:
        issues = find_issues(read(context, draft.prompt), RULES)
        issue = next((issue for issue in issues if issue.fixable), None)
        if issue is None:
            return draft
        mended = draft.edited(issue.message_index, issue.edits, issue.type, issue.description)
        if len(mended.prompt.text) >= len(draft.prompt.text):  # a fix that does not shorten would come up for ever
            return draft
        draft = mended


def _collapsed(context: StrategyContext, draft: Draft) -> Draft:
    for message in read(context, draft.prompt).messages:
        if "```" in message.source:  # spaces mean something in code
            continue
        edits = [
            TextEdit(start=found.start(), end=found.end(), replacement="\n\n" if "\n" in found.group() else " ")
            for found in _GAPS.finditer(message.source)
            if not any(tag.start < found.end() and found.start() < tag.end for tag in message.tags)
        ]
        if edits:
            draft = draft.edited(message.index, edits, "efficiency/whitespace", "empty space costs tokens")
    return draft


def _without_background(context: StrategyContext, draft: Draft) -> Draft:
    """Statements go that are neither instruction nor rule nor label, when a task remains without them."""
    document = read(context, draft.prompt)
    if not document.tasks:
        return draft
    asking = {(found.sentence.message, found.sentence.start) for found in document.instructions}
    for message in document.speaking:
        edits = [
            edit
            for sentence in document.sentences
            if sentence.message == message.index
            and (sentence.message, sentence.start) not in asking
            and _is_background(message, sentence, document.contract)
            and not touches_tag(message.source, edit := sentence_removal(message.source, sentence))
        ]
        if edits:
            draft = draft.edited(message.index, edits, "efficiency/background", "it asks for nothing")
    return _collapsed(context, _fixed(context, draft))  # what was apart may now be said twice in a row


def _is_background(message: MessageText, sentence: Sentence, contract: OutputContract | None) -> bool:
    text = sentence.text
    line_start = message.prose.rfind("\n", 0, sentence.start) + 1
    is_item = message.prose[line_start : sentence.start].strip(" \t") in {"-", "*", "•"}
    if (
        HOLE in text
        or is_item
        or LABEL_LINE.search(_paragraph(message, sentence))
        or len(sentence.words) < BACKGROUND_WORDS
    ):
        return False  # a paragraph with a labelled line is a worked example: its parts belong together
    names = (*contract.labels, *(key.name for key in contract.keys), "json") if contract else ()
    return text.endswith(".") and not any(name.casefold() in text.casefold() for name in names)


def _paragraph(message: MessageText, sentence: Sentence) -> str:
    """The paragraph that a sentence stands in."""
    start = message.prose.rfind("\n\n", 0, sentence.start)
    end = message.prose.find("\n\n", sentence.end)
    return message.prose[max(0, start) : end if end >= 0 else None]

"""Says in the prompt what the assertions check, in the places where models are known to look for it."""

from __future__ import annotations

from collections.abc import Iterator

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.examples import LABEL_LINE
from sharpen.optimizer.analysis.text import MessageText
from sharpen.optimizer.models import TextEdit
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.edits import Draft, read
from sharpen.optimizer.strategies.output_contract import DEFAULT_CUE, answer_name, answers_in_english, contract_text
from sharpen.optimizer.strategies.rule_strategy import RuleStrategy

_WHY = "the assertions accept this form only"


class FormatFocus(RuleStrategy):
    """Adds the output contract: before the input, at the end, as a system message, with a line to answer on."""

    name = "format_focus"

    def drafts(self, context: StrategyContext) -> Iterator[Draft]:
        """One draft for each place; none when the assertions demand no form."""
        document = read(context)
        draft, text = Draft(context.prompt), contract_text(document)
        if text and text not in document.source:
            before = add_before_input(document, draft, text)
            yield with_cue(before, context)
            yield before
            yield add_at_end(document, draft, text)
            if context.api == "chat":
                yield add_to_system(document, draft, text)
            yield with_cue(add_to_system(document, draft, text), context)
        if text or context.api == "completions":
            yield with_cue(draft, context)
            yield with_cue(draft, context, DEFAULT_CUE)


def add_before_input(document: Document, draft: Draft, text: str) -> Draft:
    """The contract ends the instructions: it stands right before the first inserted value's line."""
    message = next((m for m in reversed(document.speaking) if m.inserted), None)
    if message is None:
        return add_at_end(document, draft, text)
    region = message.inserted[0]
    start = message.prose.rfind("\n", 0, region.start) + 1
    start = min(start, _first_example(document, message, start))
    inside = next((r for r in message.regions if r.start < start < r.end), None)
    start = inside.start if inside else start
    while start and message.prose[:start].rstrip(" \t").endswith(("\n```\n", '\n"""\n', ">\n", ":\n")):
        start = message.prose.rfind("\n", 0, start - 1) + 1  # a fence or label belongs to the value
    edit = TextEdit(start=start, end=start, replacement=f"{text}\n\n")
    return draft.edited(message.index, [edit], "format/contract-before-input", _WHY)


def _first_example(document: Document, message: MessageText, end: int) -> int:
    """Where worked examples begin before ``end``, so that they and the question stay side by side; else ``end``."""
    if not any(answer.message == message.index and answer.start < end for answer in document.answers):
        return end
    question = LABEL_LINE.match(message.prose, end)
    for line in LABEL_LINE.finditer(message.prose, 0, end):
        if question and line.group(1).casefold() == question.group(1).casefold():
            return line.start()
    paragraph = message.prose.find("\n\n")  # examples without a label follow the instructions' paragraph
    return paragraph + 2 if 0 <= paragraph < end else end


def add_at_end(document: Document, draft: Draft, text: str) -> Draft:
    """The contract is the last thing the model reads, before the line to answer on if there is one."""
    message = document.speaking[-1]
    end = len(message.source.rstrip())
    if document.cue and message.index == len(document.messages) - 1:
        end = message.source.rstrip().rfind("\n") + 1
        replacement = f"{text}\n" if end else f"{text}\n\n"
        edit = TextEdit(start=end, end=end, replacement=replacement)
    else:
        edit = TextEdit(start=end, end=len(message.source), replacement=f"\n\n{text}")
    return draft.edited(message.index, [edit], "format/contract-at-end", _WHY)


def add_to_system(document: Document, draft: Draft, text: str) -> Draft:
    """The contract is the system message, or its last sentence."""
    first = document.messages[0]
    if first.role == "system":
        end = len(first.source.rstrip())
        edit = TextEdit(start=end, end=len(first.source), replacement=f"\n{text}" if end else text)
        return draft.edited(0, [edit], "format/contract-in-system", _WHY)
    messages = (PromptMessage(role="system", content=text), *draft.prompt.messages)
    return draft.rebuilt(messages, "format/contract-in-system", _WHY)


def with_cue(draft: Draft, context: StrategyContext, name: str = "") -> Draft:
    """Ends the prompt in an open line such as ``Queue:``; unchanged when it ends in one, or is not English."""
    document = read(context, draft.prompt)
    last = document.messages[-1]
    if document.cue or last.role == "assistant" or not answers_in_english(document):
        return draft
    end = len(last.source.rstrip())
    cue = f"{name or answer_name(document)}:"
    edit = TextEdit(start=end, end=len(last.source), replacement=f"\n{cue}" if end else cue)
    return draft.edited(last.index, [edit], "format/cue", "the prompt ends where the answer begins")

"""Puts a prompt in order: instructions, then the input set apart, then the form of the answer."""

from __future__ import annotations

from collections.abc import Iterator

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.edits import Draft, literal, read
from sharpen.optimizer.strategies.layout import Parts, take_apart
from sharpen.optimizer.strategies.output_contract import (
    answer_name,
    answers_in_english,
    contract_text,
    listing,
)
from sharpen.optimizer.strategies.rule_strategy import RuleStrategy


class StructureFocus(RuleStrategy):
    """Rebuilds the prompt from its parts in forms that models know: a form to fill in, sections, system and user."""

    name = "structure_focus"

    def drafts(self, context: StrategyContext) -> Iterator[Draft]:
        """One draft for each form; none when instructions and input cannot be told apart.

        A prompt with worked examples has its form already, and the examples would have to follow another one.
        """
        document = read(context)
        if not document.answers and (parts := take_apart(document)):
            yield from _forms(context, document, parts)


def _forms(context: StrategyContext, document: Document, parts: Parts) -> Iterator[Draft]:
    draft = Draft(context.prompt)
    contract = "" if (text := contract_text(document)) in document.source else text
    yield _user(draft, form(document, parts, contract), "structure/form", "a form with one open line at its end")
    if labels := _label_form(document, parts):
        yield _user(draft, labels, "structure/label-form", "a form that lists the labels above the input")
    if context.api == "chat":
        yield _split(draft, parts, contract)
    yield _user(draft, sections(document, parts, contract), "structure/sections", "task, input and output set apart")
    if contract:
        yield _user(draft, form(document, parts, ""), "structure/form", "a form with one open line at its end")


def form(document: Document, parts: Parts, contract: str) -> str:
    """Instructions and contract, a labelled line for each input, and the open line of the answer."""
    inputs = "\n".join(found.labelled for found in parts.inputs)
    cue = _cue(document)
    filled = f"{inputs}\n{cue}" if cue else inputs
    return _paragraphs(parts.instructions, contract, filled)


def sections(document: Document, parts: Parts, contract: str) -> str:
    """Parts under headings (English prompts) with tags around each input, the form of the answer last."""
    inputs = "\n".join(found.fenced for found in parts.inputs)
    if not answers_in_english(document):
        return _paragraphs(parts.instructions, inputs, contract, document.cue and f"{document.cue}:")
    task = f"## Task\n{parts.instructions}" if parts.instructions else ""
    cue = _cue(document)
    output = "\n".join(part for part in (contract, cue) if part)
    return _paragraphs(task, f"## Input\n{inputs}", f"## Output\n{output}")


def _label_form(document: Document, parts: Parts) -> str:
    contract = document.contract
    if contract is None or contract.kind != "labels" or not answers_in_english(document):
        return ""
    name = answer_name(document)
    inputs = "\n".join(found.labelled for found in parts.inputs)
    options = literal(f"{name} is one of: {listing(contract.labels)}")
    return _paragraphs(parts.instructions, options, f"{inputs}\n{name}:")


def _split(draft: Draft, parts: Parts, contract: str) -> Draft:
    system = _paragraphs(parts.instructions, contract)
    user = PromptMessage(role="user", content="\n".join(found.fenced for found in parts.inputs))
    messages = (PromptMessage(role="system", content=system), user) if system else (user,)
    return draft.rebuilt(
        messages, "structure/system-user", "the system message instructs, the user message is the input"
    )


def _user(draft: Draft, text: str, rule_id: str, reason: str) -> Draft:
    return draft.rebuilt((PromptMessage(role="user", content=text),), rule_id, reason)


def _cue(document: Document) -> str:
    name = document.cue or (answer_name(document) if answers_in_english(document) else "")
    return f"{name}:" if name else ""


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)

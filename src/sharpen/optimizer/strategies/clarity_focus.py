"""Says the task plainly: what to do, with which input, without buried or contradictory wording."""

from __future__ import annotations

from collections.abc import Iterator

from sharpen.optimizer.analysis.cuts import sentence_removal
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.fixes import touches_tag
from sharpen.optimizer.analysis.lexicon import conflicts
from sharpen.optimizer.analysis.output_contract import OutputContract, listing
from sharpen.optimizer.analysis.rules.task import buried_instruction, conflicting_sentences, missing_task, vague_task
from sharpen.optimizer.models import TextEdit
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.edits import Draft, literal, read
from sharpen.optimizer.strategies.format_focus import with_cue
from sharpen.optimizer.strategies.layout import find_inputs
from sharpen.optimizer.strategies.output_contract import answer_name, answers_in_english, readable
from sharpen.optimizer.strategies.rule_strategy import RuleStrategy


class ClarityFocus(RuleStrategy):
    """Mends wording, names the input, and states a task that is missing or says nothing."""

    name = "clarity_focus"

    def drafts(self, context: StrategyContext) -> Iterator[Draft]:
        """The task as a command and as a question, with and without a line to answer on; and the wording alone."""
        worded = _worded(context, Draft(context.prompt))
        named = name_inputs(read(context, worded.prompt), worded)
        document = read(context, worded.prompt)
        for task in _tasks(document):
            stated = _state_task(document, worded, task)
            labelled = name_inputs(read(context, stated.prompt), stated)
            yield with_cue(labelled, context)
            yield labelled
        yield named
        yield worded
        if context.assertions or context.api == "completions":
            yield with_cue(named, context)


def name_inputs(document: Document, draft: Draft) -> Draft:
    """Puts a label before every value that stands alone on its line: ``Message: {{ message }}``."""
    for found in reversed(find_inputs(document)):
        if found.bare:
            start = document.messages[found.message].source.index(found.tag, found.start)
            edit = TextEdit(start=start, end=start, replacement=f"{readable(found.name)}: ")
            draft = draft.edited(found.message, [edit], "clarity/name-input", "the model sees what the text is")
    return draft


def _worded(context: StrategyContext, draft: Draft) -> Draft:
    """The wording mended where that changes no demand; a number for "a few" would be invented (SP301 only tells)."""
    draft = _consistent(read(context, draft.prompt), draft)
    return _unburied(read(context, draft.prompt), draft)


def _consistent(document: Document, draft: Draft) -> Draft:
    """Drops a demand that contradicts what the assertions check; other contradictions are the author's to decide."""
    contract = document.contract
    if document.language != "en" or contract is None or not contract.exact or contract.kind == "text":
        return draft
    for conflict in conflicts():
        pair = conflicting_sentences(document, conflict)
        if not pair or conflict.name not in _DECIDED.get(contract.kind, ()):
            continue
        dropped = pair[1]
        asks_alone = all(found.sentence == dropped for found in document.tasks)
        source = document.messages[dropped.message].source
        edit = sentence_removal(source, dropped)
        if dropped != pair[0] and not touches_tag(source, edit) and not asks_alone:
            reason = f"{conflict.name}: the assertions accept the short form only"
            return draft.edited(dropped.message, [edit], "SP104", reason)
    return draft


def _unburied(document: Document, draft: Draft) -> Draft:
    """Moves the only instruction from the middle of a long text to its beginning."""
    for finding in buried_instruction(document):
        message = document.messages[finding.message]
        sentence = next(s for s in document.sentences if (s.message, s.start) == (finding.message, finding.start))
        cut = sentence_removal(message.source, sentence)
        if touches_tag(message.source, cut) or any(r.start < sentence.start < r.end for r in message.regions):
            continue
        moved = message.source[sentence.start : sentence.end]
        edits = [TextEdit(start=0, end=0, replacement=f"{moved}\n\n"), cut]
        draft = draft.edited(message.index, edits, "SP103", "the only instruction stood in the middle of a long text")
    return draft


def _tasks(document: Document) -> tuple[str, ...]:
    """Statements of the task when the prompt has none that says anything and the contract tells what it is."""
    contract = document.contract
    weak = any(True for check in (missing_task, vague_task) for _ in check(document))
    if not weak or contract is None or not answers_in_english(document):
        return ()
    inputs = [readable(found.name).lower() for found in find_inputs(document)]
    return tuple(map(literal, _statements(contract, " and the ".join(inputs) or "text", answer_name(document).lower())))


def _statements(contract: OutputContract, what: str, name: str) -> tuple[str, ...]:
    if contract.kind == "labels":
        labels = listing(contract.labels)
        noun = "category" if name == "answer" else name
        return (
            f"Classify the {what} below as exactly one of: {labels}.",
            f"Which {noun} fits the {what} below: {labels}?",
        )
    if contract.kind == "json" and contract.keys:
        return (
            f"Read the {what} below and extract: {listing([key.name for key in contract.keys])}. {contract.sentence()}",
        )
    return (f"Read the {what} below and answer. {contract.sentence()}",)


def _state_task(document: Document, draft: Draft, task: str) -> Draft:
    for finding in vague_task(document):
        edit = TextEdit(start=finding.start, end=finding.end, replacement=task)
        if not touches_tag(document.messages[finding.message].source, edit):
            return draft.edited(finding.message, [edit], "SP102", "the task said nothing definite")
    message = document.speaking[-1]
    edit = TextEdit(start=0, end=0, replacement=f"{task}\n\n")
    return draft.edited(message.index, [edit], "SP101", "the prompt asked for nothing")


_DECIDED = {
    "json": ("only JSON and free text",),
    "labels": ("one word and more than one word", "brief and detailed", "one label and several labels"),
    "number": ("one word and more than one word", "brief and detailed"),
}

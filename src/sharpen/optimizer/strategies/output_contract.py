"""How a prompt says what the assertions demand: the contract's sentence, the line the answer stands on, and where."""

from __future__ import annotations

from sharpen.optimizer.analysis.contract_derivation import derive_contract
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.lexicon import label_names, matches, task_nouns
from sharpen.optimizer.analysis.output_contract import Key, OutputContract, listing
from sharpen.optimizer.analysis.text import HOLE
from sharpen.optimizer.strategies.edits import literal

__all__ = ["DEFAULT_CUE", "OutputContract", "answer_name", "contract_text", "derive_contract", "listing", "readable"]

DEFAULT_CUE = "Answer"


def answers_in_english(document: Document) -> bool:
    """Whether English sentences may be added: the prompt is English, or has no words of its own."""
    return document.language == "en" or not any(sentence.words for sentence in document.sentences)


def contract_text(document: Document) -> str:
    """The contract as template text; without words of any language in a prompt that is not English.

    Empty when the assertions demand nothing that can be said so.
    """
    contract = document.contract
    if contract is None:
        return ""
    return literal(contract.sentence() if answers_in_english(document) else neutral(contract))


def neutral(contract: OutputContract) -> str:
    """The contract as a bare pattern: ``a | b | c``, or a JSON object of keys and types; else empty."""
    if contract.kind == "labels":
        return " | ".join(contract.labels)
    if contract.kind == "json" and contract.keys:
        return "{" + ", ".join(f'"{key.name}": {_pattern(key)}' for key in contract.keys) + "}"
    return ""


def _pattern(key: Key) -> str:
    return f'"{" | ".join(key.choices)}"' if key.choices else key.type or "…"


def answer_name(document: Document) -> str:
    """What the line of the answer is called: what the data, the answers or the prompt call it, else ``Answer``.

    The name matters: a small model completes ``Sentiment:`` with a sentiment and ``Answer:`` with anything.
    """
    contract = document.contract
    if contract is not None and contract.name:
        return readable(contract.name)
    if contract is not None and contract.kind == "json":
        return "JSON"
    answers = {label.casefold() for label in contract.labels} if contract is not None else set()
    for name, members in label_names().items():
        if answers and answers <= members and answers_in_english(document):
            return name
    text = "\n".join(sentence.text for sentence in document.sentences).replace(HOLE, " ")
    for name, forms in task_nouns().items():
        if answers_in_english(document) and matches(forms, text):
            return name
    return DEFAULT_CUE


def readable(name: str) -> str:
    """``user_message`` → ``User message``."""
    spaced = name.replace("_", " ").strip() or name
    return spaced[0].upper() + spaced[1:]

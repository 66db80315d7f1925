"""SP2xx: the prompt asks for the form of answer that the assertions check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.lexicon import matches, patterns
from sharpen.optimizer.analysis.output_contract import OutputContract, is_number, listing
from sharpen.optimizer.analysis.rules.base import ENGLISH, Finding, Rule
from sharpen.optimizer.models import Severity

SHOWN = 5
"""So many missing names are listed in a message."""


def missing_output_format(document: Document) -> Iterator[Finding]:
    """The assertions demand a form, the prompt asks for none."""
    contract = document.contract
    if contract is None or document.answers or not _demands_form(contract) or contract.kind == "json":
        return
    text = "\n".join(sentence.text for sentence in document.sentences)
    form = "number" if contract.kind == "number" else "any"
    if contract.kind == "text" and not contract.shape:
        form = "length" if any("Use " in extra for extra in contract.extras) else "any"
    asked = matches(patterns(f"form_{form}"), text) or (form == "any" and bool(document.cue))
    if not asked:
        yield _whole(document, f"the assertions demand {_demand(contract)}, the prompt does not ask for it", contract)


def labels_not_named(document: Document) -> Iterator[Finding]:
    """The answer is one of a few labels, and the prompt does not name them all."""
    contract = document.contract
    if contract is None or contract.kind != "labels":
        return
    missing = missing_labels(contract.labels, document.source)
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        names = listing(missing[:SHOWN]) + more
        yield _whole(document, f"answers the assertions accept are not named: {names}", contract)


def json_not_asked(document: Document) -> Iterator[Finding]:
    """The answer must be JSON, and the prompt never says so."""
    contract = document.contract
    shown = any(answer.text.lstrip().startswith(("{", "[")) for answer in document.answers)
    if contract and contract.kind == "json" and not shown and "json" not in document.source.casefold():
        yield _whole(document, "the assertions demand JSON, the prompt does not mention it", contract)


def json_keys_not_named(document: Document) -> Iterator[Finding]:
    """The JSON must have keys the prompt does not name."""
    contract = document.contract
    if contract is None or contract.kind != "json":
        return
    missing = [key.name for key in contract.keys if key.name.casefold() not in document.source.casefold()]
    if missing:
        names = listing(missing[:SHOWN])
        yield _whole(document, f"keys the schema asks for are not named: {names}", contract)


def example_violates_format(document: Document) -> Iterator[Finding]:
    """A worked example shows an answer that the assertions would refuse."""
    contract = document.contract
    if contract is None or contract.kind == "text" or not contract.exact:
        return
    for answer in document.answers:
        if not contract.accepts(answer.text):
            shown = " ".join(answer.text.split())[:60]
            yield Finding(
                answer.message,
                answer.start,
                answer.end,
                f"the example answer {shown!r} is none that the assertions accept",
                f"Show an answer of the demanded form. {contract.sentence()}",
            )


def missing_labels(labels: Sequence[str], text: str) -> list[str]:
    """Labels that ``text`` does not hold as whole words. A scale ("from 1 to 5") names the numbers between."""
    folded = text.casefold()
    missing = [label for label in labels if not re.search(rf"(?<!\w){re.escape(label.casefold())}(?!\w)", folded)]
    if missing and all(map(is_number, labels)):
        ends = sorted(labels, key=lambda label: float(label.replace(",", "")))
        return [] if not {ends[0], ends[-1]} & set(missing) else missing
    return missing


def _demands_form(contract: OutputContract) -> bool:
    return contract.exact or bool(contract.extras)


def _demand(contract: OutputContract) -> str:
    if contract.kind == "labels":
        return "exactly one of a few answers"
    return "a number" if contract.kind == "number" else "an answer of a fixed form"


def _whole(document: Document, description: str, contract: OutputContract) -> Finding:
    message = document.speaking[-1] if document.speaking else document.messages[-1]
    return Finding(message.index, 0, len(message.source), description, f"Ask for it: {contract.sentence()}")


RULES = (
    Rule(
        "SP201",
        "missing-output-format",
        Severity.ERROR,
        missing_output_format,
        why="The assertions accept answers of one form only, and nothing in the prompt asks for that form: right "
        "answers in other words will fail.",
        mend='State the form: "Answer with exactly one of: …. No other words."',
        languages=ENGLISH,
    ),
    Rule(
        "SP202",
        "labels-not-named",
        Severity.ERROR,
        labels_not_named,
        why="The expected answers form a small closed set. A model that is not told its members hits them by luck.",
        mend="List the labels exactly as the assertions spell them.",
    ),
    Rule(
        "SP203",
        "json-not-asked",
        Severity.ERROR,
        json_not_asked,
        why="An answer has to be JSON to pass, and the prompt does not say so.",
        mend='Ask for it: "Answer with one JSON object only, with the keys …".',
    ),
    Rule(
        "SP204",
        "json-keys-not-named",
        Severity.WARNING,
        json_keys_not_named,
        why="The JSON Schema of the assertion has keys that the prompt does not name: a model invents its own names.",
        mend="Name every key with its type, or show one complete example.",
    ),
    Rule(
        "SP205",
        "example-violates-format",
        Severity.ERROR,
        example_violates_format,
        why="Models imitate examples more faithfully than instructions: one bad example teaches answers that fail.",
        mend="Correct the example so that the assertions would accept its answer.",
    ),
)

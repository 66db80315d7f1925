"""SP5xx: the prompt and the test data keep apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.optimizer.analysis.accepted_answers import variables_of_case
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.rules.base import Finding, Rule
from sharpen.optimizer.models import Severity

MIN_INPUT = 20
"""Characters an input needs before finding it in the prompt is no coincidence."""
NEARBY = 200
"""The answer counts as given when it stands within so many characters of the input."""


def leaked_answer(document: Document) -> Iterator[Finding]:
    """A case's input stands in the prompt, its expected answer beside it."""
    for message in document.messages:
        following = document.messages[message.index + 1 : message.index + 2]
        folded, offsets = _fold(message.prose)
        behind = _fold(following[0].prose)[0] if following and following[0].role == "assistant" else ""
        for case in document.context.cases or ():
            answer = _fold(str(case.expected))[0] if case.expected is not None else ""
            if not answer:
                continue
            for name, value in variables_of_case(case).items():
                text = _fold(value)[0] if isinstance(value, str) else ""
                at = folded.find(text) if len(text) >= MIN_INPUT else -1
                if at < 0:
                    continue
                end = at + len(text)
                nearby = f"{folded[max(0, at - NEARBY) : at]}\n{folded[end : end + NEARBY]}\n{behind[:NEARBY]}"
                if re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", nearby):
                    case_id = getattr(case, "id", None) or getattr(case, "case_id", "")
                    yield Finding(
                        message.index,
                        offsets[at],
                        offsets[end - 1] + 1,
                        f"{name!r} of case {case_id!r} stands here beside its answer {str(case.expected)[:40]!r}",
                        "Take other examples than the cases you measure with.",
                    )
                    break


def _fold(text: str) -> tuple[str, list[int]]:
    """``text`` in lower case with single spaces, and the offset each character came from."""
    out: list[str] = []
    offsets: list[int] = []
    for offset, char in enumerate(text):
        if char.isspace():
            if not out or out[-1] == " ":
                continue
            char = " "
        for lowered in char.lower():
            out.append(lowered)
            offsets.append(offset)
    if out and out[-1] == " ":
        out.pop()
        offsets.pop()
    return "".join(out), offsets


RULES = (
    Rule(
        "SP501",
        "leaked-answer",
        Severity.ERROR,
        leaked_answer,
        why="A case of the data set stands in the prompt together with its answer: it no longer measures anything, and "
        "the success rate looks better than it is.",
        mend="Use examples that are not in the data set; `sharpen optimize` takes them from the train split only.",
    ),
)

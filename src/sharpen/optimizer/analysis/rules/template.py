"""SP0xx: the template and the data set fit together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from sharpen.errors import TemplateError
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.rules.base import Finding, Rule
from sharpen.optimizer.analysis.text import MessageText
from sharpen.optimizer.models import Severity
from sharpen.templating import variables_of


def undefined_variable(document: Document) -> Iterator[Finding]:
    """Variables no column of the data set fills."""
    columns = document.context.columns
    if columns is None:
        return
    for message in document.messages:
        for name in sorted(_needed(message) - columns):
            start, end = _where(message, name)
            close = difflib.get_close_matches(name, sorted(columns), n=1)
            listed = ", ".join(sorted(columns)) or "none"
            hint = f"Did you mean {close[0]!r}?" if close else f"The data set offers: {listed}."
            yield Finding(message.index, start, end, f"no column of the data set fills {name!r}", hint)


def unused_column(document: Document) -> Iterator[Finding]:
    """Columns the prompt does not use."""
    columns = document.context.columns
    if columns is None or not document.variables:
        return
    for name in sorted(columns - document.variables):
        yield Finding(0, 0, 0, f"column {name!r} is not used", f"Insert it with {{{{ {name} }}}}, or leave it out.")


def template_syntax(document: Document) -> Iterator[Finding]:
    """Messages Jinja cannot compile."""
    for message in document.messages:
        try:
            variables_of(message.source)
        except TemplateError as error:
            line = int(str(error).removeprefix("line ").partition(":")[0])
            start = sum(len(text) for text in message.source.splitlines(keepends=True)[: line - 1])
            text = message.source[start:].partition("\n")[0]
            reason = str(error).partition(": ")[2]
            yield Finding(
                message.index,
                start,
                start + len(text),
                f"template syntax: {reason}",
                "Close every {{ … }} and {% … %}; write literal braces as {{ '{{' }} or between {% raw %} tags.",
            )


def missing_input(document: Document) -> Iterator[Finding]:
    """A prompt that is the same for every case."""
    columns = document.context.columns
    broken = any(True for _ in template_syntax(document))
    if columns and not broken and not any(message.inserted for message in document.messages):
        last = document.messages[-1]
        names = ", ".join(f"{{{{ {name} }}}}" for name in sorted(columns))
        yield Finding(
            last.index,
            0,
            len(last.source),
            "the prompt inserts no variable: every case gets the same text",
            f"Insert what differs from case to case: {names}.",
        )


def _needed(message: MessageText) -> frozenset[str]:
    try:
        return variables_of(message.source)
    except TemplateError:  # reported by template_syntax
        return frozenset()


def _where(message: MessageText, name: str) -> tuple[int, int]:
    for tag in message.tags:
        if name in tag.variables:
            return tag.start, tag.end
    return next(((region.start, region.end) for region in message.regions if name in region.variables), (0, 0))


RULES = (
    Rule(
        "SP001",
        "undefined-variable",
        Severity.CRITICAL,
        undefined_variable,
        why="The template asks for a variable that no case has, so no case can be rendered.",
        mend="Use the name of a column, or add the column to the data set.",
    ),
    Rule(
        "SP002",
        "unused-column",
        Severity.INFO,
        unused_column,
        why="The data set offers a column that the prompt never shows to the model. Often that is meant.",
        mend="Insert the column where it helps; otherwise ignore this.",
        lowers="",
    ),
    Rule(
        "SP003",
        "template-syntax",
        Severity.CRITICAL,
        template_syntax,
        why="Jinja cannot read the template, so no case can be rendered.",
        mend="Close the tag, or mark literal braces as such with {% raw %} … {% endraw %}.",
    ),
    Rule(
        "SP004",
        "missing-input",
        Severity.CRITICAL,
        missing_input,
        why="The data set has columns, yet the prompt inserts none: the model never sees what it is to work on.",
        mend="Insert the column with {{ name }}.",
    ),
)

"""The only way a rule strategy changes a prompt: edits that cannot touch a Jinja tag, each with its rule and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.context import LintContext
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.fixes import apply_edits
from sharpen.optimizer.analysis.template import BRACE, scan
from sharpen.optimizer.models import Change, Prompt, TextEdit
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.templating import escape

SHOWN = 400
"""Characters of the old and the new text that a change records."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A prompt on its way to a candidate, and what was done to it so far."""

    prompt: Prompt
    changes: tuple[Change, ...] = ()

    def edited(self, message: int, edits: Sequence[TextEdit], rule_id: str, reason: str) -> Draft:
        """Replace stretches of one message. Raises ``ValueError`` when that would change a Jinja tag."""
        old = self.prompt.messages[message]
        new = old.model_copy(update={"content": apply_edits(old.content, edits)})
        messages = (*self.prompt.messages[:message], new, *self.prompt.messages[message + 1 :])
        first, last = min(edit.start for edit in edits), max(edit.end for edit in edits)
        change = Change(
            rule_id=rule_id,
            reason=reason,
            before=old.content[first:last][:SHOWN],
            after="\n".join(edit.replacement for edit in edits if edit.replacement)[:SHOWN],
        )
        return self._with(messages, change)

    def rebuilt(self, messages: Sequence[PromptMessage], rule_id: str, reason: str) -> Draft:
        """Other messages altogether. Raises ``ValueError`` unless they hold the same Jinja tags as often."""
        change = Change(
            rule_id=rule_id,
            reason=reason,
            before=self.prompt.text[:SHOWN],
            after="\n\n".join(message.content for message in messages)[:SHOWN],
        )
        return self._with(tuple(messages), change)

    def _with(self, messages: tuple[PromptMessage, ...], change: Change) -> Draft:
        changed = self.prompt.with_messages(messages)
        if not keeps_placeholders(self.prompt, changed):
            raise ValueError(f"{change.rule_id} would change the placeholders of the prompt")
        return self if changed.messages == self.prompt.messages else Draft(changed, (*self.changes, change))


def placeholders(prompt: Prompt) -> Counter[str]:
    """The literal source of every Jinja tag and how often it stands in the prompt."""
    return Counter(tag.source for message in prompt.messages for tag in scan(message.content))


def keeps_placeholders(before: Prompt, after: Prompt) -> bool:
    """Whether both hold the same Jinja tags as often; literal braces that were written out may be added."""
    old, new = placeholders(before), placeholders(after)
    return not old - new and set(new - old) <= {BRACE}


def literal(text: str) -> str:
    """``text`` for use in a template: escaped only when Jinja would read a tag in it."""
    return escape(text) if any(mark in text for mark in ("{{", "{%", "{#")) or text.endswith("{") else text


def read(context: StrategyContext, prompt: Prompt | None = None) -> Document:
    """The prompt of ``context`` (or another one), read with what a strategy may know: assertions and train cases."""
    known = LintContext(assertions=context.assertions, cases=context.train, api=context.api)
    return Document(prompt or context.prompt, known)

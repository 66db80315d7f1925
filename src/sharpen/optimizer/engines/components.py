"""The texts of a prompt that an engine of others may rewrite, and the prompt with other texts in their place. Pure.

Other engines know instructions as plain texts, and nothing of placeholders. What stands before the inputs of a message
is such a text, and whatever is written there cannot touch a placeholder. A message whose inputs stand inside its
sentences is one as a whole; a new one must then hold the same placeholders.
"""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.errors import TemplateError
from sharpen.optimizer.analysis.template import scan
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.strategies.edits import keeps_placeholders, literal


@dataclass(frozen=True, slots=True)
class Component:
    """One rewritable text of message number ``message`` (from 0); ``tail`` follows it unchanged.

    ``bound``: the text holds placeholders, which must survive.
    """

    name: str
    message: int
    text: str
    tail: str = ""
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Components:
    """The rewritable texts of one prompt: at least one."""

    prompt: Prompt
    parts: tuple[Component, ...]

    @classmethod
    def of(cls, prompt: Prompt) -> Components:
        """Of every message that says more than its inputs; examples (assistant turns and what they answer) stay.

        Of a prompt that says nothing besides its inputs: its first message.
        """
        speaking = [
            number
            for number, message in enumerate(prompt.messages)
            if message.role != "assistant" and not _answered(prompt, number)
        ]
        found = [part for number in speaking if (part := _part(prompt, number)).text.strip()]
        worded = [part for part in found if _prose(part.text).strip()]
        return cls(prompt, tuple(worded or found[:1] or [_part(prompt, 0)]))

    @property
    def texts(self) -> dict[str, str]:
        """The texts as they are now, by name."""
        return {part.name: part.text for part in self.parts}

    def with_texts(self, texts: dict[str, str]) -> Prompt | None:
        """The prompt with other texts; None when one is empty, cannot be rendered or lost a placeholder."""
        messages = list(self.prompt.messages)
        for part in self.parts:
            text = texts.get(part.name, part.text)
            if not text.strip():
                return None
            if text != part.text:
                content = text if part.bound else _joined(literal(text), part)
                messages[part.message] = messages[part.message].model_copy(update={"content": content})
        changed = self.prompt.with_messages(tuple(messages))
        try:
            sound = changed.variables == self.prompt.variables and keeps_placeholders(self.prompt, changed)
        except TemplateError:
            return None
        return changed if sound else None


def _part(prompt: Prompt, number: int) -> Component:
    message = prompt.messages[number]
    same = sum(other.role == message.role for other in prompt.messages[:number])
    name = f"{message.role}_{same + 1}" if same else message.role
    tags = scan(message.content)
    if not tags:
        return Component(name, number, message.content)
    start = message.content.rfind("\n", 0, tags[0].start) + 1
    head, tail = message.content[:start], message.content[start:]
    if len(_prose(head).split()) > len(_prose(tail).split()):
        text = head.rstrip()
        return Component(name, number, text, head[len(text) :] + tail)
    return Component(name, number, message.content, bound=True)


def _joined(text: str, part: Component) -> str:
    """``text`` before what follows it, with the white space that stood between."""
    return text.rstrip() + part.tail if part.tail else text


def _prose(text: str) -> str:
    """What a template says besides its tags."""
    for tag in reversed(scan(text)):
        text = text[: tag.start] + " " + text[tag.end :]
    return text


def _answered(prompt: Prompt, number: int) -> bool:
    """A user's turn that an assistant's turn follows is an example."""
    following = prompt.messages[number + 1 :]
    return prompt.messages[number].role == "user" and bool(following) and following[0].role == "assistant"

"""Template + variables → messages (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import TemplateError
from sharpen.targets.base import Message
from sharpen.templating import Renderer, renderer


class PromptRenderer:
    """A prompt, compiled once. Raises ``TemplateError`` at once for a syntax error, before anything is called.

    Only a case's ``vars`` are variables of a prompt; its ``expected`` answer never is.
    """

    def __init__(self, prompt: PromptTemplate) -> None:
        self._parts: list[tuple[str, Renderer, Message | None]] = []
        for index, message in enumerate(prompt.messages, 1):
            fixed = Message(message.role, message.content) if "{" not in message.content else None
            try:
                self._parts.append((message.role, renderer(message.content), fixed))
            except TemplateError as error:
                raise _located(error, index, message.role) from error

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """Messages for one case. Raises ``TemplateError`` that says which message and which variable."""
        messages = []
        for role, rendered, fixed in self._parts:
            try:
                messages.append(fixed or Message(role, rendered(variables)))
            except TemplateError as error:
                raise _located(error, len(messages) + 1, role) from error
        return tuple(messages)


def _located(error: TemplateError, index: int, role: str) -> TemplateError:
    return TemplateError(f"prompt message {index} ({role}): {error}")

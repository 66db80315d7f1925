"""Template + variables → messages (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import TemplateError
from sharpen.targets.base import Message
from sharpen.templating import compile_template, render


class PromptRenderer:
    """A prompt, compiled once. Raises ``TemplateError`` at once for a syntax error, before anything is called.

    Only a case's ``vars`` are variables of a prompt; its ``expected`` answer never is.
    """

    def __init__(self, prompt: PromptTemplate) -> None:
        self._parts: list[tuple[str, str, Message | None]] = []
        for index, message in enumerate(prompt.messages, 1):
            fixed = Message(message.role, message.content) if "{" not in message.content else None
            if fixed is None:
                _located(index, message.role, compile_template, message.content)
            self._parts.append((message.role, message.content, fixed))

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """Messages for one case. Raises ``TemplateError`` that says which message and which variable."""
        return tuple(
            fixed or Message(role, _located(index, role, render, content, variables))
            for index, (role, content, fixed) in enumerate(self._parts, 1)
        )


def _located(index: int, role: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except TemplateError as error:
        raise TemplateError(f"prompt message {index} ({role}): {error}") from error

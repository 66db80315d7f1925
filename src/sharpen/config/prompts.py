"""A prompt as a template: messages whose contents are Jinja2."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sharpen.config.base import PlanPart
from sharpen.templating import variables_of

Role = Literal["system", "user", "assistant"]


class PromptMessage(PlanPart):
    """One message; ``content`` is a Jinja2 template."""

    role: Role = Field(description="Who speaks.")
    content: str = Field(description="A Jinja2 template.")


class PromptTemplate(PlanPart):
    """Messages in order. Also accepts ``{system: …, user: …}`` and a bare list of messages."""

    messages: tuple[PromptMessage, ...] = Field(min_length=1, description="The messages in order.")

    @model_validator(mode="before")
    @classmethod
    def _from_short_forms(cls, data: Any) -> Any:
        if isinstance(data, list | tuple):
            return {"messages": data}
        if isinstance(data, dict) and data and set(data) <= {"system", "user", "assistant"}:
            return {"messages": [{"role": role, "content": content} for role, content in data.items()]}
        return data

    @classmethod
    def from_text(cls, text: str, role: Role = "user") -> Self:
        """A prompt of a single message."""
        return cls(messages=(PromptMessage(role=role, content=text),))

    @property
    def text(self) -> str:
        """All contents joined by blank lines (what a raw completion sends, before rendering)."""
        return "\n\n".join(message.content for message in self.messages)

    @property
    def variables(self) -> frozenset[str]:
        """Names the templates need. Raises ``TemplateError`` on a syntax error."""
        return frozenset[str]().union(*(variables_of(message.content) for message in self.messages))

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of roles and contents: the prompt's identity, whatever file it came from."""
        canonical = json.dumps([[m.role, m.content] for m in self.messages], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

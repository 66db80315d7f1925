"""The body of a completion → what it says. Pure; both APIs, and the liberties that servers take with them.

An answer without text is still an answer: a refusal is its text, tool calls are given as JSON, and content that is
null (a reasoning model that spent its tokens, a server that writes null for nothing) is the empty text. What has no
choice, no message or no JSON at all is malformed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sharpen.config.targets import Api
from sharpen.targets.base import Usage
from sharpen.targets.failures import shorten

MOST_TOKENS = 10**9
"""No call uses more; a server that says so is not believed."""


class MalformedCompletion(ValueError):
    """The server answered 2xx with something that is no completion. ``retryable``: it may be a moment's trouble."""

    def __init__(self, message: str, *, retryable: bool = False, usage: Usage = Usage()) -> None:  # noqa: B008 - frozen
        self.retryable = retryable
        self.usage = usage
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a body says. ``cached_tokens`` of the prompt came from the provider's cache."""

    output: str
    usage: Usage
    cached_tokens: int = 0
    finish_reason: str | None = None
    model: str | None = None


def parse_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises ``MalformedCompletion``."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        start = shorten(body[:400].decode("utf-8", "replace"), 120)
        is_page = start.startswith("<")
        hint = "; is base_url right? It usually ends in /v1" if is_page else ""
        what = f"no JSON but {start!r}{hint}" if body else "an empty body"
        raise MalformedCompletion(f"the server answered {what}", retryable=not is_page) from None
    if not isinstance(payload, dict):
        raise MalformedCompletion(f"the server answered a JSON {type(payload).__name__} instead of an object")
    return payload


def read_completion(payload: dict[str, Any], api: Api) -> Completion:
    """Find text, usage and finish reason. Raises ``MalformedCompletion``, which keeps the usage that was paid."""
    usage, cached = read_usage(payload.get("usage"))
    choices = payload.get("choices")
    if not isinstance(choices, list) or (choices and not isinstance(choices[0], dict)):
        names = ", ".join(sorted(payload)[:8]) or "none"
        raise MalformedCompletion(f"the completion has no list 'choices' (its keys: {names})", usage=usage)
    if not choices:
        raise MalformedCompletion("the completion's list 'choices' is empty", retryable=True, usage=usage)
    choice = choices[0]
    try:
        output = _message_text(choice) if api == "chat" else _raw_text(choice)
    except MalformedCompletion as error:
        error.usage = usage
        raise
    return Completion(output, usage, cached, _text_or_none(choice, "finish_reason"), _text_or_none(payload, "model"))


def read_usage(usage: Any) -> tuple[Usage, int]:
    """Usage and cached prompt tokens; whatever is missing, senseless or beyond ``MOST_TOKENS`` counts as zero."""
    if not isinstance(usage, dict):
        return Usage(), 0
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))), _count(cached)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_TOKENS else 0


def _text_or_none(owner: dict[str, Any], name: str) -> str | None:
    value = owner.get(name)
    return value if isinstance(value, str) else None


def _raw_text(choice: dict[str, Any]) -> str:
    text = choice.get("text")
    if isinstance(text, str):
        return text
    hint = "; the server answers in chat form, try api: chat" if "message" in choice else ""
    raise MalformedCompletion(f"choices[0].text is {_shown(choice, 'text')} instead of text{hint}")


def _message_text(choice: dict[str, Any]) -> str:
    message = choice.get("message")
    if not isinstance(message, dict):
        hint = "; the server answers in raw form, try api: completions" if "text" in choice else ""
        raise MalformedCompletion(f"choices[0].message is {_shown(choice, 'message')} instead of a message{hint}")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(_part_text(part) for part in content)
    if isinstance(content, str) and content:
        return content
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        return refusal
    if calls := _tool_calls(message):
        return json.dumps(calls, ensure_ascii=False)
    if content in (None, "") and ("content" in message or message.get("role") == "assistant"):
        return ""
    raise MalformedCompletion(f"choices[0].message.content is {_shown(message, 'content')} instead of text")


def _part_text(part: Any) -> str:
    """The text of one content part; parts of other sorts (images, reasoning) have none."""
    if isinstance(part, dict):
        part = part.get("text") or part.get("refusal")
    return part if isinstance(part, str) else ""


def _tool_calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """``[{name, arguments}]``; arguments parsed where they are JSON, as they came where not."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions.append(message.get("function_call"))
    return [
        {"name": function.get("name"), "arguments": _arguments(function.get("arguments"))}
        for function in functions
        if isinstance(function, dict)
    ]


def _arguments(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return value


def _shown(owner: dict[str, Any], name: str) -> str:
    return shorten(repr(owner[name]), 80) if name in owner else "missing"

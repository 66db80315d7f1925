"""The shipped fake: answers by rules, from a recorded file, late, or not at all. Deterministic, no network.

The first rule that matches answers: those of the recorded file in its order, then the plan's, then ``default``.
``contains`` and ``regex`` look at the whole rendered prompt (all messages joined by blank lines); ``equals`` compares
with the last user message, surrounding whitespace apart. ``times`` counts for each case alone, and starts anew when
the target is opened. Tokens that a reply leaves out are estimated as one for each word.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from heapq import merge
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sharpen.config.targets import ScriptedReply, ScriptedRule, ScriptedTarget
from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.exceptions import failure_of
from sharpen.targets.failures import shorten, usually_retryable
from sharpen.targets.recordings import Recorded, read_recording

CALLS_REMEMBERED = 10_000


class ScriptedReplies(Target):
    """Answers as scripted. ``calls`` holds the latest requests, ``call_count`` how many there were."""

    def __init__(self, config: ScriptedTarget, base_dir: Path | None = None) -> None:  # noqa: ARG002 - every target is built alike
        self._config = config
        recorded = read_recording(config.file) if config.file else ()
        self._rules = _Rules([*recorded, *(Recorded(rule) for rule in config.rules)])
        self._given: Counter[tuple[int, str]] = Counter()
        self._openings = 0
        self.calls: deque[TargetRequest] = deque(maxlen=CALLS_REMEMBERED)
        self.call_count = 0

    async def __aenter__(self) -> Self:
        """Start every ``times`` anew."""
        if self._openings == 0:
            self._given.clear()
        self._openings += 1
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Nothing is held."""
        self._openings = max(0, self._openings - 1)

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """Answer, or raise ``TargetError``, after the reply's latency."""
        self.calls.append(request)
        self.call_count += 1
        reply = self._reply(request)
        latency_ms = reply.latency_ms if "latency_ms" in reply.model_fields_set else self._config.latency_ms
        if latency_ms:
            await asyncio.sleep(latency_ms / 1000)
        usage = _usage(reply, request.text)
        if reply.failure is not None:
            raise TargetError(
                Failure(
                    kind=reply.failure,
                    message=reply.message or f"scripted failure: {reply.failure.value}",
                    retryable=usually_retryable(reply.failure),
                    retry_after_s=reply.retry_after_s,
                    usage=usage,
                    cost=reply.cost or 0.0,
                )
            )
        return TargetResponse(output=reply.output or "", usage=usage, cost=reply.cost or 0.0, finish_reason="stop")

    def _reply(self, request: TargetRequest) -> ScriptedReply:
        text = request.text
        for number, recorded in self._rules.of_case(request.case_id):
            if recorded.repeat not in (None, request.repeat) or not _matches(recorded.rule, request, text):
                continue
            if self._still_answers(number, recorded.rule, request.case_id):
                return recorded.rule
        default = self._config.default
        if default is not None and self._still_answers(-1, default, request.case_id):
            return default
        raise TargetError(
            Failure(
                ErrorKind.BAD_REQUEST,
                f"no scripted rule matches case {request.case_id!r}, prompt {shorten(text, 120)!r}; "
                "add a rule, or a default such as target.default: {output: ok}",
            )
        )

    def _still_answers(self, number: int, reply: ScriptedReply, case_id: str) -> bool:
        if reply.times is None:
            return True
        self._given[number, case_id] += 1
        return self._given[number, case_id] <= reply.times

    def classify(self, exception: BaseException) -> Failure:
        """Scripted failures as scripted; anything else by what it is."""
        return failure_of(exception)

    def address(self) -> None:
        """Nowhere: there is no network."""

    def identity(self) -> Mapping[str, Any]:
        """Every rule there is, recorded ones included."""
        config = self._config
        return {
            "kind": config.kind,
            "rules": [recorded.as_json() for recorded in self._rules.all],
            "default": config.default and config.default.model_dump(mode="json", exclude_defaults=True),
            "latency_ms": config.latency_ms,
        }


def scripted(
    *rules: ScriptedRule | Mapping[str, Any], default: str | ScriptedReply | None = None, latency_ms: float = 0.0
) -> ScriptedReplies:
    """A scripted target for tests: ``scripted({"contains": "refund", "output": "billing"}, default="other")``."""
    if isinstance(default, str):
        default = ScriptedReply(output=default)
    parsed = tuple(rule if isinstance(rule, ScriptedRule) else ScriptedRule.model_validate(rule) for rule in rules)
    return ScriptedReplies(ScriptedTarget(rules=parsed, default=default, latency_ms=latency_ms))


class _Rules:
    """Rules in order, found by case without looking at every other case's."""

    def __init__(self, rules: Iterable[Recorded]) -> None:
        self.all = list(rules)
        self._general: list[tuple[int, Recorded]] = []
        self._by_case: dict[str, list[tuple[int, Recorded]]] = {}
        for number, recorded in enumerate(self.all):
            case_id = recorded.rule.case_id
            place = self._general if case_id is None else self._by_case.setdefault(case_id, [])
            place.append((number, recorded))

    def of_case(self, case_id: str) -> Iterable[tuple[int, Recorded]]:
        return merge(self._by_case.get(case_id, ()), self._general, key=lambda entry: entry[0])


def _matches(rule: ScriptedRule, request: TargetRequest, text: str) -> bool:
    return (
        (rule.contains is None or rule.contains in text)
        and (rule.regex is None or re.search(rule.regex, text) is not None)
        and (rule.equals is None or rule.equals.strip() == _last_user_message(request))
    )


def _last_user_message(request: TargetRequest) -> str:
    return next((m.content.strip() for m in reversed(request.messages) if m.role == "user"), "")


def _usage(reply: ScriptedReply, prompt: str) -> Usage:
    """Tokens as scripted. Left out: one for each word; nothing for a failure."""
    failed = reply.failure is not None
    prompt_tokens = reply.prompt_tokens
    completion_tokens = reply.completion_tokens
    return Usage(
        (0 if failed else len(prompt.split())) if prompt_tokens is None else prompt_tokens,
        (0 if failed else len((reply.output or "").split())) if completion_tokens is None else completion_tokens,
    )

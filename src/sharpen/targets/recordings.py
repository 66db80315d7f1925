"""A recorded file (JSONL) → scripted rules: rules as a plan writes them, or task results as ``runs export`` does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sharpen.config.targets import TARGET_FAILURES, ScriptedRule
from sharpen.errors import PlanError, Problem

_RULE_KEYS = frozenset(ScriptedRule.model_fields)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A rule, and the repeat of the case it was recorded from (None: any)."""

    rule: ScriptedRule
    repeat: int | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, without what was left out."""
        rule = self.rule.model_dump(mode="json", exclude_defaults=True)
        return rule if self.repeat is None else {**rule, "repeat": self.repeat}


def read_recording(path: Path) -> list[Recorded]:
    """Read every line. Raises ``PlanError`` with all lines that are wrong, each by its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PlanError(
            Problem(f"cannot read {str(path)!r}: {reason}", key="target.file", expected="a JSONL file in UTF-8")
        ) from None
    problems: list[Problem] = []
    recorded: list[Recorded] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                recorded += _of_line(json.loads(line))
            except ValidationError as error:
                problems += _problems(error, f"{path}:{number}")
            except (ValueError, RecursionError) as error:
                problems.append(Problem(str(error), f"{path}:{number}", expected="one JSON object on each line"))
    if problems:
        raise PlanError(problems)
    return recorded


def _of_line(entry: Any) -> Iterator[Recorded]:
    if not isinstance(entry, dict):
        raise ValueError(f"a {type(entry).__name__}")
    if "task_id" not in entry:
        yield Recorded(ScriptedRule.model_validate(entry))
    elif (rule := _of_task_result(entry)) is not None:
        repeat = entry.get("repeat")
        yield Recorded(ScriptedRule.model_validate(rule), repeat if isinstance(repeat, int) else None)


def _of_task_result(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Output, usage and cost of a task result, or the failure its target reported; None when it never ran."""
    kept = {key: entry[key] for key in ("case_id", "prompt_tokens", "completion_tokens", "cost") if key in entry}
    if entry.get("output") is not None:
        return {**kept, "output": entry["output"]}
    error = entry.get("error")
    if isinstance(error, dict) and error.get("kind") in TARGET_FAILURES:
        return {**kept, "failure": error["kind"], "message": error.get("message")}
    return None


def _problems(error: ValidationError, where: str) -> Iterator[Problem]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in detail["loc"])
        unknown = detail["type"] == "extra_forbidden"
        message = "unknown key" if unknown else detail["msg"].removeprefix("Value error, ")
        yield Problem(message, where, key, f"one of: {', '.join(sorted(_RULE_KEYS))}" if unknown else "")

"""What else is not the same in two runs, before anything is said about their figures. Pure.

The reader must not take for the prompt's merit what another model, another data set or a stricter assertion has done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sharpen.executor.models import RunStatus
from sharpen.history.models import DataSetMatch, RunDifference

SHOWN = 60
"""Characters of a value that are told."""
_CONDITIONS = ("concurrency", "timeout_s", "max_retries", "repeats", "hedge", "rate_limit")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run's making. ``target``: ``Target.identity()``; the rest as the plan had it."""

    status: RunStatus
    prompt_hash: str | None
    target: Mapping[str, Any]
    assertions: Sequence[Any] = ()
    execution: Mapping[str, Any] = field(default_factory=dict)
    total: int = 0
    finished: int = 0


def differences(first: RunFacts, second: RunFacts, data: DataSetMatch) -> tuple[RunDifference, ...]:
    """The loud ones first: data set, model, parameters, grading, completeness; then prompt and conditions."""
    found = [
        *_data_set(data),
        *_target(first.target, second.target),
        *_grading(first, second),
        *_completeness(first, second),
        *_conditions(first.execution, second.execution),
    ]
    if first.prompt_hash != second.prompt_hash:
        prompts = {"before": first.prompt_hash, "after": second.prompt_hash}
        told = " → ".join((value or "unknown")[:12] for value in prompts.values())
        found.append(RunDifference(aspect="prompt", text=f"another prompt ({told})", loud=False, **prompts))
    return tuple(sorted(found, key=lambda item: not item.loud))


def _data_set(data: DataSetMatch) -> Iterator[RunDifference]:
    for number, ids, text in (
        (data.only_first, data.only_first_ids, "only in the first run"),
        (data.only_second, data.only_second_ids, "only in the second run"),
        (data.changed, data.changed_ids, "of the same id but other content, which makes them other cases: left out"),
    ):
        if number:
            noun = "case" if number == 1 else "cases"
            yield RunDifference(aspect="data set", text=f"{number:,} {noun} {text}: {_some(ids, number)}")


def _some(ids: Sequence[str], number: int, shown: int = 5) -> str:
    more = f" and {number - shown:,} more" if number > shown else ""
    return ", ".join(ids[:shown]) + more


def _target(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[RunDifference]:
    before, after = dict(_flat(first)), dict(_flat(second))
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if old == new and (key in before) is (key in after):
            continue
        aspect: Literal["model", "parameters"] = "parameters" if key.startswith("params.") else "model"
        told = f"{_told(old, key in before)} → {_told(new, key in after)}"
        yield RunDifference(aspect=aspect, text=f"{key}: {told}", before=old, after=new)


def _grading(first: RunFacts, second: RunFacts) -> Iterator[RunDifference]:
    if _canonical(first.assertions) != _canonical(second.assertions):
        text = f"other assertions: {_names(first.assertions)} → {_names(second.assertions)}"
        yield RunDifference(aspect="grading", text=text, before=list(first.assertions), after=list(second.assertions))


def _completeness(first: RunFacts, second: RunFacts) -> Iterator[RunDifference]:
    for name, run in (("first", first), ("second", second)):
        if run.status is not RunStatus.COMPLETED:
            state = "is still running, or was killed" if run.status is RunStatus.RUNNING else f"ended {run.status}"
            text = f"the {name} run {state.replace('_', ' ')}: {run.finished:,} of {run.total:,} tests have a result"
            yield RunDifference(aspect="completeness", text=text, before=first.status, after=second.status)


def _conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[RunDifference]:
    """How the cases were run: it moves latency, seldom answers."""
    for key in _CONDITIONS:
        old, new = first.get(key), second.get(key)
        if old != new:
            text = f"execution.{key}: {_told(old, True)} → {_told(new, True)}"
            yield RunDifference(aspect="conditions", text=text, before=old, after=new, loud=False)


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _told(value: Any, there: bool) -> str:
    if not there:
        return "not set"
    text = value if isinstance(value, str) else _canonical(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _names(assertions: Sequence[Any]) -> str:
    kinds = [str(item.get("type")) if isinstance(item, Mapping) else str(item) for item in assertions]
    return ", ".join(kinds) or "none"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)

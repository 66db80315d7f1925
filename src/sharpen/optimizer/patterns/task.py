"""What kind of answer a data set asks for: one of some labels, JSON, a number or any text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sharpen.assertions.transforms import strip_punctuation
from sharpen.optimizer.analysis.contract_derivation import closed_set
from sharpen.optimizer.analysis.output_contract import is_number
from sharpen.optimizer.ports import CaseOutcome, LabelledCase

JSON_CHECKS = frozenset({"is-json", "contains-json"})
NUMBER_CHECKS = frozenset({"is-number"})

TaskKind = Literal["labels", "json", "number", "text"]


@dataclass(frozen=True, slots=True)
class Task:
    """The kind of answer, and for labels each one as written by its plain form, with an expression that finds them."""

    kind: TaskKind
    labels: Mapping[str, str] = field(default_factory=dict)
    finder: re.Pattern[str] | None = None

    def named(self, text: str) -> list[str]:
        """The labels that stand in a text, as written, in the order of their first mention."""
        if self.finder is None:
            return []
        found = dict.fromkeys(plain(match) for match in self.finder.findall(text))
        return [self.labels[name] for name in found if name in self.labels]


def task_of(cases: Sequence[LabelledCase], outcomes: Mapping[str, CaseOutcome]) -> Task:
    """Read off the expected answers, and where there are none off the types of the assertions that failed."""
    expected = [case.expected for case in cases if case.expected is not None]
    failed = {name for outcome in outcomes.values() for name in outcome.failed_assertions}
    if any(isinstance(value, dict | list) for value in expected) or failed & JSON_CHECKS:
        return Task("json")
    texts = [answer_text(value).strip() for value in expected]
    labels = {plain(label): label for label in closed_set(texts)}
    if len(labels) > 1 and "" not in labels:
        alternatives = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True))
        return Task("labels", labels, re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE))
    if (texts and all(map(is_number, texts))) or (not texts and failed & NUMBER_CHECKS):
        return Task("number")
    return Task("text")


def answer_text(value: Any) -> str:
    """An expected answer as a model would write it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, reference cycles
        return str(value)


def plain(text: str) -> str:
    """What two forms of one answer share: no letter case, no punctuation around it, single spaces."""
    return " ".join(strip_punctuation(text).split()).casefold()

"""Two versions side by side: the difference of their texts and of their measurements. Pure."""

from __future__ import annotations

import difflib

from sharpen.config.prompts import PromptTemplate
from sharpen.executor.models import Record
from sharpen.optimizer.models import Metrics
from sharpen.versions.models import PromptVersion


class MetricComparison(Record):
    """One metric under both versions; ``difference`` = b − a, None when either is unknown. Units as in ``Metrics``."""

    name: str
    a: float | None
    b: float | None
    difference: float | None


class VersionComparison(Record):
    """What changed from version ``a`` to version ``b``.

    ``diff`` is a unified diff of the messages, empty when they are equal. ``metrics`` is empty when neither version
    was measured.
    """

    workflow_id: str
    a: str
    b: str
    diff: str
    metrics: tuple[MetricComparison, ...] = ()


def compare_versions(a: PromptVersion, b: PromptVersion) -> VersionComparison:
    """Compare two versions of one workflow."""
    return VersionComparison(
        workflow_id=a.workflow_id,
        a=a.version,
        b=b.version,
        diff=diff_prompts(a.prompt, b.prompt, f"{a.workflow_id}@{a.version}", f"{b.workflow_id}@{b.version}"),
        metrics=_compare_metrics(a.metrics, b.metrics),
    )


def diff_prompts(a: PromptTemplate, b: PromptTemplate, a_name: str = "before", b_name: str = "after") -> str:
    """Unified diff of two prompts, each message under a ``# role`` line; lines joined by newlines."""
    return "\n".join(difflib.unified_diff(_lines(a), _lines(b), a_name, b_name, lineterm=""))


def _lines(prompt: PromptTemplate) -> list[str]:
    lines: list[str] = []
    for message in prompt.messages:  # split at newlines alone: str.splitlines would also hide a form feed or U+2028
        lines += [f"# {message.role}", *message.content.split("\n")]
    return lines


def _compare_metrics(a: Metrics | None, b: Metrics | None) -> tuple[MetricComparison, ...]:
    if a is None and b is None:
        return ()
    compared = []
    for name in Metrics.model_fields:
        left, right = getattr(a, name, None), getattr(b, name, None)
        difference = None if left is None or right is None else right - left
        compared.append(MetricComparison(name=name, a=left, b=right, difference=difference))
    return tuple(compared)

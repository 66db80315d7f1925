"""Two versions side by side: the difference of their texts and of their measurements. Pure."""

from __future__ import annotations

import difflib

from sharpen.config.prompts import PromptTemplate
from sharpen.executor.models import Record
from sharpen.optimizer.models import Metrics
from sharpen.versions.models import PromptVersion
from sharpen.versions.three_way import prompt_lines


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
    return "\n".join(difflib.unified_diff(prompt_lines(a), prompt_lines(b), a_name, b_name, lineterm=""))


def _compare_metrics(a: Metrics | None, b: Metrics | None) -> tuple[MetricComparison, ...]:
    if a is None and b is None:
        return ()
    compared = []
    for name in Metrics.model_fields:
        left, right = getattr(a, name, None), getattr(b, name, None)
        difference = None if left is None or right is None else right - left
        compared.append(MetricComparison(name=name, a=left, b=right, difference=difference))
    return tuple(compared)

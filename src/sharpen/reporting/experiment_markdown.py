"""An experiment as Markdown for a pull request, and as JSON. Pure."""

from __future__ import annotations

from typing import Any

from sharpen.experiments.models import ExperimentReport
from sharpen.reporting import experiment_text as words


def experiment_document(report: ExperimentReport) -> dict[str, Any]:
    """The JSON document; ``run_id`` and ``workflow_id`` come first, by which a report is known."""
    found = report.model_dump(mode="json")
    return {"run_id": report.id, "workflow_id": report.workflow_id or "", **found}


def experiment_markdown(report: ExperimentReport) -> str:
    """For a pull request."""
    head = words.head(report)
    lines = [f"# {head.headline}", "", head.detail, "", *(f"- {note}" for note in head.notes)]
    for one in report.comparisons:
        lines += ["", f"| {one.variant} | {report.control} | {one.variant} | difference | always-valid interval |"]
        lines += ["|---|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in words.metric_rows(report, one.variant)]
    lines += ["", *(f"- {words.guardrail_line(check)}" for check in report.guardrails)]
    return "\n".join(lines).rstrip() + "\n"

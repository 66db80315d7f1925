"""Findings as text for people, as JSON for programs and as SARIF for code hosts. Pure: the command line prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

from sharpen.errors import UnknownNameError
from sharpen.optimizer.analysis.sarif import sarif_log
from sharpen.optimizer.models import PromptAnalysis, Severity

Linted = tuple[str, PromptAnalysis]
"""A file's name as it is shown, and its analysis with lines and columns of that file (see ``locate``)."""


def render_text(linted: Sequence[Linted]) -> str:
    """``file:line:column: SP303 [*] message`` with a help line, the scores of each file and a summary."""
    lines: list[str] = []
    for file, analysis in linted:
        for issue in analysis.issues:
            mark = " [*]" if issue.fixable else ""
            lines.append(
                f"{file}:{issue.line}:{issue.column}: {issue.type}{mark} {issue.severity}: {issue.description}"
            )
            lines.append(f"    help: {issue.suggestion}")
        lines.append(
            f"{file}: overall {analysis.overall_score:.0f}, clarity {analysis.clarity_score:.0f}, "
            f"efficiency {analysis.efficiency_score:.0f}"
        )
    return "\n".join([*lines, summary(linted)])


def render_json(linted: Sequence[Linted]) -> str:
    """One document: ``{"files": [{"file", …PromptAnalysis}]}``."""
    files = [{"file": file, **analysis.model_dump(mode="json")} for file, analysis in linted]
    return json.dumps({"files": files}, ensure_ascii=False, indent=2)


def render_sarif(linted: Sequence[Linted]) -> str:
    """A SARIF 2.1.0 log with one run."""
    return json.dumps(sarif_log(linted), ensure_ascii=False, indent=2)


RENDERERS: dict[str, Callable[[Sequence[Linted]], str]] = {
    "text": render_text,
    "json": render_json,
    "sarif": render_sarif,
}


def render(output_format: str, linted: Sequence[Linted]) -> str:
    """``linted`` as ``text``, ``json`` or ``sarif``. Raises ``UnknownNameError`` for any other format."""
    if output_format not in RENDERERS:
        raise UnknownNameError("output format", output_format, RENDERERS)
    return RENDERERS[output_format](linted)


def summary(linted: Sequence[Linted]) -> str:
    """``Found 3 issues (1 error, 2 warning) in 2 files; 1 [*] can be fixed.``, or that there are none."""
    issues = [issue for _, analysis in linted for issue in analysis.issues]
    files = _count(len(linted), "file")
    if not issues:
        return f"No issues in {files}."
    counted = Counter(issue.severity for issue in issues)
    listed = ", ".join(f"{counted[severity]} {severity}" for severity in reversed(Severity) if counted[severity])
    fixable = sum(issue.fixable for issue in issues)
    ending = f"; {fixable} [*] can be fixed." if fixable else "."
    return f"Found {_count(len(issues), 'issue')} ({listed}) in {files}{ending}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

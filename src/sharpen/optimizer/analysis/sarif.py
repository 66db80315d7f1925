"""SARIF 2.1.0 (OASIS), the format in which code hosts and editors take findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from sharpen.about import __version__
from sharpen.optimizer.analysis.explain import explain
from sharpen.optimizer.analysis.registry import RULES
from sharpen.optimizer.analysis.rules.base import Rule
from sharpen.optimizer.models import AnalysisIssue, PromptAnalysis, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {Severity.CRITICAL: "error", Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def sarif_log(linted: Sequence[tuple[str, PromptAnalysis]]) -> dict[str, Any]:
    """The log of one run over ``(file, analysis)`` pairs. Columns count characters (code points)."""
    driver = {"name": "sharpen", "version": __version__, "rules": [_descriptor(rule) for rule in RULES]}
    results = [_result(file, issue) for file, analysis in linted for issue in analysis.issues]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": " ".join((rule.check.__doc__ or rule.name).split())},
        "help": {"text": f"{rule.why} {rule.mend}", "markdown": explain(rule.id)},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(file: str, issue: AnalysisIssue) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": issue.type,
        "level": _LEVEL[issue.severity],
        "message": {"text": f"{issue.description}. {issue.suggestion}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(file)},
                    "region": {"startLine": issue.line, "startColumn": issue.column},
                }
            }
        ],
    }
    if issue.type in _INDEX:
        result["ruleIndex"] = _INDEX[issue.type]
    return result


def _uri(file: str) -> str:
    """A relative path stays one (with forward slashes); an absolute one becomes a ``file:`` URI."""
    from urllib.parse import quote

    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())

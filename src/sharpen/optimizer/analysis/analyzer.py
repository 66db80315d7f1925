"""Static analysis of a prompt: every rule's findings and three scores. Pure and deterministic; nothing is called."""

from __future__ import annotations

from collections.abc import Iterator

from sharpen.optimizer.analysis.context import LintContext
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.fixes import touches_tag
from sharpen.optimizer.analysis.registry import RULES
from sharpen.optimizer.analysis.rules.base import Finding, Rule
from sharpen.optimizer.analysis.scores import clarity_score, measure_text, overall_score
from sharpen.optimizer.analysis.suppression import ignored_rules
from sharpen.optimizer.models import AnalysisIssue, Prompt, PromptAnalysis

__all__ = ["LintContext", "analyze", "find_issues"]


def analyze(prompt: Prompt, context: LintContext | None = None) -> PromptAnalysis:
    """Findings in the order of the text, and scores on 0..100 (formula: ``scores``).

    ``metadata`` holds what the efficiency score was computed from (counts of words), the guessed language and
    how many answers the prompt shows as examples.
    """
    document = Document(prompt, context)
    issues = find_issues(document)
    clarity, measure = clarity_score(issues), measure_text(document)
    return PromptAnalysis(
        prompt_id=prompt.id,
        overall_score=round(overall_score(clarity, measure.efficiency), 2),
        clarity_score=round(clarity, 2),
        efficiency_score=round(measure.efficiency, 2),
        issues=tuple(issues),
        metadata={
            "language": document.language,
            "useful_words": measure.useful,
            "filler_words": measure.filler,
            "repeated_words": measure.repeated,
            "excess_words": measure.excess,
            "demonstrations": len(document.answers),
            "ignored_rules": sorted(ignored_rules(document)),
        },
    )


def find_issues(document: Document, only: frozenset[str] | None = None) -> list[AnalysisIssue]:
    """What the rules (``only`` those with these ids) find, in the order of the text; ignored rules find nothing."""
    ignored = ignored_rules(document)
    wanted = (rule for rule in RULES if rule.id not in ignored and (only is None or rule.id in only))
    found = [issue for rule in wanted for issue in _findings(rule, document)]
    return sorted(found, key=lambda issue: (issue.message_index, issue.start, issue.type))


def _findings(rule: Rule, document: Document) -> Iterator[AnalysisIssue]:
    if rule.languages and document.language not in rule.languages:
        return
    for finding in rule.check(document):
        yield _issue(rule, finding, document)


def _issue(rule: Rule, finding: Finding, document: Document) -> AnalysisIssue:
    source = document.messages[finding.message].source
    edits = () if any(touches_tag(source, edit) for edit in finding.edits) else finding.edits
    line, column = document.messages[finding.message].position(finding.start)
    return AnalysisIssue(
        type=rule.id,
        name=rule.name,
        severity=rule.severity,
        description=finding.description,
        suggestion=finding.suggestion,
        message_index=finding.message,
        start=finding.start,
        end=finding.end,
        line=line,
        column=column,
        fixable=bool(edits),
        edits=edits,
    )

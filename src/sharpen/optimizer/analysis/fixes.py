"""Mends what can be mended without changing what a prompt asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sharpen.optimizer.analysis.template import BRACE, scan
from sharpen.optimizer.models import AnalysisIssue, Prompt, TextEdit


def apply_fixes(prompt: Prompt, issues: Iterable[AnalysisIssue]) -> Prompt:
    """``prompt`` with the safe fixes of ``issues`` made; where two overlap, the first in the text.

    Fix again after a new analysis until nothing changes: one fix may uncover another. Jinja tags are never touched.
    """
    by_message: dict[int, list[AnalysisIssue]] = defaultdict(list)
    for issue in issues:
        if issue.fixable:
            by_message[issue.message_index].append(issue)
    messages = tuple(
        message.model_copy(update={"content": _mended(message.content, by_message[index])})
        for index, message in enumerate(prompt.messages)
    )
    return prompt.with_messages(messages)


def apply_edits(source: str, edits: Sequence[TextEdit]) -> str:
    """``source`` with edits made that do not overlap. Raises ``ValueError`` for one that would touch a Jinja tag."""
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        if touches_tag(source, edit):
            raise ValueError(f"an edit of {source[edit.start : edit.end]!r} would change a Jinja tag")
        source = source[: edit.start] + edit.replacement + source[edit.end :]
    return source


def touches_tag(source: str, edit: TextEdit) -> bool:
    """Whether an edit reaches into a tag, or would make one out of a stray brace."""
    if any(edit.start < tag.end and tag.start < edit.end for tag in scan(source)):
        return True
    if any(tag.start < edit.start == edit.end < tag.end for tag in scan(source)):
        return True
    inserted = [tag.source for tag in scan(edit.replacement)]
    if any(text != BRACE for text in inserted):
        return True
    after = scan(source[: edit.start] + edit.replacement + source[edit.end :])
    return len(after) != len(scan(source)) + len(inserted)


def _mended(source: str, issues: Sequence[AnalysisIssue]) -> str:
    taken: list[TextEdit] = []
    for issue in sorted(issues, key=lambda issue: (issue.start, issue.type)):
        if not any(a.start < b.end and b.start < a.end for a in taken for b in issue.edits) and not any(
            touches_tag(source, edit) for edit in issue.edits
        ):
            taken += issue.edits
    return apply_edits(source, taken)

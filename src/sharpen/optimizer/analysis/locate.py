"""From a place in a message to the place in the file the message was read from."""

from __future__ import annotations

import re

from sharpen.optimizer.models import AnalysisIssue, Prompt, PromptAnalysis

_BEFORE = re.compile(r"""\s*(?:-\s+)?(?:\{.*,)?\s*(?:["']?\w+["']?\s*:\s*)?["']?""")


def locate(analysis: PromptAnalysis, prompt: Prompt, file_text: str) -> PromptAnalysis:
    """``analysis`` with the lines and columns of the file (counted from 1); offsets stay those of the message.

    A file holds front matter, headings and perhaps YAML's indentation beside the messages, so every message is looked
    up in the file's text, line by line. A message that does not stand there keeps its own lines.
    """
    lines = file_text.splitlines()
    maps: list[list[tuple[int, int]] | None] = []
    begin = _after_front_matter(lines)
    for message in prompt.messages:
        found = _find(lines, message.content.split("\n"), begin)
        maps.append(found)
        if found:
            begin = found[-1][0]
    issues = tuple(_moved(issue, maps[issue.message_index]) for issue in analysis.issues)
    return analysis.model_copy(update={"issues": issues})


def _moved(issue: AnalysisIssue, lines: list[tuple[int, int]] | None) -> AnalysisIssue:
    if not lines:
        return issue
    line, shift = lines[min(issue.line, len(lines)) - 1]
    return issue.model_copy(update={"line": line, "column": issue.column + shift})


def _find(lines: list[str], wanted: list[str], begin: int) -> list[tuple[int, int]] | None:
    """File line (from 1) and columns of indentation for every line of ``wanted``, at the first place they all fit."""
    while wanted and not wanted[-1].strip():
        wanted = wanted[:-1]
    for start in range(begin, len(lines) - len(wanted) + 1):
        shifts = [_shift(lines[start + k], text) for k, text in enumerate(wanted)]
        if wanted and all(shift is not None for shift in shifts):
            return [(start + k + 1, shift or 0) for k, shift in enumerate(shifts)]
    return None


def _shift(line: str, text: str) -> int | None:
    """Where ``text`` stands in ``line``; None when it does not. Quotes and a key may stand around it (YAML, JSON)."""
    text = text.rstrip()
    if not text:
        return 0 if not line.strip() else None
    at = line.find(text)
    if at < 0 or line[at + len(text) :].strip(" \t\"',]}") or not _BEFORE.fullmatch(line[:at]):
        return None
    return at


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for number, line in enumerate(lines[1:], start=1):
            if line.strip() == "---":
                return number + 1
    return 0

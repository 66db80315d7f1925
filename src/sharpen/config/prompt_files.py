"""Prompts in files: Markdown or text, split into messages by ``# system``, ``# user`` and ``# assistant`` headings.

A file without such headings is one user message. With headings, text before the first one is an error: it would be
unclear who says it. Headings inside fenced code blocks do not split. Blank lines around a message are dropped, all
other white space is kept. ``---`` front matter may hold ``role`` (whose message a file without headings is) and
``description`` (the plan's description, when the plan has none). The keys ``name``, ``title``, ``version``, ``tags``,
``author``, ``license``, ``model`` and ``metadata`` may hold any value: they are for people, sharpen does nothing with
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from sharpen.config.files import display, file_problem, read_text
from sharpen.config.prompts import PromptTemplate, Role
from sharpen.config.redact import show
from sharpen.errors import PlanError, Problem, TemplateError, suggest
from sharpen.templating import variables_of

ROLES: tuple[str, ...] = get_args(Role)
_HEADING = re.compile(rf"#[ \t]+({'|'.join(ROLES)})[ \t]*:?[ \t]*", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER_KEYS = ("description", "role")
_FOR_PEOPLE = ("name", "title", "version", "tags", "author", "license", "model", "metadata")


@dataclass(frozen=True, slots=True)
class Section:
    """One message and the line of the file on which its content begins."""

    role: str
    content: str
    line: int


@dataclass(slots=True)
class PromptFile:
    """A prompt file as read; ``problems`` holds all that is wrong with it. ``front_matter``: its keys for people."""

    path: Path
    sections: list[Section] = field(default_factory=list)
    description: str = ""
    front_matter: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def template(self) -> PromptTemplate:
        """The prompt. Raises ``PlanError`` with all problems."""
        if self.problems:
            raise PlanError(self.problems)
        return PromptTemplate.model_validate(
            [{"role": section.role, "content": section.content} for section in self.sections]
        )


def read_prompt(path: Path) -> PromptFile:
    """Read and split a prompt file; whatever is wrong stands in ``problems``."""
    problem = file_problem(path, "a prompt file", key="prompt")
    if problem:
        return PromptFile(path, problems=[problem])
    try:
        return split_prompt(read_text(path), path)
    except PlanError as error:
        return PromptFile(path, problems=list(error.problems))


def split_prompt(text: str, path: Path) -> PromptFile:
    """Split the text of a prompt file, its lines ending in plain newlines; ``path`` is what messages call it."""
    prompt, lines = PromptFile(path), text.split("\n")
    try:
        start, default_role = _front_matter(lines, prompt)
    except PlanError as error:
        prompt.problems.extend(error.problems)
        return prompt
    _split(lines, start, default_role, prompt)
    for section in prompt.sections:
        if problem := template_problem(section.content, f"{display(path)}:", section.line):
            prompt.problems.append(problem)
    return prompt


def template_problem(source: str, where: str, first_line: int, key: str = "") -> Problem | None:
    """The syntax error of a template, if any; its line, counted from ``first_line``, is put after ``where``."""
    try:
        variables_of(source)
    except TemplateError as error:
        line = getattr(error.__cause__, "lineno", 1)
        message = str(error).removeprefix(f"line {line}: ")
        return Problem(f"template: {message}", f"{where}{first_line + line - 1}", key)
    return None


def _front_matter(lines: Sequence[str], prompt: PromptFile) -> tuple[int, str]:
    """The index of the first line after the front matter, and the role it sets."""
    if not lines or lines[0].rstrip() != "---":
        return 0, "user"
    end = next((index for index, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), None)
    name = display(prompt.path)
    if end is None:
        raise PlanError(Problem("front matter is never closed", f"{name}:1", expected="a line '---' after it"))
    from sharpen.config.documents import parse

    document = parse("\n".join(lines[1:end]), prompt.path, first_line=2, format="yaml")
    prompt.problems.extend(document.problems)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise PlanError(Problem(f"front matter is {show(data)}", f"{name}:2", expected="keys: description, role"))
    role = "user"
    for key, value in data.items():
        where = document.where((key,))
        if key in _FOR_PEOPLE:
            prompt.front_matter[key] = value
            continue
        if key not in _FRONT_MATTER_KEYS:
            hint = suggest(str(key), (*_FRONT_MATTER_KEYS, *_FOR_PEOPLE))
            prompt.problems.append(Problem(f"unknown front matter key {key!r}; {hint}", where))
        elif not isinstance(value, str) or (key == "role" and value not in ROLES):
            expected = f"one of {', '.join(ROLES)}" if key == "role" else "a text"
            prompt.problems.append(Problem(f"got {show(value)}", where, str(key), expected))
        elif key == "role":
            role = value
        else:
            prompt.description = value
    return end + 1, role


def _split(lines: Sequence[str], start: int, default_role: str, prompt: PromptFile) -> None:
    name = display(prompt.path)
    headings = _headings(lines, start)
    first = headings[0][0] if headings else len(lines)
    before = _section(default_role, lines, start, first)
    if not headings:
        if before is None:
            prompt.problems.append(Problem("the prompt is empty", name, expected="at least one message"))
        else:
            prompt.sections.append(before)
        return
    if before is not None:
        prompt.problems.append(
            Problem(
                "text before the first heading", f"{name}:{before.line}", expected="it under '# system' or '# user'"
            )
        )
    ends = [index for index, _ in headings[1:]] + [len(lines)]
    for (index, role), end in zip(headings, ends, strict=True):
        section = _section(role, lines, index + 1, end)
        if section is None:
            problem = Problem(f"nothing stands under '# {role}'", f"{name}:{index + 1}", expected="a message")
            prompt.problems.append(problem)
        else:
            prompt.sections.append(section)


def _headings(lines: Sequence[str], start: int) -> list[tuple[int, str]]:
    """Index and role of every heading outside of fenced code."""
    found: list[tuple[int, str]] = []
    fence = ""
    for index in range(start, len(lines)):
        line = lines[index]
        if match := _FENCE.match(line):
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif not fence and (heading := _HEADING.fullmatch(line)):
            found.append((index, heading[1].lower()))
    return found


def _section(role: str, lines: Sequence[str], start: int, end: int) -> Section | None:
    """The lines without the blank ones around them; None when nothing is left."""
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return Section(role, "\n".join(lines[start:end]), start + 1) if start < end else None

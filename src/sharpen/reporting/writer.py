"""Reports into files: the suffix chooses the format, and a file is there whole or not at all.

A report may be larger than memory: it is made while it is written.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Union

from sharpen.config.models import Case
from sharpen.errors import UserError
from sharpen.executor.models import RunExecutionResult
from sharpen.history.models import Comparison, Flakiness
from sharpen.history.trends import Trend
from sharpen.json_stream import chunks
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import Decision, OptimizationOutcome, TestExecutionReport

if TYPE_CHECKING:
    from sharpen.experiments.models import ExperimentReport

Output = Union["RunOutput", "OptimizationOutput", "ExperimentOutput", "ComparisonOutput", "HistoryOutput"]
JUNIT = ".junit.xml"
SUFFIXES = (".html", ".json", JUNIT, ".md")
MARK = "<!-- sharpen report -->"
"""By this a later run knows that a file is a report and may be written again: line 1 in Markdown, else line 2."""
_JSON_REPORT = re.compile(
    r'\{\s*("(run|first)":\s*\{\s*)?"run_id":\s*"[^"]*",\s*"workflow_id":|\{\s*"history":\s*\{\s*"workflow_id":'
)


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What a report of a single run is made from. ``cases``: its inputs, which may be read as they are needed.

    ``patterns``: its failures in groups (None: it has none, or they are not to be shown). ``flakiness``: how steady its
    cases are (None: none of them was asked twice).
    """

    result: RunExecutionResult
    report: TestExecutionReport | None
    decision: Decision | None
    cases: Collection[Case] = ()
    patterns: ErrorPatterns | None = None
    flakiness: Flakiness | None = None


@dataclass(frozen=True, slots=True)
class OptimizationOutput:
    """What a report of an optimization is made from."""

    outcome: OptimizationOutcome
    cases: Sequence[Case] = ()


@dataclass(frozen=True, slots=True)
class ComparisonOutput:
    """What a report of two runs side by side is made from."""

    comparison: Comparison


@dataclass(frozen=True, slots=True)
class HistoryOutput:
    """What a report of a workflow's history is made from."""

    trend: Trend


@dataclass(frozen=True, slots=True)
class ExperimentOutput:
    """What a report of an experiment is made from."""

    report: ExperimentReport


_NO_TESTS = {ExperimentOutput: "an A/B test", ComparisonOutput: "a comparison", HistoryOutput: "a history"}
"""What JUnit has no words for."""


def check_output_paths(paths: Iterable[str | Path], kind: type[Output] | None = None) -> None:
    """Before anything is paid: every suffix is known and nothing stands in the way. Raises ``UserError``.

    ``kind``: what is to be written, where that is no list of tests, which JUnit takes alone.
    What stands in the way: a directory, a directory that cannot be written to, any file that is not empty and no
    earlier report.
    """
    for path in map(Path, paths):
        _check_kind(_suffix(path, kind), kind, path)
        if path.is_dir():
            raise UserError(f"cannot write {str(path)!r}: it is a directory; expected a file name")
        parent = next(parent for parent in path.absolute().parents if parent.exists())
        if not parent.is_dir():
            raise UserError(f"cannot write {str(path)!r}: {str(parent)!r} is a file; expected a directory")
        if not os.access(parent, os.W_OK):
            raise UserError(f"cannot write {str(path)!r}: no permission to write in {str(parent)!r}")
        if path.is_file() and not _may_replace(path):
            raise UserError(
                f"cannot write {str(path)!r}: it exists and is no sharpen report; choose another name, or move it away"
            )


def write_output(path: str | Path, content: Output) -> Path:
    """Render ``content`` in the format of the suffix and put it at ``path``; parent directories are created.

    Raises ``UserError`` that names the path when the suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    check_output_paths([path], type(content))
    suffix = _suffix(path)
    parts = _marked(suffix, render(suffix, content))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, parts)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def render(suffix: str, content: Output) -> Iterable[str]:
    """The text of a report in one of ``SUFFIXES``, in parts; the first one holds the first line."""
    from sharpen.reporting import html, json_document, junit, markdown  # jinja2 stays unloaded until it is needed

    _check_kind(suffix, type(content), suffix)
    if isinstance(content, RunOutput):
        result, report, decision, cases = content.result, content.report, content.decision, content.cases
        patterns, flakiness = content.patterns, content.flakiness
        match suffix:
            case ".html":
                return [html.render_run_html(result, report, decision, cases, patterns=patterns, flakiness=flakiness)]
            case ".json":
                return chain(chunks(json_document.run_document(result, report, decision, patterns, flakiness)), "\n")
            case ".junit.xml":
                return junit.run_junit_parts(result, cases)
            case _:
                return [markdown.run_markdown(result, report, decision, cases, patterns, flakiness)]
    if isinstance(content, ExperimentOutput):
        return _render_experiment(suffix, content.report)
    if isinstance(content, ComparisonOutput):
        return _render_comparison(suffix, content.comparison)
    if isinstance(content, HistoryOutput):
        return _render_history(suffix, content.trend)
    match suffix:
        case ".html":
            return [html.render_optimization_html(content.outcome, content.cases)]
        case ".json":
            return chain(chunks(json_document.optimization_document(content.outcome)), "\n")
        case ".junit.xml":
            return [junit.optimization_junit(content.outcome, content.cases)]
        case _:
            return [markdown.optimization_markdown(content.outcome, content.cases)]


def _render_experiment(suffix: str, report: ExperimentReport) -> Iterable[str]:
    from sharpen.reporting import experiment_markdown, experiment_page, json_document

    match suffix:
        case ".html":
            return [experiment_page.experiment_html(report)]
        case ".json":
            return [json_document.dumps(experiment_markdown.experiment_document(report)), "\n"]
        case _:
            return [experiment_markdown.experiment_markdown(report)]


def _render_comparison(suffix: str, found: Comparison) -> Iterable[str]:
    from sharpen.reporting import comparison_markdown, comparison_page, json_document

    match suffix:
        case ".html":
            return [comparison_page.comparison_html(found)]
        case ".json":
            return chain(chunks(json_document.comparison_document(found)), "\n")
        case _:
            return [comparison_markdown.comparison_markdown(found)]


def _render_history(suffix: str, trend: Trend) -> Iterable[str]:
    from sharpen.reporting import history_markdown, history_page, json_document

    match suffix:
        case ".html":
            return [history_page.history_html(trend)]
        case ".json":
            return chain(chunks(json_document.history_document(trend)), "\n")
        case _:
            return [history_markdown.history_markdown(trend)]


def _suffix(path: Path, kind: type[Output] | None = None) -> str:
    name = path.name.lower()
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    possible = [suffix for suffix in SUFFIXES if suffix != JUNIT or kind not in _NO_TESTS]
    raise UserError(f"unknown output format {str(path)!r}; expected a name that ends in {', '.join(possible)}")


def _check_kind(suffix: str, kind: type[Output] | None, asked: str | Path) -> None:
    if suffix == JUNIT and kind in _NO_TESTS:
        raise UserError(
            f"cannot write {str(asked)!r}: {_NO_TESTS[kind]} is no list of tests; expected .html, .json or .md"
        )


def _marked(suffix: str, parts: Iterable[str]) -> Iterator[str]:
    """JSON has no comments; there the first keys tell. In HTML and XML the first line says what the text is."""
    for number, part in enumerate(parts):
        if number or suffix == ".json":
            yield part
        else:
            yield f"{MARK}\n{part}" if suffix == ".md" else part.replace("\n", f"\n{MARK}\n", 1)


def _may_replace(path: Path) -> bool:
    """Whether an existing file is empty or an earlier report; one that cannot be read counts as somebody's work."""
    try:
        with path.open("rb") as file:
            start = file.read(1000).decode("utf-8", "replace")
    except OSError:
        return False
    if _suffix(path) == ".json":
        return not start or _JSON_REPORT.match(start) is not None
    return not start or MARK in start.splitlines()[:2]


def _replace(path: Path, parts: Iterable[str]) -> None:
    """Write beside the target and move it there: a reader sees the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.writelines(parts)
        temporary.replace(path)
    except BaseException:  # Ctrl-C, too, leaves no half file behind
        temporary.unlink(missing_ok=True)
        raise

"""What the commands print: text for people, or the one JSON document that ``--json`` asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sharpen.cli.streams import to_reader
from sharpen.config.models import Case
from sharpen.errors import RunAborted
from sharpen.executor.models import RunStatus
from sharpen.history.models import Comparison, Flakiness
from sharpen.json_stream import chunks
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.pipeline import RunStory
from sharpen.reporting import console as terminal
from sharpen.reporting.console_comparison import print_comparison
from sharpen.reporting.json_document import comparison_document, dumps, optimization_document, run_document
from sharpen.reporting.pattern_source import patterns_of_run
from sharpen.reporting.writer import (
    ComparisonOutput,
    OptimizationOutput,
    Output,
    RunOutput,
    check_output_paths,
    write_output,
)
from sharpen.wiring.queries import DecidedStory
from sharpen.wiring.resuming import larger_budget


def checked_outputs(paths: Sequence[Path] | None, kind: type[Output] | None = None) -> Sequence[Path]:
    """Refuse what cannot be written before anything is paid. ``kind``: what is to be written, if that is known."""
    check_output_paths(paths or (), kind)
    return paths or ()


@to_reader()
def run(
    story: RunStory,
    cases: Collection[Case],
    as_json: bool,
    outputs: Sequence[Path],
    store_option: str = "",
    aborted: str | None = None,
    time: bool = False,
    patterns: Callable[[], ErrorPatterns | None] | None = None,
    flakiness: Flakiness | None = None,
) -> None:
    """A run's report on stdout and in files. ``store_option``: what later commands need to find it.

    Of a large run results and ``cases`` are read from the store meanwhile, which must be open.
    ``time``: people, too, are told where it went. ``patterns`` groups its failures (left out: all of them). Of a run
    that was ``aborted`` people see that message alone: raises ``RunAborted``.
    """
    grouped = patterns() if patterns else patterns_of_run(story.result, cases)
    for path in outputs:
        write_output(path, RunOutput(story.result, story.report, story.decision, cases, grouped, flakiness))
    if as_json:
        document = run_document(story.result, story.report, story.decision, grouped, flakiness)
        if aborted:
            document["error"] = {"type": "RunAborted", "message": aborted, "exit_code": 3, "problems": []}
            print(f"error: {aborted}", file=sys.stderr)
        _stream(document)
        return
    if aborted:
        raise RunAborted(aborted)
    console = terminal.make_console()
    terminal.print_run(
        console, story.result, story.report, story.decision, cases, time=time, patterns=grouped, flakiness=flakiness
    )
    if story.result.status is not RunStatus.COMPLETED:
        console.print(f"Go on: sharpen resume {story.result.run_id}{store_option}", soft_wrap=True)
        if raised := larger_budget(story.result.stop_reason, "execution"):
            console.print(f"What was spent counts; with a larger budget:{raised}", soft_wrap=True)
    _written(outputs)


@to_reader()
def optimization(
    outcome: OptimizationOutcome,
    cases: Sequence[Case],
    as_json: bool,
    outputs: Sequence[Path],
    store_option: str,
    goes_on: str | None = None,
) -> None:
    """An optimization's evidence on stdout and in files. ``store_option``: what later commands need to find it.

    ``goes_on``: the command that goes on with a search that was stopped before its end.
    """
    for path in outputs:
        write_output(path, OptimizationOutput(outcome, cases))
    if as_json:
        _stream(optimization_document(outcome))
        return
    console = terminal.make_console()
    terminal.print_optimization(console, outcome)
    if outcome.version:
        command = f"sharpen versions show {outcome.workflow_id} {outcome.version} --format prompt{store_option}"
        console.print(f"Use it: {command}", soft_wrap=True)
    if goes_on:
        console.print(f"Go on: {goes_on}", soft_wrap=True)
    _written(outputs)


@to_reader()
def decision(decided: DecidedStory, as_json: bool, quiet: bool) -> None:
    """A decision, what it rests on included."""
    if as_json:
        document = {
            "workflow_id": decided.workflow_id,
            "run_id": decided.run_id,
            "decision": _plain(decided.decision),
            "analysis": _plain(decided.analysis),
            "report": _plain(decided.report),
            "patterns": _plain(decided.patterns),
        }
        print(dumps(document))
        return
    if not quiet:
        basis = f"by run {decided.run_id}" if decided.run_id else "by analysis alone: not run with this prompt yet"
        terminal.print_decision(terminal.make_console(), decided.decision, decided.analysis, basis, decided.patterns)


@to_reader()
def comparison(found: Comparison, as_json: bool, quiet: bool, outputs: Sequence[Path] = ()) -> None:
    """Two runs on the cases that they share."""
    for path in outputs:
        write_output(path, ComparisonOutput(found))
    if as_json:
        print(dumps(comparison_document(found)))
        return
    if quiet:
        return
    print_comparison(terminal.make_console(), found)
    _written(outputs)


def _stream(document: Any) -> None:
    """Print a document while it is made."""
    if sys.stdout is not None:  # None: it was closed before we began
        sys.stdout.writelines(chunks(document))
        print()


def _written(outputs: Sequence[Path]) -> None:
    for path in outputs:
        print(f"Report: {path}")


def _plain(model: BaseModel | None) -> Any:
    return None if model is None else model.model_dump(mode="json")

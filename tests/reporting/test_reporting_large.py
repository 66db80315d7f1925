"""Reports of runs that are read from where they are stored: the same as of small ones, but for what a page can hold."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pytest

from factories import make_case, make_report, make_run, make_task
from sharpen.config.models import Case
from sharpen.errors import ErrorKind, StoreError
from sharpen.executor.models import (
    ResultLog,
    RunExecutionResult,
    TaskError,
    TaskFigures,
    TaskResult,
    TaskStatus,
)
from sharpen.executor.result_log import TOGETHER, figures_of, with_cases
from sharpen.reporting import console, digest, markdown
from sharpen.reporting.html import render_run_html
from sharpen.reporting.json_document import dumps, run_document
from sharpen.reporting.junit import run_junit
from sharpen.reporting.terminal import make_console
from sharpen.reporting.writer import RunOutput, write_output


class Log(ResultLog):
    """Results that count how often they are read, and break off where they are told to."""

    def __init__(self, tasks: Sequence[TaskResult], broken_at: int | None = None) -> None:
        self.tasks = tasks
        self.passes = 0
        self.broken_at = broken_at

    def __iter__(self) -> Iterator[TaskResult]:
        self.passes += 1
        for number, task in enumerate(self.tasks):
            if number == self.broken_at:
                raise StoreError("the store is gone")
            yield task

    def __len__(self) -> int:
        return len(self.tasks)

    @overload
    def __getitem__(self, index: int) -> TaskResult: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TaskResult]: ...

    def __getitem__(self, index: int | slice) -> Any:
        raise AssertionError("no report picks single results of a log")

    def figures(self) -> Iterator[TaskFigures]:
        yield from figures_of(tuple(self.tasks))

    def not_succeeded(self) -> Iterator[TaskResult]:
        return (task for task in self.tasks if task.status is not TaskStatus.SUCCEEDED)


class Stored(Collection[Case]):
    """Cases that can be looked up, a few at a time."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = {case.id: case for case in cases}

    def of(self, case_ids: Collection[str]) -> dict[str, Case]:
        assert len(case_ids) <= TOGETHER
        return {name: self.cases[name] for name in case_ids if name in self.cases}

    def __iter__(self) -> Iterator[Case]:
        raise AssertionError("no report reads all cases")

    def __len__(self) -> int:
        return len(self.cases)

    def __contains__(self, case: object) -> bool:
        return case in self.cases.values()


def tasks_of(number: int, failing: int, repeats: int = 1) -> list[TaskResult]:
    return [
        make_task(
            f"case-{index:05}",
            TaskStatus.FAILED if index % (number // failing) == 0 else TaskStatus.SUCCEEDED,
            task_id=f"t{index}-{repeat}",
            repeat=repeat,
            execution_time=0.001 * (index % 50 + 1),
        )
        for index in range(number)
        for repeat in range(repeats)
    ]


def both(tasks: Sequence[TaskResult]) -> tuple[RunExecutionResult, RunExecutionResult]:
    """The same run in memory, and read from a log."""
    held = make_run(tasks)
    return held, held.model_copy(update={"task_results": Log(tasks)})


def cases_of(number: int) -> list[Case]:
    return [make_case(f"case-{index:05}", vars={"message": f"message {index}"}) for index in range(number)]


TASKS = tasks_of(60, failing=12, repeats=2)


def test_documents_junit_and_markdown_are_those_of_a_small_run() -> None:
    held, logged = both(TASKS)
    cases = cases_of(60)
    report = make_report(held)
    assert json.loads(dumps(run_document(logged, report, None))) == json.loads(dumps(run_document(held, report, None)))
    assert run_junit(logged, Stored(cases)) == run_junit(held, cases)
    assert "case-00001 #2" in run_junit(logged)
    once, log = both(tasks_of(60, failing=12))
    for run, stored in ((once, log), (held, logged)):
        found = markdown.run_markdown(stored, report, None, Stored(cases))
        assert found == markdown.run_markdown(run, report, None, cases)
        assert "#### Failing cases (12)" in found
        assert "… and 2 more" in found


def test_a_document_is_made_in_one_pass_of_valid_json_whatever_models_wrote() -> None:
    odd = '\ud800 \u2028 \n " \\ }'
    _, run = both([make_task("a", output=odd), make_task("b", output="b", task_id="b")])
    log = run.task_results
    document = json.loads(dumps(run_document(run, None, None)))
    assert [task["output"] for task in document["run"]["task_results"]] == ['? \u2028 \n " \\ }', "b"]
    assert document["time"]["tasks"] == 2
    assert isinstance(log, Log)
    assert log.passes == 1


def test_a_report_that_cannot_be_read_to_its_end_leaves_no_file(tmp_path: Path) -> None:
    for name in ("r.json", "r.junit.xml", "r.html"):
        run = make_run(TASKS).model_copy(update={"task_results": Log(TASKS, broken_at=70)})
        with pytest.raises(StoreError, match="the store is gone"):
            write_output(tmp_path / name, RunOutput(run, None, None))
    assert not list(tmp_path.iterdir())


def test_every_format_of_a_log_may_be_written_again(tmp_path: Path) -> None:
    _, run = both(TASKS)
    for name in ("r.json", "r.junit.xml", "r.html", "r.md"):
        for _ in range(2):
            write_output(tmp_path / name, RunOutput(run, make_report(run), None, Stored(cases_of(60))))
    assert len(json.loads((tmp_path / "r.json").read_text())["run"]["task_results"]) == 120
    assert len(ET.parse(tmp_path / "r.junit.xml").findall(".//testcase")) == 120


def rows(page: str) -> list[str]:
    return re.findall(r'<details class="case" data-state="(\w+)"', page)


def test_a_page_of_a_large_run_shows_failing_cases_and_a_sample_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "FAILING_SHOWN", 8)
    monkeypatch.setattr(digest, "OTHERS_SHOWN", 5)
    held, run = both(TASKS)
    page = render_run_html(run, make_report(run), None, Stored(cases_of(60)))
    assert sorted(rows(page)) == ["failed"] * 8 + ["passed"] * 5
    assert "Shown: the first 8 of 12 cases that failed and 5 of 48 others, drawn at random." in page
    assert f"<code>sharpen runs export {run.run_id}</code>" in page
    ids = re.findall(r'<span class="id">(.*?)</span>', page)
    assert ids == sorted(ids)
    assert ids[0] == "case-00000"
    assert "message 0" in page
    whole = render_run_html(held, make_report(run), None, cases_of(60))
    assert "Shown: the first" not in whole
    charts = [re.findall(r"<svg.*?</svg>", text, re.DOTALL) for text in (page, whole)]
    assert charts[0] == charts[1]
    assert len(charts[0]) >= 3
    few = render_run_html(both(tasks_of(5, failing=1))[1], None, None, [])
    assert "Shown: all 1 cases that failed and all 4 others." in few


def test_a_page_stays_small_whatever_models_wrote() -> None:
    long = [
        make_task(f"c{index}", TaskStatus.FAILED, task_id=f"t{index}", output="<&" * 50_000,
                  error=TaskError(kind=ErrorKind.ASSERTION, message="x" * 50_000))
        for index in range(1_200)
    ]  # fmt: skip
    _, run = both(long)
    cases = [make_case(f"c{index}", vars={f"v{n}": "<" * 5_000 for n in range(20)}) for index in range(1_200)]
    page = render_run_html(run, None, None, Stored(cases))
    assert 100 < len(rows(page)) < 1_000
    assert re.search(r"Shown: the first \d+ of 1,200 cases that failed\.", page)
    assert len(page) < 10_000_000
    assert "99,000 of 100,000 characters left out" in page


def test_the_terminal_shows_the_inputs_of_failing_cases_that_are_looked_up() -> None:
    _, run = both(TASKS)
    text = io.StringIO()
    console.print_run(make_console(file=text, width=100), run, None, None, Stored(cases_of(60)), time=True)
    assert "message 20" in text.getvalue()
    assert "Failing tests (24)" in text.getvalue()


def test_results_beside_their_cases() -> None:
    cases = cases_of(60)[:50]
    for known in (cases, Stored(cases)):
        found = [(task.case_id, case.id if case else None) for task, case in with_cases(Log(TASKS), known)]
        assert found == [(t.case_id, t.case_id if t.case_id < "case-00050" else None) for t in TASKS]

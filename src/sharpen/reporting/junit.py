"""JUnit XML, as continuous integration servers read it: one test case for each task. Pure.

The shape is that of the Apache Ant JUnit report as Jenkins and GitLab take it: testsuites > testsuite > (properties,
testcase > (failure | error | skipped)?, system-out?). An assertion that said no is a failure; no usable answer is an
error; a task that was not called is skipped.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # writes only, nothing is parsed
from collections.abc import Collection, Iterator, Mapping, Sequence

from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult, TaskResult, TaskStatus
from sharpen.executor.result_log import figures_of, repeated, with_cases
from sharpen.executor.statistics import ExactSum
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.reporting.cases import failures_of
from sharpen.reporting.text import as_text, cut, for_xml, one_line

OUTPUT_LIMIT = 10_000
_END = "\n  </testsuite>\n</testsuites>"


def run_junit(result: RunExecutionResult, cases: Collection[Case] = ()) -> str:
    """The report of one run."""
    return "".join(run_junit_parts(result, cases))


def run_junit_parts(result: RunExecutionResult, cases: Collection[Case] = ()) -> Iterator[str]:
    """The report of one run, made while it is read."""
    return _document(result.workflow_id, result.workflow_id, result, cases)


def optimization_junit(outcome: OptimizationOutcome, cases: Sequence[Case] = ()) -> str:
    """The prompt that is to be used now: the candidate on the held-out cases when it was accepted, else the baseline.

    The other run is not reported: what it fails is no failure of the build.
    """
    accepted = outcome.verification is not None and outcome.verification.accepted
    if accepted and outcome.holdout_run is not None:
        name, run = f"{outcome.workflow_id} {outcome.version or 'candidate'}", outcome.holdout_run
    else:
        name, run = outcome.workflow_id, outcome.baseline_run
    return "".join(_document(outcome.workflow_id, name, run, cases))


def _document(name: str, suite_name: str, result: RunExecutionResult, cases: Collection[Case]) -> Iterator[str]:
    """One suite in its document: first all that stands before its test cases, then these, one by one."""
    root = ET.Element("testsuites", name=for_xml(name))
    counts = _counts(result)
    for key, value in counts.items():
        root.set(key, value)
    root.append(_suite(suite_name, result, counts))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    end = text.rindex(_END)
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n{text[:end]}'
    numbered = repeated(result.task_results)
    for task, case in with_cases(result.task_results, cases):
        element = _testcase(result.workflow_id, task, case, numbered=numbered)
        ET.indent(element, level=2)
        yield f"\n    {ET.tostring(element, encoding='unicode')}"
    yield f"{text[end:]}\n"


def _counts(result: RunExecutionResult) -> dict[str, str]:
    statistics, tests, skipped, times = result.statistics, 0, 0, ExactSum()
    for figures in figures_of(result.task_results):
        tests += 1
        skipped += not figures.status.completed
        times.add(figures.execution_time)
    return {
        "tests": str(tests),
        "failures": str(statistics.failed_tasks),
        "errors": str(statistics.timeout_tasks + statistics.error_tasks),
        "skipped": str(skipped),
        "time": f"{times.value:.3f}",
    }


def _suite(name: str, result: RunExecutionResult, counts: Mapping[str, str]) -> ET.Element:
    statistics = result.statistics
    timestamp = result.started_at.strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.Element("testsuite", {"name": for_xml(name), **counts, "timestamp": timestamp})
    properties = ET.SubElement(suite, "properties")
    cost = statistics.total_cost
    for key, value in (
        ("run_id", result.run_id),
        ("status", result.status.value),
        ("success_rate", f"{statistics.success_rate:.6g}"),
        ("total_tokens", str(statistics.total_tokens)),
        ("total_cost_usd", "unknown" if cost is None else f"{cost:.6g}"),
        ("retries", str(statistics.total_retries)),
    ):
        ET.SubElement(properties, "property", name=key, value=for_xml(value))
    return suite


def _testcase(workflow: str, task: TaskResult, case: Case | None, *, numbered: bool) -> ET.Element:
    name = f"{task.case_id} #{task.repeat + 1}" if numbered else task.case_id
    element = ET.Element("testcase", name=for_xml(name), classname=for_xml(workflow), time=f"{task.execution_time:.3f}")
    failures = failures_of(task)
    text = "\n".join(f"{failure.name}: {failure.reason}" for failure in failures)
    if case is not None and case.expected is not None:
        text += f"\nexpected: {as_text(case.expected)}"
    if task.status is TaskStatus.FAILED:
        _outcome(element, "failure", failures[0].name if failures else "assertion", text)
    elif task.status in (TaskStatus.TIMEOUT, TaskStatus.ERROR):
        _outcome(element, "error", task.error.kind.value if task.error else task.status.value, text)
    elif not task.status.completed:
        ET.SubElement(element, "skipped", message=for_xml(one_line(text or task.status.value, 300)))
    if task.output:
        output, note = cut(task.output, OUTPUT_LIMIT)
        ET.SubElement(element, "system-out").text = for_xml(output) + (f"\n({note})" if note else "")
    return element


def _outcome(element: ET.Element, tag: str, kind: str, text: str) -> None:
    detail = ET.SubElement(element, tag, message=for_xml(one_line(text, 300)), type=for_xml(kind))
    detail.text = for_xml(cut(text, OUTPUT_LIMIT)[0])

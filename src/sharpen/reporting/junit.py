"""JUnit XML, as continuous integration servers read it: one test case for each task. Pure.

The shape is that of the Apache Ant JUnit report as Jenkins and GitLab take it: testsuites > testsuite > (properties,
testcase > (failure | error | skipped)?, system-out?). An assertion that said no is a failure; no usable answer is an
error; a task that was not called is skipped.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # writes only, nothing is parsed
from collections.abc import Sequence

from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult, TaskResult, TaskStatus
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.reporting.cases import failures_of
from sharpen.reporting.text import as_text, cut, for_xml, one_line

OUTPUT_LIMIT = 10_000


def run_junit(result: RunExecutionResult, cases: Sequence[Case] = ()) -> str:
    """The report of one run."""
    return _document(result.workflow_id, [_suite(result.workflow_id, result, cases)])


def optimization_junit(outcome: OptimizationOutcome, cases: Sequence[Case] = ()) -> str:
    """The prompt that is to be used now: the candidate on the held-out cases when it was accepted, else the baseline.

    The other run is not reported: what it fails is no failure of the build.
    """
    accepted = outcome.verification is not None and outcome.verification.accepted
    if accepted and outcome.holdout_run is not None:
        suite = _suite(f"{outcome.workflow_id} {outcome.version or 'candidate'}", outcome.holdout_run, cases)
    else:
        suite = _suite(outcome.workflow_id, outcome.baseline_run, cases)
    return _document(outcome.workflow_id, [suite])


def _document(name: str, suites: Sequence[ET.Element]) -> str:
    root = ET.Element("testsuites", name=for_xml(name))
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    root.extend(suites)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, result: RunExecutionResult, cases: Sequence[Case]) -> ET.Element:
    statistics = result.statistics
    suite = ET.Element(
        "testsuite",
        name=for_xml(name),
        tests=str(len(result.task_results)),
        failures=str(statistics.failed_tasks),
        errors=str(statistics.timeout_tasks + statistics.error_tasks),
        skipped=str(sum(not task.status.completed for task in result.task_results)),
        time=f"{sum(task.execution_time for task in result.task_results):.3f}",
        timestamp=result.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
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
    known = {case.id: case for case in cases}
    repeated = any(task.repeat for task in result.task_results)
    for task in result.task_results:
        _testcase(suite, result.workflow_id, task, known.get(task.case_id), repeated=repeated)
    return suite


def _testcase(suite: ET.Element, workflow: str, task: TaskResult, case: Case | None, *, repeated: bool) -> None:
    name = f"{task.case_id} #{task.repeat + 1}" if repeated else task.case_id
    element = ET.SubElement(
        suite, "testcase", name=for_xml(name), classname=for_xml(workflow), time=f"{task.execution_time:.3f}"
    )
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


def _outcome(element: ET.Element, tag: str, kind: str, text: str) -> None:
    detail = ET.SubElement(element, tag, message=for_xml(one_line(text, 300)), type=for_xml(kind))
    detail.text = for_xml(cut(text, OUTPUT_LIMIT)[0])
